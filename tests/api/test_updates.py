"""Safe updates: what comes is healthy, or what was is back."""

import contextlib
import http.client
import threading
import time

import pytest

from clients import Client, assert_error, wait_until
from conftest import Deployments, one_service
from engine import free_port

QUICK = {"settle_seconds": 1}


def web(port, image="test/web:1", more=""):
    """A site that answers on a port of the host, and a service beside it."""
    return (
        "services:\n"
        "  app:\n"
        f"    image: {image}\n"
        f"    ports: ['127.0.0.1:{port}:80']\n"
        "    stop_grace_period: 1s\n"
        f"{more}"
        "  side: {image: test/web:1, stop_grace_period: 1s}\n"
    )


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


class Watcher:
    """Asks a site all the time; knows how long it was gone at a stretch."""

    def __init__(self, port):
        self.port = port
        self.longest = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        last = time.monotonic()
        while not self.ended.is_set():
            if answers(self.port):
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
            time.sleep(0.01)
        self.longest = max(self.longest, time.monotonic() - last)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.thread.join()


def identities(engine, name):
    """Service: the id of its container."""
    return {
        one["Labels"]["com.docker.compose.service"]: one["Id"]
        for one in engine.containers(name)
    }


def image_of(engine, name, service="app"):
    return [
        one["ImageID"] for one in engine.containers(name)
        if one["Labels"]["com.docker.compose.service"] == service
    ][0]


def update(api, name, compose, **more):
    return api.put(f"/deployments/{name}", {
        "compose_content": compose, "apply": True, **QUICK, **more,
    })


def revisions(api, name):
    answer = api.get(f"/deployments/{name}/revisions")
    assert answer.status == 200, answer
    return answer.json["data"]


def current(api, name):
    found = [one for one in revisions(api, name) if one["current"]]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def site(deployments):
    """(name, port) of a site that runs."""
    port = free_port()
    name = deployments.create(web(port), start=True)
    wait_until(lambda: answers(port), 5)
    return name, port


@pytest.fixture(scope="module")
def steady(service):
    """The same for all tests after which it is what it was."""
    api = Client(service, service.admin_key, "127.0.0.4")
    deployments = Deployments(api, service)
    port = free_port()
    name = deployments.create(web(port), start=True)
    wait_until(lambda: answers(port), 5)
    yield name, port
    deployments.remove_all()


def assert_rolled_back(answer, code):
    body = assert_error(answer, 502, "ROLLED_BACK")
    assert body["outcome"] == "rolled_back", answer
    assert body["applied"] is False and body["needs_apply"] is False
    assert body["cause"]["code"] == code, answer
    assert body["restored_revision"] < body["revision"]
    return body["cause"]


# What goes well


def test_only_the_changed_service_is_touched(api, site, engine):
    name, port = site
    before = identities(engine, name)
    answer = update(api, name, web(port, "test/web:2"), reason="newer")
    assert answer.status == 200, answer
    assert answer.json["outcome"] == "applied"
    assert answer.json["applied"] is True
    after = identities(engine, name)
    assert after["side"] == before["side"]
    assert after["app"] != before["app"]
    assert answers(port)
    newest = revisions(api, name)[0]
    assert newest["state"] == "applied" and newest["current"]
    assert newest["reason"] == "newer"
    assert {one["service"] for one in newest["images"]} == {"app", "side"}
    assert image_of(engine, name) in [
        one["image_id"] for one in newest["images"]]


# What does not


@contextlib.contextmanager
def unharmed(api, engine, site, gone=8.0):
    """The old version serves again afterwards, and nothing else changed."""
    name, port = site
    before = identities(engine, name)
    compose = api.get(f"/deployments/{name}/compose").json["content"]
    with Watcher(port) as watcher:
        yield
        wait_until(lambda: answers(port), 5)
    assert watcher.longest < gone, watcher.longest
    after = identities(engine, name)
    assert after.keys() == before.keys()
    assert after["side"] == before["side"]
    assert engine.states(name) == ["running", "running"]
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert content == compose
    assert current(api, name)["state"] == "applied"
    assert api.get(f"/deployments/{name}/jobs/active").status == 404


def test_an_image_that_ends_at_once_is_taken_back(api, steady, engine):
    name, port = steady
    with unharmed(api, engine, steady, gone=4.0):
        answer = update(api, name, web(port, "test/quitter:1"))
    cause = assert_rolled_back(answer, "CONTAINER_EXITED")
    assert cause["service"] == "app"
    assert cause["exit_code"] == 3
    assert cause["oom_killed"] is False
    assert "leaving" in cause["log_tail"]
    assert revisions(api, name)[0]["state"] == "failed"


def test_an_image_that_is_started_again_and_again_is_taken_back(
        api, steady, engine):
    name, port = steady
    with unharmed(api, engine, steady):
        answer = update(api, name, web(
            port, "test/quitter:1", "    restart: always\n"))
    cause = assert_rolled_back(answer, "CONTAINER_RESTARTING")
    assert cause["exit_code"] == 3 and cause["restart_count"] > 2


def test_an_image_that_gets_unhealthy_is_taken_back(api, steady, engine):
    name, port = steady
    with unharmed(api, engine, steady):
        answer = update(api, name, web(port, "test/sick:1", (
            "    healthcheck:\n"
            "      test: ['CMD-SHELL', 'echo is ill; false']\n"
            "      interval: 1s\n"
            "      retries: 1\n"
        )))
    cause = assert_rolled_back(answer, "CONTAINER_UNHEALTHY")
    assert cause["service"] == "app"
    assert "is ill" in cause["health_output"]


def test_an_image_that_never_gets_healthy_is_taken_back_in_time(
        api, steady, engine):
    name, port = steady
    with unharmed(api, engine, steady):
        answer = update(api, name, web(port, "test/web:2", (
            "    healthcheck:\n"
            "      test: ['CMD', 'false']\n"
            "      interval: 1s\n"
            "      retries: 1000\n"
        )), timeout_seconds=3)
    cause = assert_rolled_back(answer, "NOT_HEALTHY_IN_TIME")
    assert cause["service"] == "app"


def test_a_tag_that_does_not_exist_touches_nothing(
        api, steady, engine, registry):
    name, port = steady
    before = identities(engine, name)
    with unharmed(api, engine, steady, gone=1.0):
        answer = update(api, name, web(port, f"{registry.host}/team/web:none"))
    body = assert_error(answer, 502, "IMAGE_NOT_FOUND")
    assert body["outcome"] == "refused"
    assert identities(engine, name) == before


def test_a_port_that_is_in_use_touches_nothing(api, steady, engine, service):
    name, port = steady
    before = identities(engine, name)
    with unharmed(api, engine, steady, gone=1.0):
        answer = update(api, name, web(service.port))
    body = assert_error(answer, 409, "PORT_IN_USE")
    assert body["outcome"] == "refused"
    assert identities(engine, name) == before


def test_a_service_that_uses_too_much_memory_is_taken_back(
        api, steady, engine):
    name, port = steady
    with unharmed(api, engine, steady):
        answer = update(api, name, web(port, "test/web:2", (
            "    mem_limit: 16m\n"
            "    memswap_limit: 16m\n"
            "    command: ['tail', '/dev/zero']\n"
        )))
    cause = assert_rolled_back(answer, "OOM_KILLED")
    assert cause["oom_killed"] is True
    assert cause["exit_code"] == 137


def test_a_probe_decides_what_counts(api, site, engine):
    name, port = site
    with unharmed(api, engine, site):
        answer = update(
            api, name, web(port, "test/web:2"), timeout_seconds=3,
            probe={"path": "/missing", "service": "app"},
        )
    cause = assert_rolled_back(answer, "PROBE_FAILED")
    assert cause["service"] == "app" and "404" in cause["message"]
    answer = update(
        api, name, web(port, "test/web:2"),
        probe={"path": "/index.html", "port": 80, "expect_status": 200},
    )
    assert answer.status == 200, answer


def test_a_cancelled_update_is_taken_back(api, steady, engine, deployments):
    name, port = steady
    with unharmed(api, engine, steady):
        answer = api.put(f"/deployments/{name}", {
            "compose_content": web(port, "test/web:2"), "apply": True,
            "settle_seconds": 60,
        }, headers={"Prefer": "respond-async"})
        assert answer.status == 202, answer
        job_id = answer.json["job_id"]
        wait_until(
            lambda: api.get(f"/jobs/{job_id}").json["data"].get(
                "progress", {}).get("phase") == "waiting", 20,
        )
        answer = api.delete(f"/jobs/{job_id}")
        assert answer.status in (200, 202), answer
        job = deployments.job(job_id)
    assert job["error_code"] == "JOB_CANCELLED"
    assert job["result"]["outcome"] == "rolled_back"
    assert job["result"]["cause"]["code"] == "JOB_CANCELLED"


def test_of_two_updates_at_once_one_is_refused(api, site, engine):
    name, port = site
    results = []
    threads = [
        threading.Thread(target=lambda image=image: results.append(
            update(api, name, web(port, image))))
        for image in ("test/web:2", "test/web:1")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in results) == [200, 409], results
    loser = [one for one in results if one.status == 409][0]
    assert_error(loser, 409, "DEPLOYMENT_BUSY")
    assert answers(port)


def test_a_name_that_stands_for_another_image_is_taken_back(
        compose_program, api, deployments, engine):
    port = free_port()
    engine.run("tag", "test/web:1", "test/moved:latest")
    compose = web(port, "test/moved:latest")
    name = deployments.create(compose, start=True)
    wait_until(lambda: answers(port), 10)
    old = image_of(engine, name)
    engine.run("tag", "test/quitter:1", "test/moved:latest")
    try:
        with unharmed(api, engine, (name, port), gone=15):
            answer = update(api, name, compose)
        assert_rolled_back(answer, "CONTAINER_EXITED")
        assert image_of(engine, name) == old
        now = engine.api("/images/test/moved:latest/json")["Id"]
        assert now == old
    finally:
        engine.run("rmi", "-f", "test/moved:latest", check=False)


def test_a_first_start_that_fails_leaves_nothing(api, deployments, engine):
    name = deployments.create(one_service("test/web:1"))
    answer = update(api, name, one_service("test/quitter:1"))
    assert_rolled_back(answer, "CONTAINER_EXITED")
    assert engine.containers(name) == []
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "test/web:1" in content
    networks = [one["Name"] for one in engine.api("/networks")]
    assert not [one for one in networks if one.startswith(f"{name}_")]


def test_a_stopped_deployment_stays_stopped_after_a_failure(
        api, deployments, engine):
    name = deployments.create(one_service(), start=True)
    old = image_of(engine, name)
    assert api.post(f"/deployments/{name}/stop").status == 200
    answer = update(api, name, one_service("test/quitter:1"))
    assert_rolled_back(answer, "CONTAINER_EXITED")
    assert "running" not in engine.states(name)
    assert image_of(engine, name) == old
    assert deployments.status(name) == "stopped"


def test_one_that_ends_well_is_fine(api, site, engine):
    name, port = site
    answer = update(api, name, web(port) + (
        "  once: {image: test/web:1, command: ['true'], restart: 'no'}\n"))
    assert answer.status == 200, answer
    assert sorted(engine.states(name)) == ["exited", "running", "running"]


def test_what_was_broken_before_is_not_in_the_way(api, deployments, engine):
    def compose(image):
        return (
            "services:\n"
            f"  app: {{image: '{image}', stop_grace_period: 1s}}\n"
            "  bad: {image: 'test/quitter:1'}\n"
        )

    name = deployments.create(compose("test/web:1"), start=True)
    wait_until(lambda: engine.states(name) == ["exited", "running"], 5)
    answer = update(api, name, compose("test/web:2"))
    assert answer.status == 200, answer
    answer = update(api, name, compose("test/quitter:1"))
    cause = assert_rolled_back(answer, "CONTAINER_EXITED")
    assert cause["service"] == "app"
    assert image_of(engine, name) == engine.api(
        "/images/test/web:2/json")["Id"]


# What people do to the files by hand


def by_hand_edit(deployments, name, text):
    path = f"{deployments.directory(name)}/docker-compose.yml"
    with open(path, "w") as out:
        out.write(text)


def test_files_written_by_hand_become_a_revision(api, site, deployments):
    name, port = site
    by_hand_edit(deployments, name, web(port) + "# by hand\n")
    answer = update(api, name, web(port) + "# by the API\n")
    assert answer.status == 200, answer
    newest, found, first = revisions(api, name)[:3]
    assert found["reason"] == "found on disk"
    assert first["reason"] == "created" and first["state"] == "applied"
    assert newest["number"] == found["number"] + 1
    one = api.get(f"/deployments/{name}/revisions/{found['number']}").json
    assert "# by hand" in one["data"]["compose_content"]


def test_what_never_ran_is_not_gone_back_to(api, site, engine, deployments):
    name, port = site
    old = image_of(engine, name)
    answer = api.put(f"/deployments/{name}", {
        "compose_content": web(port, "test/quitter:1")})
    assert answer.json["outcome"] == "saved" and answer.json["needs_apply"]
    answer = update(api, name, web(port, "test/quitter:1") + "# again\n")
    body = assert_error(answer, 502, "ROLLED_BACK")
    assert body["restored_revision"] == 1
    assert image_of(engine, name) == old
    wait_until(lambda: answers(port), 5)


# Going back


def test_rollbacks_go_back_one_by_one(api, site, engine):
    name, port = site
    for number in (2, 3):
        answer = update(api, name, web(port, f"test/web:{number - 1}", (
            f"    environment: {{STEP: '{number}'}}\n")))
        assert answer.status == 200, answer
        assert answer.json["revision"] == number
    for step, restored in ((4, 2), (5, 1)):
        answer = api.post(f"/deployments/{name}/rollback", QUICK)
        assert answer.status == 200, answer
        assert answer.json["message"] == "Deployment rolled back"
        newest = revisions(api, name)[0]
        assert newest["number"] == step and newest["current"]
        assert newest["restores"] == restored
        assert newest["reason"] == f"rollback to revision {restored}"
    answer = api.post(f"/deployments/{name}/rollback", QUICK)
    assert_error(answer, 409, "NO_EARLIER_REVISION")
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "STEP" not in content
    assert answers(port)
    answer = api.post(
        f"/deployments/{name}/rollback",
        {"revision": 3, "reason": "forward", **QUICK},
    )
    assert answer.status == 200, answer
    assert "STEP: '3'" in api.get(
        f"/deployments/{name}/compose").json["content"]
    assert revisions(api, name)[0]["reason"] == "forward"


def test_a_rollback_to_what_does_not_work_is_taken_back_too(
        api, steady, engine):
    name, port = steady
    answer = update(api, name, web(port, "test/quitter:1"))
    broken = answer.json["revision"]
    with unharmed(api, engine, steady):
        answer = api.post(
            f"/deployments/{name}/rollback", {"revision": broken, **QUICK})
    assert_rolled_back(answer, "CONTAINER_EXITED")


def test_an_image_that_is_gone_is_pulled_by_its_digest(
        api, deployments, engine, registry):
    port = free_port()
    name_of_image = f"{registry.host}/team/kept:1"
    registry.push(name_of_image, "test/web:1")
    name = deployments.create(web(port, name_of_image), start=True)
    wait_until(lambda: answers(port), 10)
    old = image_of(engine, name)
    # The same name has another content now, and nothing here the old one.
    registry.push(name_of_image + "-next", "test/web:2")
    identity = engine.run(
        "create", "--label", "x=1", "test/web:2").strip()
    engine.run("commit", identity, "test/unique:1")
    engine.run("rm", identity)
    registry.push(f"{registry.host}/team/unique:1", "test/unique:1")
    answer = update(api, name, web(port, "test/unique:1"))
    assert answer.status == 200, answer
    engine.run("rmi", name_of_image)
    answer = api.post(f"/deployments/{name}/rollback", QUICK)
    assert answer.status == 200, answer
    assert image_of(engine, name) == old
    assert engine.api(f"/images/{name_of_image}/json")["Id"] == old


@pytest.mark.parametrize("body, status, field", [
    ({"revision": 0}, 400, "revision"),
    ({"revision": -1}, 400, "revision"),
    ({"revision": "1"}, 400, "revision"),
    ({"revision": 1.5}, 400, "revision"),
    ({"revision": 99}, 404, None),
    ({"settle_seconds": -1}, 400, "settle_seconds"),
    ({"timeout_seconds": 0}, 400, "timeout_seconds"),
    ({"reason": "two\nlines"}, 400, "reason"),
    ({"reason": 5}, 400, "reason"),
])
def test_bad_input_of_a_rollback(api, running, body, status, field):
    answer = api.post(f"/deployments/{running}/rollback", body)
    assert_error(answer, status, field=field)


@pytest.mark.parametrize("probe, field", [
    ({}, "path"),
    ({"path": "index.html"}, "path"),
    ({"path": "/a b"}, "path"),
    ({"path": "/\r\nX: y"}, "path"),
    ({"path": "/", "port": 0}, "port"),
    ({"path": "/", "port": 65536}, "port"),
    ({"path": "/", "service": "no such"}, "service"),
    ({"path": "/", "service": "other"}, "probe.service"),
    ({"path": "/", "expect_status": 99}, "expect_status"),
    ("/", "probe"),
])
def test_bad_probes_are_refused(api, running, engine, probe, field):
    answer = update(api, running, one_service("test/talker:1"), probe=probe)
    assert_error(answer, 400, field=field)


# Reading revisions


def test_a_revision_shows_what_changed_and_no_secret(
        api, viewer, deployments):
    name = deployments.create(
        one_service() + "# one\n",
        env_vars=[{"key": "PASSWORD", "value": "hunter2"}],
    )
    path = f"{deployments.directory(name)}/.env.flatrun"
    with open(path, "w") as out:
        out.write("PASSWORD=hunter3\nOTHER=x\n")
    answer = api.put(f"/deployments/{name}", {
        "compose_content": one_service() + "# two\n", "reason": "why not"})
    assert answer.status == 200, answer
    number = answer.json["revision"]
    answer = viewer.get(f"/deployments/{name}/revisions/{number - 1}")
    assert answer.status == 200, answer
    one = answer.json["data"]
    assert one["previous"] == number - 2
    assert "--- a/.env.flatrun" in one["diff"]
    assert "-PASSWORD=********\n" in one["diff"]
    assert "+PASSWORD=******** (changed)\n" in one["diff"]
    assert "+OTHER=********\n" in one["diff"]
    assert "hunter" not in answer.text
    answer = viewer.get(f"/deployments/{name}/revisions/{number}")
    one = answer.json["revision"]
    assert "-# one\n+# two\n" in one["diff"]
    assert one["reason"] == "why not" and one["current"] is True
    assert one["compose_content"].endswith("# two\n")
    assert one["metadata"]["name"] == name
    assert "hunter" not in answer.text
    listed = viewer.get(f"/deployments/{name}/revisions?limit=1&offset=1")
    assert [row["number"] for row in listed.json["revisions"]] == [number - 1]
    assert listed.json["total"] == number
    assert "compose_content" not in listed.json["revisions"][0]


@pytest.mark.parametrize("path, status", [
    ("/deployments/none-such/revisions", 404),
    ("/deployments/Bad%20Name/revisions", 400),
    ("/deployments/{}/revisions/99", 404),
    ("/deployments/{}/revisions/0", 400),
    ("/deployments/{}/revisions/x", 400),
    ("/deployments/{}/revisions/12345678901", 400),
    ("/deployments/{}/revisions?limit=0", 400),
    ("/deployments/{}/revisions?offset=-1", 400),
])
def test_revisions_that_are_not_there(api, running, path, status):
    assert_error(api.get(path.format(running)), status)


def test_only_operators_roll_back(viewer, operator, running):
    path = f"/deployments/{running}/rollback"
    assert_error(viewer.post(path, {}), 403)
    assert_error(operator.post(path, QUICK), 409, "NO_EARLIER_REVISION")


# Images of revisions


def test_a_cleanup_keeps_the_images_of_good_revisions(
        api, deployments, engine):
    images = []
    for number in range(5):
        identity = engine.run(
            "create", "--label", f"n={number}", "test/web:1").strip()
        engine.run("commit", identity, f"test/kept:{number}")
        engine.run("rm", identity)
        images.append(engine.api(f"/images/test/kept:{number}/json")["Id"])
    name = deployments.create(one_service("test/kept:0"), start=True)
    for number in range(1, 5):
        answer = update(
            api, name, one_service(f"test/kept:{number}"), settle_seconds=0)
        assert answer.status == 200, answer
    answer = api.post("/images/cleanup", {"all": True, "dry_run": True})
    assert answer.status == 200, answer
    removed = {one["id"] for one in answer.json["removed"]}
    assert set(images[:2]) <= removed
    assert not removed & set(images[2:])
    for number in range(4):
        engine.run("rmi", "-f", f"test/kept:{number}", check=False)
