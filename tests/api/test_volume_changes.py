"""Volumes: created under the policy, removed, pruned."""

import pytest

from clients import assert_error, wait_until


@pytest.fixture
def made(engine):
    """Names of volumes that go with the test."""
    names = []
    yield names
    for name in names:
        engine.run("volume", "rm", "-f", name, check=False)


def exists(engine, name):
    return engine.api(f"/volumes/{name}") is not None


def test_a_volume_is_created(api, engine, made):
    made.append("vol.one_1")
    answer = api.post("/volumes", {
        "name": "vol.one_1", "labels": {"team": "blue", "empty": ""},
    })
    assert answer.status == 201, answer
    assert answer.json["message"] == "Volume created"
    assert answer.json["name"] == "vol.one_1"
    volume = api.get("/volumes/vol.one_1").json["volume"]
    assert volume["driver"] == "local"
    assert volume["labels"] == {"team": "blue", "empty": ""}
    assert engine.api("/volumes/vol.one_1")["Labels"]["team"] == "blue"


def test_a_volume_that_exists_is_409(api, engine, made):
    made.append("vol-two")
    assert api.post("/volumes", {"name": "vol-two"}).status == 201
    answer = api.post("/volumes", {
        "name": "vol-two", "labels": {"other": "x"},
    })
    assert_error(answer, 409, "ALREADY_EXISTS")
    assert not engine.api("/volumes/vol-two")["Labels"]


@pytest.mark.parametrize("name", [
    "", "a", "-ab", ".ab", "a/b", "../ab", "a b", "ab\n", "a" * 129, "ä" * 3,
    "a:b", "*",
])
def test_a_name_out_of_grammar_is_400(api, name):
    answer = api.post("/volumes", {"name": name})
    assert_error(answer, 400, "INVALID_NAME", "name")


@pytest.mark.parametrize("content, field", [
    ({"name": 1}, "name"), ({}, "name"),
    ({"name": "vol", "driver": 1}, "driver"),
    ({"name": "vol", "driver": "a/b"}, "driver"),
    ({"name": "vol", "labels": []}, "labels"),
    ({"name": "vol", "labels": {"a": 1}}, "labels.a"),
    ({"name": "vol", "labels": {"": "x"}}, "labels"),
    ({"name": "vol", "labels": {str(i): "" for i in range(101)}}, "labels"),
    ({"name": "vol", "driver_opts": "type=none"}, "driver_opts"),
])
def test_fields_are_checked(api, content, field):
    answer = api.post("/volumes", content)
    assert_error(answer, 400, field=field)


@pytest.mark.parametrize("more, field", [
    ({"driver": "rexray"}, "driver"),
    ({"driver_opts": {"type": "none", "o": "bind", "device": "/"}},
     "driver_opts"),
    ({"driver_opts": {"type": "tmpfs"}}, "driver_opts"),
    ({"options": {"type": "none", "o": "bind", "device": "/"}},
     "driver_opts"),
    ({"labels": {"com.docker.compose.project": "blog"}}, "labels"),
    ({"labels": {"COM.Docker.Compose.volume": "x"}}, "labels"),
])
def test_what_reaches_the_host_is_403(api, engine, more, field):
    answer = api.post("/volumes", {"name": "vol-bad", **more})
    assert_error(answer, 403, "VOLUME_POLICY", field)
    assert not exists(engine, "vol-bad")


def test_empty_options_are_none(api, made):
    made.append("vol-three")
    answer = api.post("/volumes", {
        "name": "vol-three", "driver": "", "driver_opts": {}, "labels": {},
    })
    assert answer.status == 201, answer


def test_a_volume_is_removed(api, by_hand, engine):
    by_hand.volume("vol-four")
    answer = api.delete("/volumes/vol-four")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Volume removed"
    assert answer.json["name"] == "vol-four"
    assert not exists(engine, "vol-four")
    assert_error(api.delete("/volumes/vol-four"), 404, "VOLUME_NOT_FOUND")


def test_a_volume_in_use_says_by_whom(api, by_hand, engine):
    by_hand.volume("vol-five")
    by_hand.container("--name", "vol-user-b", "-v", "vol-five:/data")
    by_hand.container(
        "--name", "vol-user-a", "-v", "vol-five:/data", start=False
    )
    for query in ("", "?force=true"):
        answer = api.delete(f"/volumes/vol-five{query}")
        body = assert_error(answer, 409, "IN_USE")
        assert sorted(body["used_by"]) == ["vol-user-a", "vol-user-b"]
    assert exists(engine, "vol-five")


def test_a_name_that_is_none_is_400(api):
    assert_error(api.delete("/volumes/..%2fx"), 400)
    assert_error(api.delete("/volumes/-x"), 400, "INVALID_NAME")


def test_a_viewer_changes_nothing(viewer, engine):
    for answer in (
        viewer.post("/volumes", {"name": "vol-six"}),
        viewer.delete("/volumes/vol-six"), viewer.post("/volumes/prune"),
    ):
        assert_error(answer, 403, "FORBIDDEN")
    assert not exists(engine, "vol-six")


def anonymous_volume(engine):
    return engine.run("volume", "create").strip()


def prune(api, **content):
    answer = api.post("/volumes/prune", content or None)
    assert answer.status == 200, answer
    assert answer.json["message"] == "Unused volumes pruned"
    assert answer.json["count"] == len(answer.json["removed"])
    return answer.json


def test_a_prune_takes_anonymous_volumes_that_nothing_uses(
    api, by_hand, engine
):
    prune(api)
    by_hand.volume("vol-named")
    unused = anonymous_volume(engine)
    user = by_hand.container("-v", "/data", start=False)
    used = engine.api(f"/containers/{user}/json")["Mounts"][0]["Name"]
    would = prune(api, dry_run=True)
    assert would["removed"] == [unused] and would["dry_run"] is True
    assert exists(engine, unused)
    done = prune(api)
    assert done["removed"] == [unused] and done["dry_run"] is False
    assert not exists(engine, unused)
    assert exists(engine, used) and exists(engine, "vol-named")
    assert api.get(f"/volumes/{unused}").status == 404
    assert prune(api)["count"] == 0


def test_a_prune_tells_what_it_frees(api, by_hand, engine):
    by_hand.volume("vol-full")
    engine.run(
        "run", "--rm", "-v", "vol-full:/data", "test/web:1",
        "sh", "-c", "head -c 500000 /dev/zero > /data/file",
    )
    wait_until(
        lambda: api.get("/volumes/vol-full").json["volume"]["in_use"] is False
    )
    would = prune(api, all=True, dry_run=True)
    assert "vol-full" in would["removed"]
    assert would["freed_bytes"] >= 500000
    done = prune(api, all=True)
    assert done["removed"] == would["removed"]
    assert done["freed_bytes"] == would["freed_bytes"]
    assert not exists(engine, "vol-full")


def test_a_prune_of_all_keeps_the_data_of_deployments(
    api, by_hand, engine, deployments
):
    name = deployments.create(
        "services:\n  app:\n    image: test/web:1\n"
        "    volumes: ['data:/data']\nvolumes:\n  data: {}\n", start=True,
    )
    volume = f"{name}_data"
    by_hand.forget("volume", "rm", "-f", volume)
    for one in engine.containers(name):
        engine.run("rm", "-f", one["Id"])
    by_hand.volume(
        "vol-orphan", "--label", "com.docker.compose.project=long-gone"
    )
    done = prune(api, all=True)
    assert "vol-orphan" in done["removed"]
    assert volume not in done["removed"] and exists(engine, volume)


@pytest.mark.parametrize("content, field", [
    ({"all": 1}, "all"), ({"dry_run": "yes"}, "dry_run"),
])
def test_what_is_pruned_is_checked(api, content, field):
    assert_error(api.post("/volumes/prune", content), 400, field=field)
