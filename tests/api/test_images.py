"""The images of the host."""

import re

import pytest

from clients import assert_error, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def images(api, query=""):
    answer = api.get(f"/images{query}")
    assert answer.status == 200, answer
    return answer.json["images"]


def tagged(api, tag, query=""):
    found = [one for one in images(api, query) if tag in one["tags"]]
    return found[0] if found else None


def test_the_list_is_what_the_engine_has(api, engine):
    wait_until(lambda: {one["id"] for one in images(api)} == {
        one["Id"] for one in engine.api("/images/json")
    }, 3)
    body = api.get("/images").json
    assert body["images"] == body["data"] == body["items"]
    assert body["total"] == len(body["data"])


def test_an_image_has_all_its_keys(api, engine):
    one = tagged(api, "test/web:2")
    inspected = engine.api("/images/test/web:2/json")
    assert one["id"] == inspected["Id"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", one["id"])
    assert one["size"] == inspected["Size"] > 0
    assert TIME.fullmatch(one["created"])
    assert one["digests"] == []
    assert one["dangling"] is False
    assert one["containers"] == len(one["used_by"])
    detail = api.get("/images/test%2Fweb:2").json
    assert detail["image"] == detail["data"]
    assert detail["image"]["labels"] == {"version": "2"}
    assert {key: detail["image"][key] for key in one} == one


def test_who_uses_it_is_told(api, engine):
    engine.run("create", "--name", "image-user", "test/quitter:1")
    try:
        wait_until(lambda: "image-user" in tagged(
            api, "test/quitter:1")["used_by"], 3)
        one = tagged(api, "test/quitter:1")
        assert one["containers"] == len(one["used_by"]) >= 1
    finally:
        engine.run("rm", "-f", "image-user")
    wait_until(lambda: "image-user" not in tagged(
        api, "test/quitter:1")["used_by"], 3)


def test_tags_set_and_removed_by_hand_are_seen(api, engine):
    identity = tagged(api, "test/web:1")["id"]
    engine.run("tag", "test/web:1", "registry.example:5000/team/app:1")
    try:
        one = wait_until(
            lambda: tagged(api, "registry.example:5000/team/app:1"), 2)
        assert one["id"] == identity
        assert "test/web:1" in one["tags"]
        # The same by every name it has.
        for name in ("registry.example:5000%2Fteam%2Fapp:1", "test%2Fweb:1",
                     identity, identity.replace(":", "%3A"), identity[7:],
                     identity[7:19], identity[:19],
                     "docker.io%2Ftest%2Fweb:1"):
            found = api.get(f"/images/{name}")
            assert found.status == 200, found
            assert found.json["image"]["id"] == identity
    finally:
        engine.run("rmi", "registry.example:5000/team/app:1")
    wait_until(
        lambda: not tagged(api, "registry.example:5000/team/app:1"), 2)
    assert_error(
        api.get("/images/registry.example:5000%2Fteam%2Fapp:1"), 404,
        "IMAGE_NOT_FOUND",
    )


def test_an_image_that_lost_its_name_is_dangling(api, engine):
    identity = engine.run(
        "import", "-c", "LABEL nameless=1", "-", input=b"\0" * 1024).strip()
    try:
        one = wait_until(lambda: [
            one for one in images(api, "?dangling=true")
            if one["id"] == identity], 2)[0]
        assert one["tags"] == [] and one["dangling"] is True
        assert identity not in {
            one["id"] for one in images(api, "?dangling=false")}
    finally:
        engine.run("rmi", identity)
    wait_until(lambda: identity not in {
        one["id"] for one in images(api)}, 2)


def test_a_part_of_the_name_filters(api):
    names = [tag for one in images(api, "?name=test/web")
             for tag in one["tags"]]
    assert {"test/web:1", "test/web:2"} <= set(names)
    assert all(
        any("test/web" in tag for tag in one["tags"])
        for one in images(api, "?name=test/web")
    )
    assert images(api, "?name=no-such-image") == []


def test_limit_and_offset_cut_the_list(api):
    everything = images(api)
    assert images(api, "?limit=2&offset=1") == everything[1:3]


def test_the_list_has_an_etag_and_answers_304(api):
    wait_until(lambda: api.get("/images", headers={
        "If-None-Match": api.get("/images").header("ETag")
    }).status == 304, 5)
    wait_until(lambda: api.get("/images/test%2Fweb:1", headers={
        "If-None-Match": api.get("/images/test%2Fweb:1").header("ETag")
    }).status == 304, 5)


@pytest.mark.parametrize("query", ["dangling=maybe", "limit=0", "offset=x"])
def test_a_bad_query_is_400(api, query):
    assert_error(
        api.get(f"/images?{query}"), 400, field=query.partition("=")[0])


@pytest.mark.parametrize("name", [
    "no-such-image", "no%2Fsuch:1", "f" * 64, "sha256:" + "f" * 64, "0123",
    "test%2Fweb:none", "sha256:" + "f" * 12,
])
def test_an_image_that_is_not_there_is_404(api, name):
    answer = api.get(f"/images/{name}")
    assert_error(answer, 404, "IMAGE_NOT_FOUND")
    assert answer.header("ETag") is None


@pytest.mark.parametrize("name", [
    "-x", "a%2F..%2Fb", "a%20b", "a%2F%2Fb", "a:b:c", "%2Fa", "a%3Fb=1",
    "x" * 300, "a@sha256:12",
])
def test_what_is_no_reference_is_400(api, name):
    assert_error(api.get(f"/images/{name}"), 400, "INVALID_IMAGE", "id")
