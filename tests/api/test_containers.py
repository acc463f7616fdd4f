"""The containers of the host, ours or not."""

import concurrent.futures
import re
import threading
import time

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


# Filters


def ids(api, query):
    answer = api.get(f"/containers?{query}")
    assert answer.status == 200, answer
    return {one["id"] for one in answer.json["containers"]}


@pytest.fixture(scope="module")
def labelled(engine):
    """One that runs and one that was never started, with labels."""
    made = [
        engine.run("run", "-d", "--name", "labelled-runs", "-l", "colour=red",
                   "-l", "team=a=b", "test/web:1").strip()[:12],
        engine.run("create", "--name", "labelled-waits", "-l", "colour=blue",
                   "test/web:1").strip()[:12],
    ]
    yield made
    for one in made:
        engine.run("rm", "-f", one)


def test_filters_of_the_list(api, labelled, running, engine):
    runs, waits = labelled
    wait_until(lambda: ids(api, "name=labelled-") == {runs, waits}, 3)
    assert ids(api, "name=labelled-r") == {runs}
    assert ids(api, "name=labelled-&state=created") == {waits}
    assert ids(api, "name=labelled-&status=running") == {runs}
    assert ids(api, "state=running&status=created") == set()
    assert ids(api, "label=colour") == {runs, waits}
    assert ids(api, "label=colour=red") == {runs}
    assert ids(api, "label=colour&label=team=a=b") == {runs}
    assert ids(api, "label=colour=") == set()
    assert ids(api, "label=team=a%3Db&name=waits") == set()
    assert ids(api, f"deployment={running}") == {
        one["Id"][:12] for one in engine.containers(running)
    }
    assert ids(api, "deployment=no-such-deployment") == set()


@pytest.mark.parametrize("query", ["state=up", "status=x", "state="])
def test_an_unknown_state_is_400(api, query):
    assert_error(
        api.get(f"/containers?{query}"), 400, field=query.partition("=")[0]
    )


# One container


def test_one_container_has_all_its_keys(api, engine):
    engine.run("network", "create", "--subnet", "10.77.0.0/24", "detail-net")
    identity = engine.run(
        "run", "-d", "--name", "detail", "--network", "detail-net",
        "--ip", "10.77.0.9", "-v", "detail-data:/data", "-v",
        "/etc/hostname:/etc/other:ro", "-l", "colour=red", "test/web:1",
    ).strip()
    try:
        wait_until(
            lambda: (find(api, identity) or {}).get("state") == "running", 3)
        answer = api.get("/containers/detail")
        one = answer.json["container"]
        assert one == answer.json["data"]
        assert one["id"] == identity[:12] and one["full_id"] == identity
        inspected = engine.api(f"/containers/{identity}/json")
        assert one["image_id"] == inspected["Image"]
        assert one["labels"]["colour"] == "red"
        network = inspected["NetworkSettings"]["Networks"]["detail-net"]
        assert one["networks"] == [{
            "name": "detail-net", "network_id": network["NetworkID"],
            "ipv4": "10.77.0.9/24", "mac_address": network["MacAddress"],
        }]
        mounts = {mount["destination"]: mount for mount in one["mounts"]}
        assert mounts["/data"]["type"] == "volume"
        assert mounts["/data"]["name"] == "detail-data"
        assert mounts["/data"]["rw"] is True
        assert mounts["/etc/other"] == {
            "type": "bind", "name": "", "source": "/etc/hostname",
            "destination": "/etc/other", "rw": False,
        }
        for other in (identity, identity[:12], identity[:7]):
            found = api.get(f"/containers/{other}")
            assert found.json["container"]["full_id"] == identity, found
        listed = find(api, identity)
        assert {key: one[key] for key in listed} == listed
    finally:
        engine.run("rm", "-f", "-v", "detail")
        engine.run("network", "rm", "detail-net")
        engine.run("volume", "rm", "-f", "detail-data")
    wait_until(lambda: api.get("/containers/detail").status == 404, 3)


def test_one_container_has_an_etag(api, running, engine):
    identity = engine.containers(running)[0]["Id"]
    path = f"/containers/{identity}"
    assert wait_until(lambda: api.get(path, headers={
        "If-None-Match": api.get(path).header("ETag")
    }).status == 304, 5)


@pytest.mark.parametrize("end", ["", "/stats"])
def test_a_container_that_is_not_there_is_404(api, end):
    for identity in ("nobody", "f" * 64, "0123", "f" * 12):
        answer = api.get(f"/containers/{identity}{end}")
        assert_error(answer, 404, "CONTAINER_NOT_FOUND")
        assert answer.header("ETag") is None


@pytest.mark.parametrize("identity", [
    ".hidden", "-x", "a%2Fb", "a%20b", "a%3Fb", "%2E%2E", "x" * 129,
    "a%2F..%2Fb", "caf%C3%A9",
])
@pytest.mark.parametrize("end", ["", "/stats"])
def test_what_is_no_id_is_400(api, identity, end):
    assert_error(
        api.get(f"/containers/{identity}{end}"), 400, "INVALID_ID", "id"
    )


# Statistics


def test_statistics_of_all_that_run(api, running, engine):
    identity = engine.containers(running)[0]["Id"]

    def sample():
        answer = api.get("/containers/stats")
        assert answer.status == 200, answer
        assert answer.json["stats"] == answer.json["data"]
        return [one for one in answer.json["stats"]
                if one["container_id"] == identity[:12]]

    found = wait_until(sample, 5)[0]
    assert found["deployment_name"] == running
    assert found["memory_usage"] > 0 and found["pids"] >= 1
    assert TIME.fullmatch(found["sampled_at"])
    one = api.get(f"/containers/{identity}/stats").json
    assert one["stats"] == one["data"]
    assert one["stats"].keys() == found.keys()
    assert one["stats"]["name"] == found["name"]


def test_statistics_of_one_that_does_not_run_are_zero(api, labelled):
    answer = api.get("/containers/labelled-waits/stats")
    assert answer.status == 200, answer
    stats = answer.json["stats"]
    assert stats["container_id"] == labelled[1]
    assert "deployment_name" not in stats
    assert stats["sampled_at"] is None
    for key in ("cpu_percent", "memory_usage", "memory_percent", "pids"):
        assert stats[key] == 0, stats
    assert labelled[1] not in {
        one["container_id"]
        for one in api.get("/containers/stats").json["stats"]
    }


# What happens meanwhile


def test_after_a_deployments_answer_the_list_shows_it(api, deployments):
    name = deployments.create(
        "services:\n"
        + "".join(f"  s{n}: {{image: test/web:1}}\n" for n in range(4)),
        start=True,
    )

    def states():
        answer = api.get(f"/containers?deployment={name}")
        return sorted(one["state"] for one in answer.json["containers"])

    for _ in range(3):
        assert api.post(f"/deployments/{name}/stop").status == 200
        assert states() == ["exited"] * 4
        assert api.post(f"/deployments/{name}/start").status == 200
        assert states() == ["running"] * 4


def test_a_hundred_containers_come_and_go_while_a_client_polls(api, engine):
    """What the list shows was true, and soon all of it is."""
    ended = threading.Event()
    seen = []

    def poll():
        while not ended.is_set():
            answer = api.get("/containers?name=crowd-")
            assert answer.status == 200, answer
            listed = answer.json["containers"]
            assert len({one["id"] for one in listed}) == len(listed)
            seen.append(len(listed))
            time.sleep(0.05)

    def states():
        answer = api.get("/containers?name=crowd-")
        return {one["name"]: one["state"] for one in answer.json["data"]}

    def truth():
        return {
            one["Names"][0].lstrip("/"): one["State"]
            for one in engine.containers()
            if one["Names"][0].startswith("/crowd-")
        }

    names = [f"crowd-{number}" for number in range(100)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        poller = pool.submit(poll)
        try:
            list(pool.map(
                lambda name: engine.run(
                    "create", "--network", "none", "--name", name,
                    "test/web:1"),
                names,
            ))
            wait_until(lambda: states() == truth(), 5)
            list(pool.map(
                lambda part: engine.run("start", *names[part::4]), range(4)
            ))
            wait_until(lambda: states() == truth(), 5)
            engine.run("kill", *names[::2])
            wait_until(lambda: states() == truth(), 5)
            assert sorted(states().values()) == (
                ["exited"] * 50 + ["running"] * 50)
            engine.run("rm", "-f", *names)
            wait_until(lambda: states() == {}, 5)
        finally:
            ended.set()
            engine.run("rm", "-f", *names, check=False)
        poller.result()
    # It never fell back to less than there was while they came.
    rising = seen[:seen.index(100) + 1]
    assert rising == sorted(rising)
