"""The agent, the Engine or a registry ends in the middle of things."""

import os
import threading
import time

import pytest

from clients import assert_error, wait_until
from engine import Registry


@pytest.fixture
def under_way(api, engine, slow_registry):
    """The id of a pull of a large image that has begun to come."""
    engine.run("rmi", "-f", slow_registry.image, check=False)
    answer = api.post(
        "/images/pull", {"name": slow_registry.image},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202, answer
    job_id = answer.json["job_id"]
    wait_until(
        lambda: (api.get(f"/jobs/{job_id}").json.get("progress") or {}).get(
            "current_bytes"),
        10, what="progress",
    )
    yield job_id
    engine.run("rmi", "-f", slow_registry.image, check=False)


def assert_pulls(api, slow_registry):
    answer = api.post("/images/pull", {"name": slow_registry.image})
    assert answer.status == 200, answer


def ended(api, job_id):
    answer = api.get(f"/jobs/{job_id}?wait=20")
    assert answer.json["status"] == "failed", answer
    return answer.json


def test_an_agent_killed_in_a_pull_ends_it(
        api, service, engine, slow_registry, under_way):
    service.kill_agent()
    service.start_agent()
    service.wait_until_ready()
    assert ended(api, under_way)["error_code"] == "JOB_INTERRUPTED"
    # Longer than the rest of it would have taken.
    time.sleep(slow_registry.SECONDS)
    assert engine.api(f"/images/{slow_registry.image}/json") is None
    assert_pulls(api, slow_registry)


def test_an_engine_killed_in_a_pull_fails_it(
        api, service, engine, slow_registry, under_way):
    engine.kill()
    try:
        job = ended(api, under_way)
        assert job["error_code"] in ("DOCKER_UNAVAILABLE", "DOCKER_ERROR"), job
        answer = api.post("/images/pull", {"name": slow_registry.image})
        assert_error(answer, 503, "DOCKER_UNAVAILABLE")
        assert answer.seconds < 2
        answer = api.delete("/images/test%2Fweb:1")
        assert_error(answer, 503, "DOCKER_UNAVAILABLE")
        answer = api.post("/images/cleanup", {"dry_run": True})
        assert_error(answer, 503, "DOCKER_UNAVAILABLE")
        # What Docker has no part in goes on.
        assert api.get("/registries").status == 200
        assert api.get("/credentials").status == 200
    finally:
        engine.start()
    service.wait_until_ready()
    assert_pulls(api, slow_registry)


def test_a_registry_that_went_away_leaves_containers_alone(
        api, engine, registry, running):
    before = engine.states(running)
    registry.stop()
    try:
        answer = api.post("/images/pull", {"name": registry.image})
        assert_error(answer, 503, "REGISTRY_UNAVAILABLE")
        assert engine.states(running) == before
    finally:
        registry.start()
    answer = api.post("/images/pull", {"name": registry.image})
    assert answer.status == 200, answer
    engine.run("rmi", registry.image)


@pytest.mark.parametrize("delay", [0.001, 0.004, 0.008, 0.012, 0.02, 0.04])
def test_an_agent_killed_in_a_change_leaves_user_and_password_as_one(
        api, service, delay):
    answer = api.post("/credentials", {
        "name": f"torn {delay}", "registry_type_slug": "ghcr",
        "username": "user0", "password": "password0",
    })
    assert answer.status == 201, answer
    identity = answer.json["credential"]["id"]

    def change():
        for number in range(1, 200):
            answer = api.put(f"/credentials/{identity}", {
                "username": f"user{number}", "password": f"password{number}",
            })
            if answer.status != 200:
                break

    thread = threading.Thread(target=change)
    thread.start()
    time.sleep(0.1 + delay)
    service.kill_agent()
    thread.join(30)
    assert not thread.is_alive()
    service.start_agent()
    service.wait_until_ready()
    with service.database() as database:
        username, secret = database.execute(
            "SELECT username, secret FROM credentials WHERE id = ?",
            (identity,),
        ).fetchone()
    directory = service.path("state", "secrets", "credentials")
    mine = [one for one in os.listdir(directory) if one.startswith(identity)]
    assert mine == [f"{identity}-{secret}"]
    with open(os.path.join(directory, mine[0])) as content:
        assert content.read() == username.replace("user", "password")
    assert username != "user0", "it was killed before anything was changed"
    assert api.delete(f"/credentials/{identity}").status == 200


def test_a_credential_deleted_twice_at_once_is_gone(api, private_registry):
    answer = api.post("/credentials", {
        "name": "deleted twice", "registry_type_slug": "generic",
        "registry_url": private_registry.host, "username": Registry.USER,
        "password": private_registry.password,
    })
    path = f"/credentials/{answer.json['credential']['id']}"
    statuses = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(api.delete(path).status))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 404, 409}, statuses
