"""Pulls from registries that are open, closed, slow and down."""

import os
import time

import pytest

from clients import assert_error, wait_until
from conftest import one_service
from engine import Registry, free_port


@pytest.fixture
def gone(engine):
    """Removes an image from the Engine, before and after the test."""
    names = []

    def remove(name):
        names.append(name)
        engine.run("rmi", "-f", name, check=False)

    yield remove
    for name in names:
        engine.run("rmi", "-f", name, check=False)


@pytest.fixture
def credential(api, private_registry):
    """Makes credentials for the private registry."""
    made = []

    def create(**more):
        answer = api.post("/credentials", {
            "name": f"private {time.monotonic_ns()}",
            "registry_type_slug": "generic",
            "registry_url": private_registry.host,
            "username": Registry.USER,
            "password": private_registry.password,
            **more,
        })
        assert answer.status == 201, answer
        made.append(answer.json["credential"]["id"])
        return made[-1]

    yield create
    for one in made:
        assert api.delete(f"/credentials/{one}").status in (200, 404)


def tags(api):
    answer = api.get("/images")
    assert answer.status == 200, answer
    return [tag for one in answer.json["images"] for tag in one["tags"]]


def pull(api, name, **more):
    return api.post("/images/pull", {"name": name, **more})


def job_of(api, job_id):
    answer = api.get(f"/jobs/{job_id}")
    assert answer.status == 200, answer
    return answer.json["data"]


def begin(api, name):
    """The id of a pull that is under way."""
    answer = api.post(
        "/images/pull", {"name": name}, headers={"Prefer": "respond-async"}
    )
    assert answer.status == 202, answer
    return answer.json["job_id"]


def test_a_pulled_image_is_in_the_list_at_once(api, registry, gone):
    gone(registry.image)
    wait_until(lambda: registry.image not in tags(api))
    answer = pull(api, registry.image)
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Image pulled"
    assert body["name"] == registry.image
    assert body["used_credential"] is False
    assert body["downloaded"] is True
    assert body["pull_status"] == "Downloaded newer image"
    assert registry.image in tags(api)
    one = api.get("/images/" + body["id"]).json["image"]
    assert registry.image in one["tags"]
    assert "Status: Downloaded newer image" in body["output"]


def test_pulling_what_is_there_says_so(api, registry, gone):
    gone(registry.image)
    assert pull(api, registry.image).status == 200
    answer = pull(api, registry.image)
    assert answer.status == 200, answer
    assert answer.json["downloaded"] is False
    assert answer.json["pull_status"] == "Image is up to date"


def test_an_image_is_pulled_by_its_digest(api, registry, engine, gone):
    gone(registry.image)
    assert pull(api, registry.image).status == 200
    found = engine.api(f"/images/{registry.image}/json")
    by_digest = found["RepoDigests"][0]
    engine.run("rmi", registry.image)
    gone(by_digest)
    answer = pull(api, by_digest)
    assert answer.status == 200, answer
    assert answer.json["id"] == found["Id"]


def test_progress_is_seen_while_it_runs(api, slow_registry, gone):
    gone(slow_registry.image)
    job_id = begin(api, slow_registry.image)
    seen = []
    while True:
        job = job_of(api, job_id)
        if job.get("progress"):
            seen.append(job["progress"])
        if job["status"] in ("succeeded", "failed"):
            break
        time.sleep(0.1)
    assert job["status"] == "succeeded", job
    percents = [one["percent"] for one in seen]
    assert percents == sorted(percents), percents
    assert len({one for one in percents if 0 < one < 100}) >= 3, percents
    assert percents[-1] == 100
    moving = [one for one in seen if 0 < one["current_bytes"]
              < one["total_bytes"]]
    assert moving, seen
    layer = moving[0]["layers"][0]
    assert layer["status"] == "Downloading"
    assert len(layer["id"]) == 12
    assert 0 < layer["current"] < layer["total"]
    assert moving[0]["total_bytes"] >= slow_registry.BYTES
    assert "Pull complete" in job["output"]


def test_a_cancelled_pull_stops_the_engine(api, engine, slow_registry, gone):
    gone(slow_registry.image)
    job_id = begin(api, slow_registry.image)
    wait_until(
        lambda: (job_of(api, job_id).get("progress") or {}).get(
            "current_bytes"),
        10, what="progress",
    )
    answer = api.delete(f"/jobs/{job_id}")
    assert answer.status == 200, answer
    job = job_of(api, job_id)
    assert job["status"] == "failed", job
    assert job["error_code"] == "JOB_CANCELLED", job
    # Longer than the rest of it would have taken.
    time.sleep(slow_registry.SECONDS)
    assert engine.api(f"/images/{slow_registry.image}/json") is None
    # Nothing is in the way of another.
    answer = pull(api, slow_registry.image)
    assert answer.status == 200, answer


def test_a_second_pull_of_it_is_refused_meanwhile(api, slow_registry, gone):
    gone(slow_registry.image)
    job_id = begin(api, slow_registry.image)
    answer = pull(api, slow_registry.image)
    body = assert_error(answer, 409, "IMAGE_BUSY")
    assert body["active_job_id"] == job_id
    assert api.get(f"/jobs/{job_id}?wait=20").json["status"] == "succeeded"


def test_an_unknown_tag_is_404(api, registry):
    answer = pull(api, f"{registry.host}/team/web:none")
    body = assert_error(answer, 404, "IMAGE_NOT_FOUND")
    assert body["used_credential"] is False


def test_an_unknown_repository_is_404(api, registry):
    answer = pull(api, f"{registry.host}/nobody/nothing")
    assert_error(answer, 404, "IMAGE_NOT_FOUND")


def test_a_registry_that_is_down_is_503(api):
    answer = pull(api, f"127.0.0.1:{free_port()}/team/web:1")
    assert_error(answer, 503, "REGISTRY_UNAVAILABLE")
    assert answer.seconds < 20


def test_without_credentials_a_private_image_is_403(api, private_registry):
    answer = pull(api, private_registry.image)
    body = assert_error(answer, 403, "REGISTRY_DENIED")
    assert body["used_credential"] is False


def test_the_hosts_credential_is_used(
    api, private_registry, credential, gone
):
    gone(private_registry.image)
    one = credential()
    answer = pull(api, private_registry.image)
    assert answer.status == 200, answer
    assert answer.json["used_credential"] is True
    assert answer.json["credential_id"] == one


def test_the_default_credential_comes_first(
    api, private_registry, credential, gone
):
    gone(private_registry.image)
    credential(password="wrong")
    good = credential(is_default=True)
    answer = pull(api, private_registry.image)
    assert answer.status == 200, answer
    assert answer.json["credential_id"] == good


def test_a_named_credential_is_used(api, private_registry, credential, gone):
    gone(private_registry.image)
    credential(is_default=True)
    wrong = credential(password="wrong")
    answer = pull(api, private_registry.image, credential_id=wrong)
    body = assert_error(answer, 403, "REGISTRY_DENIED")
    assert body["credential_id"] == wrong
    assert body["used_credential"] is True


def test_a_password_goes_to_no_other_registry(api, registry, credential):
    one = credential()
    answer = pull(api, registry.image, credential_id=one)
    assert_error(answer, 400, "INVALID_REQUEST", "credential_id")


def test_an_unknown_credential_is_404(api, registry):
    answer = pull(api, registry.image, credential_id="0123456789ab")
    assert_error(answer, 404, "CREDENTIAL_NOT_FOUND")


@pytest.mark.parametrize("host", ["169.254.169.254", "0.0.0.0:5000",
                                  "[fe80::1]:5000", "224.0.0.1"])
def test_hosts_of_the_machine_alone_are_403(api, host):
    assert_error(pull(api, f"{host}/team/web:1"), 403, "HOST_NOT_ALLOWED")


@pytest.mark.parametrize("name", [
    "", "a b", "a\r\nX-Header: b", "../containers/x", "a/../b", "Web",
    "a?fromSrc=x", "a&tag=b", "http://x/y", "-a", "a" * 256, "*",
    "a@sha256:12", "\N{SNOWMAN}",
])
def test_what_is_no_reference_is_400(api, name):
    answer = pull(api, name)
    assert_error(answer, 400, field="name")


@pytest.mark.parametrize("name", [None, 7, ["a"], {"a": 1}, True])
def test_a_name_of_another_type_is_400(api, name):
    assert_error(pull(api, name), 400, field="name")


def test_a_viewer_may_not_pull(viewer, registry):
    assert_error(pull(viewer, registry.image), 403, "FORBIDDEN")


# Compose logs in with the same credentials


@pytest.fixture
def private_deployment(deployments, private_registry, gone):
    gone(private_registry.image)
    return deployments.create(one_service(private_registry.image))


def leftovers(service):
    """Logins that were not removed after Compose ran."""
    found = []
    for _, directories, files in os.walk(
        service.path("run", "registry-logins")
    ):
        found += directories + files
    return found


def test_a_deployment_starts_with_stored_credentials(
    api, service, compose_program, private_deployment, credential
):
    answer = api.post(f"/deployments/{private_deployment}/start")
    assert answer.status >= 400, answer
    credential()
    answer = api.post(f"/deployments/{private_deployment}/start")
    assert answer.status == 200, answer
    answer = api.post(
        f"/deployments/{private_deployment}/restart",
        {"fresh_pull": True, "force_recreate": True},
    )
    assert answer.status == 200, answer
    assert leftovers(service) == []


def test_a_wrong_password_leaves_no_login_either(
    api, service, private_deployment, credential
):
    credential(password="this one is wrong 6634")
    answer = api.post(f"/deployments/{private_deployment}/start")
    assert answer.status >= 400, answer
    assert "6634" not in answer.text
    assert leftovers(service) == []


def test_an_agent_that_was_killed_leaves_no_login(api, service):
    directory = service.path("run", "registry-logins", "0123")
    os.makedirs(directory)
    with open(os.path.join(directory, "config.json"), "w") as out:
        out.write("{}")
    service.restart_agent()
    assert leftovers(service) == []
