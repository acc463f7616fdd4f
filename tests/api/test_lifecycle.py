"""Rebuild, deploy, pull and clean up: new images for a deployment."""

import os

import pytest

from clients import assert_error, wait_until
from conftest import one_service

QUICK = {"settle_seconds": 1, "timeout_seconds": 20}


def make_image(engine, registry, name, label="x"):
    """Pushes a new image under the name; the Engine forgets it."""
    engine.import_image(
        "test/made:1", f"LABEL version={label}",
        'CMD ["sh", "-c", "trap exit TERM; sleep 100000 & wait"]',
    )
    registry.push(name, "test/made:1")
    engine.run("rmi", "test/made:1")


@pytest.fixture
def repository(engine, registry, request):
    """A repository of the test's own in the registry."""
    name = f"{registry.host}/team/{request.node.name.split('[')[0].lower()}"
    name = name.replace("test_", "")
    yield name
    for image in engine.api("/images/json"):
        names = (image["RepoTags"] or []) + (image["RepoDigests"] or [])
        own = [one for one in names if one.startswith(name)]
        # What has another name is an image of all tests.
        if own and len(own) < len(names):
            engine.run("rmi", *own, check=False)
        elif own:
            engine.run("rmi", "-f", image["Id"], check=False)


def by_service(engine, name):
    return {
        one["Labels"]["com.docker.compose.service"]: one
        for one in engine.containers(name)
    }


def write(deployments, name, path, text):
    path = os.path.join(deployments.directory(name), path)
    with open(path, "w") as out:
        out.write(text)


def image_ids(engine, repository):
    return {
        one["Id"] for one in engine.api("/images/json")
        if any(known.startswith(repository) for known in
               (one["RepoTags"] or []) + (one["RepoDigests"] or []))
    }


# Rebuild


def test_rebuild_builds_again_and_serves_the_new_image(
        api, deployments, engine):
    name = deployments.create(
        "services:\n  app: {build: ., stop_grace_period: 1s}\n"
    )
    write(deployments, name, "Dockerfile", "FROM test/web:1\nLABEL build=1\n")
    answer = api.post(f"/deployments/{name}/rebuild", QUICK)
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Deployment rebuilt"
    assert body["name"] == name and body["action"] == "rebuild"
    assert body["outcome"] == "applied" and isinstance(body["output"], str)
    assert by_service(engine, name)["app"]["Labels"]["build"] == "1"
    write(deployments, name, "Dockerfile", "FROM test/web:1\nLABEL build=2\n")
    answer = api.post(f"/deployments/{name}/rebuild", QUICK)
    assert answer.status == 200, answer
    assert by_service(engine, name)["app"]["Labels"]["build"] == "2"


def test_a_rebuild_that_does_not_build_touches_nothing(
        api, deployments, engine):
    name = deployments.create(
        "services:\n  app: {build: ., stop_grace_period: 1s}\n"
    )
    write(deployments, name, "Dockerfile", "FROM test/web:1\n")
    assert api.post(f"/deployments/{name}/start").status == 200
    before = by_service(engine, name)["app"]["Id"]
    write(deployments, name, "Dockerfile", "FROM test/web:1\nRUN false\n")
    answer = api.post(f"/deployments/{name}/rebuild", QUICK)
    body = assert_error(answer, 502, "COMPOSE_FAILED")
    assert body["outcome"] == "refused"
    assert by_service(engine, name)["app"]["Id"] == before
    assert engine.states(name) == ["running"]


def test_a_rebuild_into_a_crash_brings_the_old_image_back(
        api, deployments, engine):
    name = deployments.create(
        "services:\n  app: {build: ., stop_grace_period: 1s}\n"
    )
    write(deployments, name, "Dockerfile", "FROM test/web:1\n")
    assert api.post(f"/deployments/{name}/start").status == 200
    before = by_service(engine, name)["app"]["ImageID"]
    write(deployments, name, "Dockerfile",
          'FROM test/web:1\nCMD ["sh", "-c", "exit 7"]\n')
    answer = api.post(f"/deployments/{name}/rebuild", QUICK)
    body = assert_error(answer, 502, "ROLLED_BACK")
    assert body["outcome"] == "rolled_back"
    assert body["cause"]["exit_code"] == 7, body["cause"]
    assert by_service(engine, name)["app"]["ImageID"] == before
    assert engine.states(name) == ["running"]


def test_a_rebuild_is_polled_like_any_job(api, deployments):
    name = deployments.create(one_service(stop_grace_period="1s"), start=True)
    answer = api.post(f"/deployments/{name}/rebuild", QUICK,
                      headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer
    body = answer.json
    assert body["status"] == "pending" and body["action"] == "rebuild"
    active = api.get(f"/deployments/{name}/jobs/active")
    assert active.status == 200, active
    assert active.json["id"] == body["job_id"]
    seen = []

    def ended():
        job = api.get(f"/deployments/{name}/jobs/{body['job_id']}").json
        seen.append(job["status"])
        return job if job["status"] in ("succeeded", "failed") else None

    job = wait_until(ended, 30, what="the end of the rebuild")
    assert job["status"] == "succeeded", job
    assert set(seen) <= {"pending", "running", "succeeded"}
    assert job["action"] == "rebuild" and job["deployment"] == name
    assert isinstance(job["output"], str) and job["finished_at"]


def test_each_compose_program_builds_pulls_and_deploys(
        api, compose_program, deployments, engine, registry, repository):
    image = f"{repository}:latest"
    make_image(engine, registry, image, label="first")
    name = deployments.create(
        "services:\n  app: {build: ., stop_grace_period: 1s}\n"
        f"  far: {{image: '{image}', stop_grace_period: 1s}}\n"
    )
    write(deployments, name, "Dockerfile", "FROM test/web:1\nLABEL build=1\n")
    answer = api.post(f"/deployments/{name}/pull")
    assert answer.status == 200, answer
    answer = api.post(f"/deployments/{name}/rebuild", QUICK)
    assert answer.status == 200, answer
    make_image(engine, registry, image, label="second")
    write(deployments, name, "Dockerfile", "FROM test/web:1\nLABEL build=2\n")
    answer = api.post(
        f"/deployments/{name}/deploy", {"action": "rebuild", **QUICK}
    )
    assert answer.status == 200, answer
    assert answer.json["pulled"] is True
    after = by_service(engine, name)
    assert after["app"]["Labels"]["build"] == "2"
    assert after["far"]["Labels"]["version"] == "second"


# Deploy


def test_deploy_pulls_and_serves_the_new_image_and_cleans_up(
        api, deployments, engine, registry, repository):
    image = f"{repository}:latest"
    compose = (
        f"services:\n  app: {{image: '{image}', stop_grace_period: 1s}}\n"
        "  side: {image: test/web:1, stop_grace_period: 1s}\n"
    )
    make_image(engine, registry, image, label="first")
    name = deployments.create(compose, start=True)
    before = by_service(engine, name)
    make_image(engine, registry, image, label="second")
    answer = api.post(f"/deployments/{name}/deploy", {
        "action": "start", "only_latest": True, **QUICK,
    })
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Deployment completed"
    assert body["name"] == name and body["action"] == "start"
    assert body["pulled"] is True
    assert isinstance(body["pull_output"], str)
    assert isinstance(body["deploy_output"], str)
    # The old one is that of a revision to go back to; test/web:2 has a name.
    assert body["cleanup_removed"] == 0 and body["cleanup_freed"] == 0
    assert engine.api("/images/test/web:2/json") is not None
    after = by_service(engine, name)
    assert after["app"]["Labels"]["version"] == "second"
    assert after["side"]["Id"] == before["side"]["Id"]
    assert before["app"]["ImageID"] in image_ids(engine, repository)


def test_deploy_to_an_image_that_crashes_brings_the_old_one_back(
        api, deployments, engine, registry, repository):
    image = f"{repository}:latest"
    make_image(engine, registry, image, label="good")
    name = deployments.create(
        f"services:\n  app: {{image: '{image}', stop_grace_period: 1s}}\n",
        start=True,
    )
    before = by_service(engine, name)["app"]["ImageID"]
    registry.push(image, "test/quitter:1")
    answer = api.post(f"/deployments/{name}/deploy", QUICK)
    body = assert_error(answer, 502, "ROLLED_BACK")
    assert body["cause"]["exit_code"] == 3
    assert "pull_output" in body and "deploy_output" in body
    assert by_service(engine, name)["app"]["ImageID"] == before
    assert engine.states(name) == ["running"]


def test_deploy_without_a_pull_restarts_what_is_there(
        api, deployments, engine):
    name = deployments.create(one_service(stop_grace_period="1s"), start=True)
    before = by_service(engine, name)["app"]["Id"]
    answer = api.post(
        f"/deployments/{name}/deploy", {"pull": False, **QUICK}
    )
    assert answer.status == 200, answer
    assert answer.json["action"] == "restart"
    assert answer.json["pulled"] is False
    assert answer.json["pull_output"] == ""
    assert by_service(engine, name)["app"]["Id"] != before


def test_deploy_with_a_registry_that_is_down_touches_nothing(
        api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1, stop_grace_period: 1s}\n"
        "  far: {image: '127.0.0.1:1/team/web:latest'}\n"
    )
    answer = api.post(f"/deployments/{name}/services/app/start")
    assert answer.status == 200, answer
    before = by_service(engine, name)["app"]["Id"]
    answer = api.post(f"/deployments/{name}/deploy", {
        "only_latest": True, **QUICK,
    })
    body = assert_error(answer, 502, "REGISTRY_UNAVAILABLE")
    assert body["pulled"] is False and body["deploy_output"] == ""
    assert "pull_output" in body
    assert {
        service: one["Id"] for service, one in by_service(engine, name).items()
    } == {"app": before}
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize("content, field", [
    ({"action": "explode"}, "action"),
    ({"action": 1}, "action"),
    ({"pull": "yes"}, "pull"),
    ({"cleanup": 1}, "cleanup"),
    ({"only_latest": []}, "only_latest"),
    ({"settle_seconds": -1}, "settle_seconds"),
    ({"timeout_seconds": 0}, "timeout_seconds"),
])
def test_bad_input_of_a_deploy_names_the_field(api, running, content, field):
    answer = api.post(f"/deployments/{running}/deploy", content)
    assert_error(answer, 400, field=field)


@pytest.mark.parametrize("verb", [
    "rebuild", "deploy", "pull", "images/cleanup", "actions/x",
])
def test_a_deployment_that_is_not_there_is_404(api, verb):
    answer = api.post(f"/deployments/no-such-thing/{verb}", {})
    assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")


# Pull


def test_pull_of_a_deployment_starts_nothing(
        api, deployments, engine, registry, repository):
    make_image(engine, registry, f"{repository}:latest")
    make_image(engine, registry, f"{repository}:1")
    name = deployments.create(
        f"services:\n  a: {{image: '{repository}'}}\n"
        f"  b: {{image: '{repository}:1'}}\n  c: {{build: .}}\n"
    )
    answer = api.post(f"/deployments/{name}/pull", {"only_latest": True})
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Images pulled successfully"
    assert body["name"] == name and isinstance(body["output"], str)
    assert body["cleanup_removed"] == 0 and body["cleanup_freed"] == 0
    images = api.get(f"/deployments/{name}/images").json["images"]
    assert [bool(one.get("image_id")) for one in images] == [
        True, False, False,
    ]
    answer = api.post(f"/deployments/{name}/pull")
    assert answer.status == 200, answer
    images = api.get(f"/deployments/{name}/images").json["images"]
    assert [bool(one.get("image_id")) for one in images] == [
        True, True, False,
    ]
    assert engine.containers(name) == []


def test_a_pull_that_fails_leaves_what_runs(api, deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1, stop_grace_period: 1s}\n"
        "  far: {image: '127.0.0.1:1/team/web:1'}\n"
    )
    assert api.post(
        f"/deployments/{name}/services/app/start").status == 200
    answer = api.post(f"/deployments/{name}/pull")
    # Compose says of what it gives up then that Docker does not answer.
    assert answer.status == 502, answer
    assert answer.json["code"] == "REGISTRY_UNAVAILABLE", answer
    assert engine.states(name) == ["running"]


# Clean-up


def test_cleanup_removes_old_images_of_its_repositories_alone(
        api, deployments, engine, registry, repository):
    foreign = f"{repository}-other"
    for tag in ("1", "2"):
        make_image(engine, registry, f"{repository}:{tag}", label=tag)
        engine.run("pull", f"{repository}:{tag}")
    make_image(engine, registry, f"{foreign}:1", label="foreign")
    engine.run("pull", f"{foreign}:1")
    name = deployments.create(
        f"services:\n  app: {{image: '{repository}:2', "
        "stop_grace_period: 1s}\n",
        start=True,
    )
    old = engine.api(f"/images/{repository}:1/json")
    answer = api.post(
        f"/deployments/{name}/images/cleanup", {"dry_run": True}
    )
    assert answer.status == 200, answer
    assert answer.json["dry_run"] is True
    wanted = [{"id": old["Id"], "tag": f"{repository}:1"}]
    assert [{"id": one["id"], "tag": one["tag"]}
            for one in answer.json["removed"]] == wanted
    assert old["Id"] in image_ids(engine, repository)
    answer = api.post(f"/deployments/{name}/images/cleanup")
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Deployment image cleanup complete"
    assert body["name"] == name and body["dry_run"] is False
    assert [one["id"] for one in body["removed"]] == [old["Id"]]
    assert all(one["bytes"] > 0 for one in body["removed"])
    assert body["images_kept"] == 1 and body["freed_bytes"] >= 0
    assert engine.api(f"/images/{repository}:2/json") is not None
    assert engine.api(f"/images/{foreign}:1/json") is not None
    listed = api.get("/images").json["images"]
    assert old["Id"] not in [one["id"] for one in listed]


def test_what_a_pull_left_nameless_goes_with_it(
        api, deployments, engine, registry, repository):
    make_image(engine, registry, f"{repository}:1", label="a")
    name = deployments.create(
        f"services:\n  app: {{image: '{repository}:1'}}\n"
    )
    assert api.post(f"/deployments/{name}/pull").status == 200
    old = engine.api(f"/images/{repository}:1/json")["Id"]
    make_image(engine, registry, f"{repository}:1", label="b")
    answer = api.post(f"/deployments/{name}/pull", {"cleanup": True})
    assert answer.status == 200, answer
    assert answer.json["cleanup_removed"] == 1
    assert old not in image_ids(engine, repository)
    assert len(image_ids(engine, repository)) == 1


def test_viewers_change_nothing(viewer, running):
    for verb in ("rebuild", "deploy", "pull", "images/cleanup", "actions/x"):
        answer = viewer.post(f"/deployments/{running}/{verb}", {})
        assert_error(answer, 403)


# Plans


@pytest.mark.parametrize("path, actions", [
    ("rebuild", ["recreate"]),
    ("deploy", ["recreate"]),
    ("services/app/stop", ["stop"]),
    ("services/app/restart", ["restart"]),
])
def test_changes_are_planned_without_being_done(
        api, running, engine, path, actions):
    before = [one["Id"] for one in engine.containers(running)]
    answer = api.post(f"/deployments/{running}/{path}?plan=true", {})
    assert answer.status == 200, answer
    plan = answer.json["plan"]
    assert plan["plan_id"]
    assert [one["action"] for one in plan["services"]] == actions
    assert [one["Id"] for one in engine.containers(running)] == before
    assert engine.states(running) == ["running"]
