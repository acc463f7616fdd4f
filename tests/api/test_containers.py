"""The containers of the host, ours or not."""

import re

import pytest

from clients import assert_error, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def find(api, identity):
    answer = api.get("/containers")
    assert answer.status == 200, answer
    found = [one for one in answer.json["containers"]
             if one["id"] == identity[:12]]
    return found[0] if found else None


def test_a_container_has_all_its_keys(api, running, engine):
    container = engine.containers(running)[0]
    one = find(api, container["Id"])
    assert one["name"] == container["Names"][0].lstrip("/")
    assert one["image"] == "test/talker:1"
    assert one["state"] == "running"
    assert one["status"].startswith("Up")
    assert one["ports"] == []
    assert TIME.fullmatch(one["created"]), one
    assert one["deployment_name"] == running


def test_the_list_has_all_its_keys(api, running):
    body = api.get("/containers").json
    assert body["containers"] == body["data"] == body["items"]
    assert body["total"] == len(body["data"])


def test_published_ports_are_shown(api, deployments, engine):
    name = deployments.create(
        "services:\n  app:\n    image: test/web:1\n"
        "    ports: ['127.0.0.1::80']\n", start=True,
    )
    container = engine.containers(name)[0]
    port = [one for one in container["Ports"] if "PublicPort" in one][0]
    assert find(api, container["Id"])["ports"] == [
        f"127.0.0.1:{port['PublicPort']}->80/tcp"
    ]


def test_a_container_started_by_hand_appears_and_vanishes(api, engine):
    identity = engine.run("run", "-d", "test/web:1").strip()
    try:
        one = wait_until(lambda: find(api, identity), 3)
        assert not one.get("deployment_name")
    finally:
        engine.run("rm", "-f", identity)
    wait_until(lambda: not find(api, identity), 3)


def test_a_container_stopped_by_hand_is_noticed(api, deployments, engine):
    name = deployments.create(start=True)
    identity = engine.containers(name)[0]["Id"]
    engine.run("stop", identity)
    wait_until(lambda: find(api, identity)["state"] == "exited", 3)
    assert deployments.status(name) == "stopped"
    engine.run("start", identity)
    wait_until(lambda: find(api, identity)["state"] == "running", 3)
    engine.run("pause", identity)
    wait_until(lambda: find(api, identity)["state"] == "paused", 3)
    assert deployments.status(name) == "paused"
    engine.run("unpause", identity)
    wait_until(lambda: find(api, identity)["state"] == "running", 3)


def test_a_container_renamed_by_hand_is_noticed(api, deployments, engine):
    name = deployments.create(start=True)
    identity = engine.containers(name)[0]["Id"]
    engine.run("rename", identity, f"{name}-renamed")
    wait_until(
        lambda: find(api, identity)["name"] == f"{name}-renamed", 3
    )


def test_the_list_has_an_etag_and_answers_304(api, running):
    first = api.get("/containers")
    again = api.get(
        "/containers", headers={"If-None-Match": first.header("ETag")}
    )
    assert again.status in (200, 304), again
    if again.status == 200:
        # Something changed in between: then the tag did as well.
        assert again.header("ETag") != first.header("ETag")


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=1e3"])
def test_a_bad_query_is_400(api, query):
    answer = api.get(f"/containers?{query}")
    assert_error(answer, 400, field=query.partition("=")[0])


def test_limit_and_offset_cut_the_list(api, deployments):
    deployments.create(
        "services:\n  a: {image: test/web:1}\n  b: {image: test/web:1}\n",
        start=True,
    )
    everything = api.get("/containers").json
    part = api.get("/containers?limit=1&offset=1").json
    assert [one["id"] for one in part["data"]] == [
        everything["data"][1]["id"]
    ]
    assert part["total"] == everything["total"]
