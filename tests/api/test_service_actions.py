"""One service of a deployment: the others go on as they are."""

import os

import pytest

from clients import assert_error, wait_until
from conftest import one_service

THREE = """\
services:
  app:
    image: test/web:1
    ports: ["80"]
    stop_grace_period: 1s
    depends_on: [side]
  side:
    image: test/web:1
    stop_grace_period: 1s
  built:
    build: ./built
    stop_grace_period: 1s
"""


def write(deployments, name, path, text):
    path = os.path.join(deployments.directory(name), path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(text)


@pytest.fixture
def three(deployments):
    """Three services, of which the last is built in the directory."""
    name = deployments.create(THREE)
    write(deployments, name, "built/Dockerfile",
          "FROM test/web:1\nLABEL build=1\n")
    yield name


@pytest.fixture
def running_three(api, three):
    answer = api.post(f"/deployments/{three}/start")
    assert answer.status == 200, answer
    return three


def act(api, name, service, action, content=None, **options):
    return api.post(
        f"/deployments/{name}/services/{service}/{action}", content, **options
    )


def services(api, name):
    answer = api.get(f"/deployments/{name}/services")
    assert answer.status == 200, answer
    return {one["name"]: one for one in answer.json["services"]}


def by_service(engine, name):
    return {
        one["Labels"]["com.docker.compose.service"]: one
        for one in engine.containers(name)
    }


def started_at(engine, name):
    return {
        service: engine.api(f"/containers/{one['Id']}/json")["State"][
            "StartedAt"]
        for service, one in by_service(engine, name).items()
    }


def without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


def test_the_services_are_those_of_the_deployment(api, running_three, engine):
    answer = api.get(f"/deployments/{running_three}/services")
    assert answer.status == 200, answer
    whole = api.get(f"/deployments/{running_three}").json["deployment"]
    assert answer.json["services"] == whole["services"]
    found = services(api, running_three)
    assert list(found) == ["app", "side", "built"]
    app = found["app"]
    assert app["is_primary"] is True and app["status"] == "running"
    assert app["image"] == "test/web:1"
    identity = by_service(engine, running_three)["app"]["Id"]
    assert app["container_id"] == identity[:12]
    assert not found["side"]["is_primary"]


def test_the_images_say_what_is_built_and_what_moves(
        api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  a: {image: test/web:1}\n"
        "  b: {image: 'test/web:latest'}\n"
        "  c: {image: nowhere/at-all}\n"
        "  d: {build: .}\n"
        f"  e: {{image: 'test/web@sha256:{'0' * 64}'}}\n"
    )
    answer = api.get(f"/deployments/{name}/images")
    assert answer.status == 200, answer
    images = {one["service"]: one for one in answer.json["images"]}
    assert [images[one]["is_latest"] for one in "abcde"] == [
        False, True, True, False, False,
    ]
    assert [images[one]["is_build"] for one in "abcde"] == [
        False, False, False, True, False,
    ]
    found = engine.api("/images/test/web:1/json")
    assert images["a"]["image_id"] == found["Id"]
    assert images["a"]["size"] > 0
    assert "image_id" not in images["c"]


def test_stop_start_and_restart_touch_one_service(
        api, running_three, engine):
    name = running_three
    before = started_at(engine, name)
    answer = act(api, name, "side", "stop")
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Service stopped"
    assert body["name"] == body["deployment"] == name
    assert body["service"] == "side" and body["action"] == "stop"
    assert isinstance(body["output"], str) and body["job_id"]
    found = services(api, name)
    assert found["side"]["status"] == "exited"
    assert found["app"]["status"] == found["built"]["status"] == "running"
    answer = act(api, name, "side", "start")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Service started"
    assert services(api, name)["side"]["status"] == "running"
    answer = act(api, name, "side", "restart")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Service restarted"
    after = started_at(engine, name)
    assert after["side"] != before["side"]
    assert without(after, "side") == without(before, "side")


def test_what_depends_on_a_service_is_not_restarted_with_it(
        api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  db: {image: test/web:1, stop_grace_period: 1s}\n"
        "  app:\n"
        "    image: test/web:1\n"
        "    depends_on: {db: {condition: service_started, restart: true}}\n",
        start=True,
    )
    before = started_at(engine, name)
    answer = act(api, name, "db", "restart")
    assert answer.status == 200, answer
    after = started_at(engine, name)
    assert after["db"] != before["db"] and after["app"] == before["app"]


def test_start_of_one_service_starts_no_other(api, three, engine):
    answer = act(api, three, "app", "start")
    assert answer.status == 200, answer
    assert set(by_service(engine, three)) == {"app"}
    assert services(api, three)["side"]["status"] == "stopped"


def test_each_compose_program_starts_restarts_and_stops_one_service(
        api, compose_program, deployments, engine):
    name = deployments.create(THREE)
    write(deployments, name, "built/Dockerfile", "FROM test/web:1\n")
    for action, state in (("rebuild", "running"), ("restart", "running"),
                          ("pull", "running"), ("stop", "exited"),
                          ("start", "running")):
        answer = act(api, name, "built", action)
        assert answer.status == 200, answer
        assert engine.states(name) == [state], action


def test_rebuild_takes_what_the_directory_now_has(
        api, running_three, deployments, engine):
    name = running_three
    before = by_service(engine, name)
    write(deployments, name, "built/Dockerfile",
          "FROM test/web:1\nLABEL build=2\n")
    answer = act(api, name, "built", "rebuild", {"no_cache": True})
    assert answer.status == 200, answer
    assert answer.json["message"] == "Service rebuilt"
    after = by_service(engine, name)
    assert after["built"]["Labels"]["build"] == "2"
    assert after["app"]["Id"] == before["app"]["Id"]
    assert after["side"]["Id"] == before["side"]["Id"]


def test_force_recreate_makes_a_new_container_of_that_service(
        api, running_three, engine):
    before = by_service(engine, running_three)
    answer = act(
        api, running_three, "side", "start", {"force_recreate": True}
    )
    assert answer.status == 200, answer
    after = by_service(engine, running_three)
    assert after["side"]["Id"] != before["side"]["Id"]
    assert after["app"]["Id"] == before["app"]["Id"]


def test_a_pull_touches_no_container(api, deployments, engine, registry):
    engine.run("rmi", "-f", registry.image, check=False)
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1, stop_grace_period: 1s}\n"
        f"  far: {{image: '{registry.image}'}}\n"
    )
    assert act(api, name, "app", "start").status == 200
    before = started_at(engine, name)
    answer = act(api, name, "far", "pull")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Image pulled"
    assert started_at(engine, name) == before
    images = api.get(f"/deployments/{name}/images").json["images"]
    assert [bool(one.get("image_id")) for one in images] == [True, True]


def test_a_pull_from_a_registry_that_is_down_fails_and_nothing_stops(
        api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1, stop_grace_period: 1s}\n"
        "  far: {image: '127.0.0.1:1/team/web:1'}\n"
    )
    assert act(api, name, "app", "start").status == 200
    answer = act(api, name, "far", "pull")
    body = assert_error(answer, 502, "REGISTRY_UNAVAILABLE")
    assert body["service"] == "far" and "output" in body
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize(
    "action", ["start", "stop", "restart", "rebuild", "pull"]
)
def test_a_service_that_is_not_there_is_404(api, running, action):
    answer = act(api, running, "nobody", action)
    assert_error(answer, 404, "SERVICE_NOT_FOUND")
    answer = act(api, "no-such-deployment", "app", action)
    assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")
    assert_error(act(api, running, "No-Name", action), 400, "INVALID_NAME")
    assert_error(
        act(api, running, "--help", action), 400, "INVALID_NAME", "service"
    )


def test_what_the_file_has_no_more_can_be_stopped_only(
        api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1}\n"
        "  old: {image: test/web:1, stop_grace_period: 1s}\n",
        start=True,
    )
    write(deployments, name, "docker-compose.yml", one_service())
    assert_error(act(api, name, "old", "restart"), 409, "SERVICE_REMOVED")
    answer = act(api, name, "old", "stop")
    assert answer.status == 200, answer
    assert engine.states(name) == ["exited", "running"]


def test_a_service_of_a_file_that_cannot_run_can_be_stopped(
        api, deployments, engine):
    name = deployments.create(
        one_service(stop_grace_period="1s"), start=True
    )
    write(deployments, name, "docker-compose.yml", "services: [\n")
    wait_until(
        lambda: api.get(f"/deployments/{name}").json["deployment"].get(
            "problem"), 10,
    )
    assert_error(act(api, name, "app", "start"), 400, "INVALID_COMPOSE")
    answer = act(api, name, "app", "stop")
    assert answer.status == 200, answer
    assert engine.states(name) == ["exited"]


def test_a_job_of_a_service_is_polled(api, running, engine):
    answer = act(api, running, "app", "job", {"action": "restart"})
    assert answer.status == 202, answer
    body = answer.json
    assert body["status"] in ("pending", "running")
    assert body["action"] == "restart" and body["deployment"] == running
    job = wait_until(
        lambda: (lambda one: one if one["status"] == "succeeded" else None)(
            api.get(
                f"/deployments/{running}/jobs/{body['job_id']}"
            ).json["data"]
        ), 30, what="the end of the job",
    )
    assert job["action"] == "restart" and job["service"] == "app"
    assert isinstance(job["lines"], list)
    assert_error(
        api.get(f"/deployments/{running}/jobs/active"), 404, "JOB_NOT_FOUND"
    )


def test_a_job_of_a_service_needs_an_action(api, running):
    for content in ({}, {"action": None}, {"action": "explode"},
                    {"action": ["start"]}):
        answer = act(api, running, "app", "job", content)
        assert_error(answer, 400, field="action")


def test_a_job_of_a_service_may_be_waited_for(api, running):
    answer = act(api, running, "app", "job", {"action": "start"},
                 headers={"Prefer": "wait=30"})
    assert answer.status == 200, answer
    assert answer.json["status"] == "succeeded"


def test_two_changes_of_one_deployment_exclude_each_other(
        api, deployments):
    name = deployments.create(
        one_service("test/stubborn:1", stop_grace_period="4s"), start=True
    )
    first = act(api, name, "app", "job", {"action": "stop"})
    assert first.status == 202, first
    answer = act(api, name, "app", "restart")
    body = assert_error(answer, 409, "DEPLOYMENT_BUSY")
    assert body["active_job_id"] == first.json["job_id"]
    active = api.get(f"/deployments/{name}/jobs/active")
    assert active.status == 200, active
    assert active.json["data"]["id"] == first.json["job_id"]


def test_viewers_look_and_operators_act(viewer, operator, running):
    assert viewer.get(f"/deployments/{running}/services").status == 200
    assert viewer.get(f"/deployments/{running}/images").status == 200
    assert_error(act(viewer, running, "app", "stop"), 403)
    assert act(operator, running, "app", "start").status == 200
