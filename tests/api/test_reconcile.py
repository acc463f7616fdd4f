"""What people do by hand, behind the service's back: shown, never a 500."""

import os
import shutil

import pytest

from clients import assert_error, wait_until
from conftest import one_service

ACTIONS = [
    ("POST", "start"), ("POST", "stop"), ("POST", "restart"),
    ("POST", "rebuild"), ("POST", "deploy"), ("POST", "pull"),
    ("POST", "images/cleanup"), ("POST", "actions/hello"),
    ("POST", "services/app/start"), ("POST", "services/app/stop"),
    ("POST", "services/app/restart"), ("POST", "services/app/rebuild"),
    ("POST", "services/app/pull"), ("GET", "services"), ("GET", "images"),
    ("GET", "compose"), ("GET", "stats"), ("GET", "revisions"),
]


@pytest.fixture
def name(deployments):
    return deployments.create(
        "services:\n"
        "  app:\n    image: test/web:1\n    stop_grace_period: 1s\n"
        "  side:\n    image: test/web:1\n    stop_grace_period: 1s\n",
        start=True,
    )


def container(engine, name, service="app"):
    return next(
        one for one in engine.containers(name)
        if one["Labels"]["com.docker.compose.service"] == service
    )


def services(api, name):
    answer = api.get(f"/deployments/{name}/services")
    assert answer.status == 200, answer
    return {one["name"]: one for one in answer.json["services"]}


def listed(api):
    return [one["name"] for one in api.get("/deployments").json["deployments"]]


def test_a_directory_removed_while_it_runs(api, deployments, engine, name):
    shutil.rmtree(deployments.directory(name))
    # At once: before anybody can have noticed, and afterwards.
    for method, path in ACTIONS + [("DELETE", ""), ("GET", "")]:
        answer = api.request(
            method, f"/deployments/{name}/{path}".rstrip("/"),
            {} if method == "POST" else None,
        )
        if answer.status == 200 and method == "GET":
            continue
        assert_error(answer, 404)
    wait_until(lambda: name not in listed(api), 5)
    for method, path in ACTIONS:
        answer = api.request(
            method, f"/deployments/{name}/{path}",
            {} if method == "POST" else None,
        )
        assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")
    # The containers are still there, and can be dealt with.
    running = container(engine, name)["Id"]
    answer = api.get(f"/containers/{running}")
    assert answer.status == 200 and answer.json["data"]["state"] == "running"
    # And a directory of that name is what runs.
    os.mkdir(deployments.directory(name))
    with open(os.path.join(deployments.directory(name), "compose.yml"),
              "w") as out:
        out.write(one_service())
    wait_until(lambda: name in listed(api), 5)
    assert services(api, name)["app"]["container_id"] == running[:12]


def test_a_directory_removed_in_the_middle_of_a_change(
        api, deployments, engine):
    name = deployments.create(
        one_service("test/stubborn:1", stop_grace_period="3s"), start=True
    )
    answer = api.post(f"/deployments/{name}/stop",
                      headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer
    shutil.rmtree(deployments.directory(name))
    job = deployments.job(answer.json["job_id"])
    assert job["status"] in ("succeeded", "failed")
    assert job.get("error_code") != "INTERNAL", job
    wait_until(lambda: name not in listed(api), 5)


def test_a_container_renamed_by_hand(api, engine, name):
    identity = container(engine, name)["Id"]
    engine.run("rename", identity, f"{name}-by-hand")
    wait_until(
        lambda: services(api, name)["app"]["container_name"] ==
        f"{name}-by-hand", 5,
    )
    assert services(api, name)["app"]["status"] == "running"
    for path in ("services/app/restart", "services/app/stop",
                 "services/app/start", "restart", "stop", "start"):
        answer = api.post(f"/deployments/{name}/{path}")
        assert answer.status == 200, (path, answer)
    assert services(api, name)["app"]["container_id"] == identity[:12]


def test_a_container_removed_by_hand(api, engine, name):
    before = container(engine, name, "side")["Id"]
    engine.run("rm", "-f", container(engine, name)["Id"])
    wait_until(lambda: services(api, name)["app"]["status"] == "stopped", 5)
    assert services(api, name)["app"]["container_id"] == ""
    assert services(api, name)["side"]["status"] == "running"
    answer = api.post(f"/deployments/{name}/services/app/stop")
    assert answer.status == 200, answer
    answer = api.post(f"/deployments/{name}/services/app/restart")
    assert answer.status == 200, answer
    assert services(api, name)["app"]["status"] == "running"
    assert container(engine, name, "side")["Id"] == before


def test_all_containers_removed_in_the_middle_of_a_stop(
        api, deployments, engine):
    name = deployments.create(
        one_service("test/stubborn:1", stop_grace_period="3s"), start=True
    )
    identity = container(engine, name)["Id"]
    answer = api.post(f"/deployments/{name}/stop",
                      headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer
    engine.run("rm", "-f", identity)
    job = deployments.job(answer.json["job_id"])
    assert job.get("error_code") != "INTERNAL", job
    wait_until(lambda: services(api, name)["app"]["status"] == "stopped", 10)
    assert api.post(f"/deployments/{name}/start").status == 200


def test_a_network_removed_by_hand(api, engine, name):
    assert api.post(f"/deployments/{name}/stop").status == 200
    engine.run("network", "rm", f"{name}_default")
    answer = api.post(f"/deployments/{name}/start")
    if answer.status != 200:
        # What Compose makes of it; anew it works.
        assert answer.status in (409, 502), answer
        answer = api.post(
            f"/deployments/{name}/start", {"force_recreate": True}
        )
        assert answer.status == 200, answer
    assert engine.states(name) == ["running", "running"]


def test_a_project_renamed_in_the_file(api, deployments, engine, name):
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path) as compose:
        text = compose.read()
    with open(path, "w") as compose:
        compose.write(f"name: flatrun-{name}\n" + text)
    # The containers of the old name are none of it any more.
    wait_until(lambda: services(api, name)["app"]["status"] == "stopped", 5)
    assert engine.states(name) == ["running", "running"]
    answer = api.post(f"/deployments/{name}/start")
    assert answer.status == 409, answer
    assert answer.json["code"] == "NAME_IN_USE"
    for path_of in ("stop", "restart", "services/app/restart"):
        answer = api.post(f"/deployments/{name}/{path_of}")
        assert answer.status in (200, 404, 409), (path_of, answer)
    for one in engine.containers(f"flatrun-{name}"):
        engine.run("rm", "-f", one["Id"])
    # Back under its name it is what runs.
    with open(path, "w") as compose:
        compose.write(text)
    wait_until(lambda: services(api, name)["app"]["status"] == "running", 5)
    assert api.post(f"/deployments/{name}/start").status == 200


def test_a_service_renamed_in_the_file(api, deployments, engine, name):
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path) as compose:
        text = compose.read()
    with open(path, "w") as compose:
        compose.write(text.replace("  side:", "  aside:"))
    wait_until(lambda: "aside" in services(api, name), 5)
    assert services(api, name)["aside"]["status"] == "stopped"
    answer = api.post(f"/deployments/{name}/start")
    # Containers have names in the file, of which one is taken until the
    # service that is no more has gone.
    assert answer.status in (200, 409), answer
    assert services(api, name)["app"]["status"] == "running"


def test_a_second_look_finds_the_same(api, service, name):
    def found():
        return [
            one for one in api.get("/deployments").json["deployments"]
            if one["name"] == name
        ]

    before = found()
    assert before
    service.restart_agent()
    assert found() == before
