"""service.yml by its endpoint: the keys that are sent, and no others."""

import os

import pytest

from clients import assert_error


@pytest.fixture
def blog(deployments):
    return deployments.create(metadata={
        "name": "blog", "type": "web",
        "networking": {"expose": False, "container_port": 80},
        "x-ours": {"kept": [1, "two"]},
    })


def metadata(api, name):
    answer = api.get(f"/deployments/{name}")
    assert answer.status == 200, answer
    return answer.json["deployment"]["metadata"]


def text(deployments, name):
    with open(os.path.join(
            deployments.directory(name), "service.yml")) as one:
        return one.read()


def test_only_the_keys_that_are_sent_are_replaced(api, blog, deployments):
    answer = api.put(f"/deployments/{blog}/metadata", {
        "type": "worker",
        "healthcheck": {"path": "/up", "interval": "10s"},
        "quick_actions": [{"id": "one", "name": "One", "command": "true"}],
    })
    assert answer.status == 200, answer
    assert answer.json["message"] == "Metadata updated"
    assert answer.json["name"] == blog
    assert answer.json["proxy_result"] is None
    now = metadata(api, blog)
    assert now["type"] == "worker"
    assert now["healthcheck"] == {"path": "/up", "interval": "10s"}
    assert now["quick_actions"][0]["command"] == "true"
    assert now["networking"] == {"expose": False, "container_port": 80}
    assert now["x-ours"] == {"kept": [1, "two"]}
    assert now["name"] == "blog"
    assert "worker" in text(deployments, blog)


def test_null_takes_a_key_away(api, blog):
    assert api.put(
        f"/deployments/{blog}/metadata", {"type": None}).status == 200
    assert "type" not in metadata(api, blog)
    assert metadata(api, blog)["name"] == "blog"


def test_keys_of_others_are_not_taken(api, blog, deployments):
    before = text(deployments, blog)
    answer = api.put(f"/deployments/{blog}/metadata", {
        "domains": [{"domain": "example.org"}], "x-ours": 1,
    })
    assert_error(answer, 400)
    assert text(deployments, blog) == before
    assert api.put(f"/deployments/{blog}/metadata", {
        "type": "x", "x-ours": 1, "databases": [],
    }).status == 200
    assert metadata(api, blog)["x-ours"] == {"kept": [1, "two"]}
    assert "databases" not in metadata(api, blog)


@pytest.mark.parametrize("body", [
    {"networking": {"domain": "bad domain"}},
    {"networking": {"container_port": 70000}},
    {"networking": "x"},
    {"ssl": {"enabled": "yes"}},
    {"name": 5},
    {},
])
def test_what_is_wrong_changes_nothing(api, blog, deployments, body):
    before = text(deployments, blog)
    assert_error(api.put(f"/deployments/{blog}/metadata", body), 400)
    assert text(deployments, blog) == before


def test_a_broken_file_gives_way(api, blog, deployments):
    with open(os.path.join(
            deployments.directory(blog), "service.yml"), "w") as out:
        out.write("a: [b\n")
    assert api.put(
        f"/deployments/{blog}/metadata", {"type": "web"}).status == 200
    assert metadata(api, blog)["type"] == "web"


def test_who_may(viewer, operator, blog, api):
    assert_error(
        viewer.put(f"/deployments/{blog}/metadata", {"type": "x"}), 403)
    assert operator.put(
        f"/deployments/{blog}/metadata", {"type": "x"}).status == 200
    assert_error(
        api.put("/deployments/nobody/metadata", {"type": "x"}), 404)


def test_a_plan_of_it_changes_nothing(api, blog, deployments):
    before = text(deployments, blog)
    answer = api.put(
        f"/deployments/{blog}/metadata?plan=true", {"type": "planned"})
    assert answer.status == 200, answer
    assert "planned" in answer.text
    assert text(deployments, blog) == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(
        api, blog, deployments):
    etag = api.get(f"/deployments/{blog}").header("ETag")
    assert api.put(
        f"/deployments/{blog}/metadata", {"type": "mine"},
        headers={"If-Match": etag}).status == 200
    assert_error(api.put(
        f"/deployments/{blog}/metadata", {"type": "late"},
        headers={"If-Match": etag}), 412)
    assert metadata(api, blog)["type"] == "mine"
