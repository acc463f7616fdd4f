"""The volumes of the host."""

import re

import pytest

from clients import assert_error, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def volumes(api, query=""):
    answer = api.get(f"/volumes{query}")
    assert answer.status == 200, answer
    return answer.json["volumes"]


def find(api, name):
    found = [one for one in volumes(api) if one["name"] == name]
    return found[0] if found else None


@pytest.fixture
def volume(engine):
    name = "by-hand"
    engine.run("volume", "create", "--label", "colour=red", "--opt",
               "type=tmpfs", "--opt", "device=tmpfs", name)
    yield name
    engine.run("volume", "rm", "-f", name)


def test_a_volume_made_by_hand_appears_and_vanishes(api, engine, volume):
    one = wait_until(lambda: find(api, volume), 2)
    inspected = engine.api(f"/volumes/{volume}")
    assert one.pop("created")[:19] == inspected["CreatedAt"][:19]
    assert one == {
        "name": volume, "driver": "local", "scope": "local",
        "mountpoint": inspected["Mountpoint"], "size": 0, "in_use": False,
        "labels": {"colour": "red"}, "containers": [],
        "options": {"type": "tmpfs", "device": "tmpfs"},
    }
    detail = api.get(f"/volumes/{volume}").json
    assert detail["volume"] == detail["data"] == find(api, volume)
    engine.run("volume", "rm", volume)
    wait_until(lambda: not find(api, volume), 2)
    assert_error(
        api.get(f"/volumes/{volume}"), 404, "VOLUME_NOT_FOUND")


def test_the_list_has_all_its_keys(api, volume):
    wait_until(lambda: find(api, volume), 2)
    body = api.get("/volumes").json
    assert body["volumes"] == body["data"] == body["items"]
    assert body["total"] == len(body["data"])
    assert TIME.fullmatch(find(api, volume)["created"])


def test_who_mounts_it_is_told_whether_it_runs_or_not(api, engine, volume):
    engine.run("volume", "create", "unused")
    for name in ("mounts-b", "mounts-a"):
        engine.run("create", "--name", name, "-v", f"{volume}:/data", "-v",
                   f"{volume}:/again", "test/web:1")
    try:
        wait_until(lambda: find(api, volume)["containers"] == [
            "mounts-a", "mounts-b"], 2)
        assert find(api, volume)["in_use"] is True
        used = {one["name"] for one in volumes(api, "?in_use=true")}
        unused = {one["name"] for one in volumes(api, "?in_use=false")}
        assert volume in used and volume not in unused
        assert "unused" in unused and "unused" not in used
        assert {one["name"] for one in volumes(api)} == used | unused
    finally:
        engine.run("rm", "-f", "mounts-a", "mounts-b")
        engine.run("volume", "rm", "unused")
    wait_until(lambda: find(api, volume)["in_use"] is False, 2)


def test_a_volume_of_a_container_alone_comes_and_goes_with_it(api, engine):
    before = {one["name"] for one in volumes(api)}
    engine.run("run", "-d", "--name", "anonymous", "-v", "/data",
               "test/web:1")
    try:
        made = wait_until(lambda: [
            one for one in volumes(api)
            if one["name"] not in before and one["in_use"]], 2)
        assert made[0]["containers"] == ["anonymous"]
    finally:
        engine.run("rm", "-f", "-v", "anonymous")
    wait_until(lambda: not find(api, made[0]["name"]), 2)


def test_the_list_has_an_etag_and_answers_304(api, volume):
    wait_until(lambda: find(api, volume), 2)
    for path in ("/volumes", f"/volumes/{volume}"):
        wait_until(lambda: api.get(path, headers={
            "If-None-Match": api.get(path).header("ETag")
        }).status == 304, 5)


def test_a_part_of_the_name_filters(api, volume):
    wait_until(lambda: find(api, volume), 2)
    assert [one["name"] for one in volumes(api, "?name=y-han")] == [volume]


@pytest.mark.parametrize("query", ["in_use=maybe", "limit=0", "offset=x"])
def test_a_bad_query_is_400(api, query):
    assert_error(
        api.get(f"/volumes?{query}"), 400, field=query.partition("=")[0])


@pytest.mark.parametrize("name", [
    ".hidden", "-x", "a%2Fb", "a%20b", "%2E%2E", "x" * 129, "a%3Fb",
])
def test_what_is_no_name_is_400(api, name):
    assert_error(api.get(f"/volumes/{name}"), 400, "INVALID_NAME", "name")
