"""Containers: started, stopped, restarted, removed; what they may use."""

import threading

import pytest

from clients import assert_error

MIB = 1024 * 1024


def state(api, identity):
    answer = api.get(f"/containers/{identity}")
    return answer.json["container"]["state"] if answer.status == 200 else None


def inspect(engine, identity):
    return engine.api(f"/containers/{identity}/json")


def test_a_container_is_stopped_started_and_restarted(api, by_hand, engine):
    identity = by_hand.container()
    for verb, word, after in [
        ("stop", "stopped", "exited"), ("start", "started", "running"),
        ("restart", "restarted", "running"),
    ]:
        answer = api.post(f"/containers/{identity}/{verb}")
        assert answer.status == 200, answer
        assert answer.json["message"] == f"Container {word}"
        assert answer.json["id"] == identity
        assert answer.json["status"] == "succeeded"
        # A read after the change sees the change.
        assert state(api, identity) == after
        assert inspect(engine, identity)["State"]["Status"] == after


def test_what_is_so_already_is_success(api, by_hand):
    identity = by_hand.container()
    assert api.post(f"/containers/{identity}/start").status == 200
    assert api.post(f"/containers/{identity}/stop").status == 200
    assert api.post(f"/containers/{identity}/stop").status == 200


def test_a_name_or_the_beginning_of_an_id_will_do(api, by_hand):
    identity = by_hand.container("--name", "by-name.1")
    answer = api.post("/containers/by-name.1/stop")
    assert answer.status == 200 and answer.json["id"] == "by-name.1", answer
    answer = api.post(f"/containers/{identity[:12]}/start")
    assert answer.status == 200 and answer.json["id"] == identity[:12], answer


@pytest.mark.parametrize("where", ["body", "query"])
def test_a_stop_takes_no_longer_than_it_may(api, by_hand, where):
    identity = by_hand.container(image="test/stubborn:1")
    answer = (
        api.post(f"/containers/{identity}/stop", {"timeout": 1})
        if where == "body"
        else api.post(f"/containers/{identity}/stop?timeout=1")
    )
    assert answer.status == 200, answer
    assert 0.9 < answer.seconds < 6
    assert state(api, identity) == "exited"


@pytest.mark.parametrize("timeout", [-1, 601, "5", 1.5, True])
def test_a_timeout_out_of_range_is_400(api, by_hand, timeout):
    identity = by_hand.container()
    answer = api.post(f"/containers/{identity}/stop", {"timeout": timeout})
    assert_error(answer, 400, "INVALID_REQUEST", "timeout")
    assert state(api, identity) == "running"


@pytest.mark.parametrize("query", ["-1", "601", "x", "1e1", ""])
def test_a_timeout_in_the_query_is_checked(api, by_hand, query):
    identity = by_hand.container()
    answer = api.post(f"/containers/{identity}/restart?timeout={query}")
    assert_error(answer, 400, field="timeout")


def test_a_container_whose_port_is_taken_says_so(api, by_hand):
    first = by_hand.container("-p", "127.0.0.1:18099:80")
    second = by_hand.container("-p", "127.0.0.1:18099:80", start=False)
    answer = api.post(f"/containers/{second}/start")
    assert_error(answer, 409, "PORT_IN_USE")
    assert state(api, first) == "running"


def test_a_running_container_is_removed_without_asking(api, by_hand, engine):
    identity = by_hand.container()
    answer = api.delete(f"/containers/{identity}")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Container removed"
    assert answer.json["id"] == identity
    assert_error(
        api.get(f"/containers/{identity}"), 404, "CONTAINER_NOT_FOUND"
    )
    assert inspect(engine, identity) is None
    answer = api.delete(f"/containers/{identity}")
    assert_error(answer, 404, "CONTAINER_NOT_FOUND")


def test_without_force_a_running_container_stays(api, by_hand):
    identity = by_hand.container()
    answer = api.delete(f"/containers/{identity}?force=false")
    assert_error(answer, 409, "CONTAINER_RUNNING")
    assert state(api, identity) == "running"
    api.post(f"/containers/{identity}/stop")
    assert api.delete(f"/containers/{identity}?force=false").status == 200


@pytest.mark.parametrize("asked", [True, False])
def test_anonymous_volumes_go_when_asked(api, by_hand, engine, asked):
    identity = by_hand.container("-v", "/data")
    volume = inspect(engine, identity)["Mounts"][0]["Name"]
    by_hand.forget("volume", "rm", "-f", volume)
    answer = api.delete(f"/containers/{identity}?volumes={str(asked).lower()}")
    assert answer.status == 200, answer
    assert (engine.api(f"/volumes/{volume}") is None) == asked
    assert (api.get(f"/volumes/{volume}").status == 404) == asked


def test_two_clients_remove_the_same_container(api, by_hand):
    for _ in range(5):
        identity = by_hand.container()
        start = threading.Barrier(4)
        answers = []

        def remove():
            start.wait()
            answers.append(api.delete(f"/containers/{identity}"))

        threads = [threading.Thread(target=remove) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert [one.status for one in answers].count(200) == 1, answers
        for one in answers:
            if one.status == 409:
                assert_error(one, 409, "CONTAINER_BUSY")
            elif one.status != 200:
                assert_error(one, 404, "CONTAINER_NOT_FOUND")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "exec"])
def test_an_unknown_container_is_404(api, verb):
    answer = api.post(f"/containers/no-such-thing/{verb}")
    assert_error(answer, 404, "CONTAINER_NOT_FOUND")


@pytest.mark.parametrize("path", [
    "/containers/..%2fimages/start", "/containers/a%20b/start",
    "/containers/-x/stop", "/containers/x%3fforce=1/restart",
    "/containers/a%0d%0ab/start", "/containers/" + "a" * 129 + "/start",
])
def test_an_id_out_of_grammar_is_400(api, path):
    answer = api.post(path)
    assert answer.status == 400, answer
    assert answer.json["code"] in ("INVALID_ID", "INVALID_PATH"), answer


def test_a_change_by_hand_before_ours_is_no_500(api, by_hand, engine):
    identity = by_hand.container()
    engine.run("rm", "-f", identity)
    answer = api.post(f"/containers/{identity}/start")
    assert_error(answer, 404, "CONTAINER_NOT_FOUND")
    assert state(api, identity) is None


def test_a_viewer_changes_nothing(viewer, by_hand, api):
    identity = by_hand.container()
    for verb in ("start", "stop", "restart", "exec"):
        answer = viewer.post(f"/containers/{identity}/{verb}")
        assert_error(answer, 403, "FORBIDDEN")
    assert_error(viewer.delete(f"/containers/{identity}"), 403, "FORBIDDEN")
    answer = viewer.put(f"/containers/{identity}/resources", {"cpus": 1})
    assert_error(answer, 403, "FORBIDDEN")
    assert state(api, identity) == "running"


def test_foreign_containers_are_for_administrators(
    api, operator, by_hand, deployments, engine
):
    """Who may not deploy a privileged container may not enter one either."""
    foreign = by_hand.container()
    disguised = by_hand.container(
        "--label", "com.docker.compose.project=no-deployment"
    )
    for identity in (foreign, disguised):
        answer = operator.delete(f"/containers/{identity}")
        assert_error(answer, 403, "PROTECTED")
        answer = operator.post(
            f"/containers/{identity}/exec", {"command": "true"}
        )
        assert_error(answer, 403, "PROTECTED")
        assert state(api, identity) == "running"
    ours = engine.containers(deployments.create(start=True))[0]["Id"]
    answer = operator.post(f"/containers/{ours}/exec", {"command": "true"})
    assert answer.status == 200, answer
    assert operator.delete(f"/containers/{ours}").status == 200
    assert api.delete(f"/containers/{foreign}").status == 200


def test_a_change_can_be_waited_for_later(api, by_hand, deployments):
    identity = by_hand.container(image="test/stubborn:1")
    answer = api.post(
        f"/containers/{identity}/stop", {"timeout": 1},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202, answer
    assert answer.json["id"] == identity
    second = api.post(f"/containers/{identity}/start")
    body = assert_error(second, 409, "CONTAINER_BUSY")
    assert body["active_job_id"] == answer.json["job_id"]
    job = deployments.job(answer.json["job_id"])
    assert job["status"] == "succeeded" and job["kind"] == "container.stop"
    assert state(api, identity) == "exited"


# What they may use


def resources(api, identity):
    answer = api.get(f"/containers/{identity}/resources")
    assert answer.status == 200, answer
    assert answer.json["resources"] == answer.json["data"]
    return answer.json["resources"]


def test_a_container_without_limits_says_so(api, by_hand):
    identity = by_hand.container()
    assert resources(api, identity) == {
        "memory_limit": 0, "memory_swap": 0, "cpus": 0.0, "cpu_shares": 0,
        "restart_policy": "no",
    }


def test_limits_are_told_as_docker_has_them(api, by_hand, viewer):
    identity = by_hand.container(
        "--memory", "64m", "--cpus", "0.5", "--cpu-shares", "512",
        "--restart", "on-failure:3",
    )
    expected = {
        "memory_limit": 64 * MIB, "memory_swap": 128 * MIB, "cpus": 0.5,
        "cpu_shares": 512, "restart_policy": "on-failure",
    }
    assert resources(api, identity) == expected
    assert resources(viewer, identity) == expected
    by_quota = by_hand.container(
        "--cpu-quota", "25000", "--cpu-period", "50000"
    )
    assert resources(api, by_quota)["cpus"] == 0.5


def test_limits_are_set(api, by_hand, engine):
    identity = by_hand.container()
    answer = api.put(f"/containers/{identity}/resources", {
        "memory_limit": 64 * MIB, "cpus": 0.5, "cpu_shares": 256,
        "restart_policy": "unless-stopped",
    })
    assert answer.status == 200, answer
    assert answer.json["message"] == "Container resources updated"
    assert answer.json["id"] == identity
    assert answer.json["resources"] == resources(api, identity) == {
        "memory_limit": 64 * MIB, "memory_swap": 128 * MIB, "cpus": 0.5,
        "cpu_shares": 256, "restart_policy": "unless-stopped",
    }
    host = inspect(engine, identity)["HostConfig"]
    assert host["Memory"] == 64 * MIB and host["NanoCpus"] == 500000000
    # More than memory and swap together were allowed so far.
    answer = api.put(
        f"/containers/{identity}/resources", {"memory_limit": 256 * MIB}
    )
    assert answer.status == 200, answer
    assert answer.json["resources"]["memory_limit"] == 256 * MIB
    assert answer.json["resources"]["cpus"] == 0.5


def test_a_quota_is_changed_as_a_quota(api, by_hand):
    identity = by_hand.container("--cpu-quota", "25000")
    answer = api.put(f"/containers/{identity}/resources", {"cpus": 0.75})
    assert answer.status == 200, answer
    assert answer.json["resources"]["cpus"] == 0.75
    answer = api.put(f"/containers/{identity}/resources", {"cpus": 0})
    assert answer.status == 200, answer
    assert answer.json["resources"]["cpus"] == 0


def test_a_limit_that_docker_cannot_take_away_is_409(api, by_hand):
    identity = by_hand.container("--memory", "64m", "--cpus", "0.5")
    before = resources(api, identity)
    for change in ({"memory_limit": 0}, {"cpus": 0}):
        answer = api.put(f"/containers/{identity}/resources", change)
        assert_error(answer, 409, "LIMIT_NOT_REMOVABLE")
    assert resources(api, identity) == before
    # Where there is none, there is nothing to take away.
    free = by_hand.container()
    answer = api.put(f"/containers/{free}/resources", {
        "memory_limit": 0, "memory_swap": 0, "cpus": 0, "cpu_shares": 0,
        "restart_policy": "no",
    })
    assert answer.status == 200, answer


@pytest.mark.parametrize("field, value", [
    ("memory_limit", 6 * MIB - 1), ("memory_limit", -1),
    ("memory_limit", "64m"), ("memory_limit", 2**60),
    ("memory_limit", 1.5), ("memory_swap", -2), ("memory_swap", 1),
    ("cpus", -0.5), ("cpus", 0.001), ("cpus", 4096), ("cpus", "1"),
    ("cpu_shares", 1), ("cpu_shares", 262145), ("cpu_shares", -1),
    ("restart_policy", "sometimes"), ("restart_policy", 1),
])
def test_a_limit_out_of_range_is_400(api, by_hand, field, value):
    identity = by_hand.container()
    answer = api.put(f"/containers/{identity}/resources", {field: value})
    assert_error(answer, 400, "INVALID_REQUEST", field)


def test_swap_is_not_less_than_memory(api, by_hand):
    identity = by_hand.container("--memory", "64m")
    for change in (
        {"memory_limit": 64 * MIB, "memory_swap": 32 * MIB},
        {"memory_swap": 32 * MIB},
    ):
        answer = api.put(f"/containers/{identity}/resources", change)
        assert_error(answer, 400, "INVALID_REQUEST", "memory_swap")


def test_a_hundred_starts_and_stops_are_seen_at_once(
    api, by_hand, engine, deployments
):
    made = [by_hand.container(start=False) for _ in range(10)]
    wrong = []

    def change(identity, verb, after):
        answer = api.post(f"/containers/{identity}/{verb}")
        # Of many clients at once, not all may wait for the end.
        if answer.status == 202:
            job = deployments.job(answer.json["job_id"])
            assert job["status"] == "succeeded", job
        else:
            assert answer.status == 200, answer
        assert state(api, identity) == after

    def toggle(identity):
        try:
            for _ in range(5):
                change(identity, "start", "running")
                change(identity, "stop", "exited")
        except AssertionError as failure:
            wrong.append(failure)

    threads = [threading.Thread(target=toggle, args=(one,)) for one in made]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong, wrong
    listed = {
        one["id"]: one["state"]
        for one in api.get("/containers").json["containers"]
    }
    for one in engine.containers():
        assert listed[one["Id"][:12]] == one["State"]
