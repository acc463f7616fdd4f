"""Updates that are interrupted: by a kill, a full disk, a stop, Docker."""

import os
import signal
import subprocess
import time

import pytest

from clients import Client, assert_error, wait_until
from conftest import Deployments, one_service
from engine import free_port
from service import processes_of_jobs
from test_updates import (
    QUICK, answers, current, identities, image_of, revisions, update, web,
)

OLD, NEW = "test/web:1", "test/web:2"


@pytest.fixture(scope="module")
def site(service):
    """(name, port) of a site that runs, for all tests of the file."""
    api = Client(service, service.admin_key, "127.0.0.3")
    deployments = Deployments(api, service)
    port = free_port()
    name = deployments.create(web(port), start=True)
    wait_until(lambda: answers(port), 5)
    yield name, port
    deployments.remove_all()


def begin_update(api, name, port, image=NEW, **more):
    answer = api.put(f"/deployments/{name}", {
        "compose_content": web(port, image) + "# the last line\n",
        "apply": True, **QUICK, **more,
    }, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer
    return answer.json["job_id"]


def is_idle(api, service, name):
    """No job, and none that the agent has yet to begin."""
    return phase_of(service, name) is None and \
        api.get(f"/deployments/{name}/jobs/active").status == 404


def starts(service):
    return service.log("agent").count('"agent started"')


def restart_killed(service):
    """A child of the one that was killed may keep its socket for a moment:
    to be connected is not enough."""
    before = starts(service)
    service.start_agent()
    wait_until(lambda: starts(service) > before, 10)
    service.wait_until_ready()


def assert_complete(api, service, engine, deployments, site):
    """The old or the new version, whole, and nothing in the way of more."""
    name, port = site
    wait_until(lambda: is_idle(api, service, name), 40, what="the end of all jobs")
    wait_until(lambda: not processes_of_jobs(), 5)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path) as compose:
        content = compose.read()
    is_new = "# the last line" in content
    assert content in (web(port, OLD), web(port, NEW) + "# the last line\n")
    assert sorted(identities(engine, name)) == ["app", "side"]
    assert engine.states(name) == ["running", "running"]
    wanted = NEW if is_new else OLD
    assert image_of(engine, name) == engine.api(
        f"/images/{wanted}/json")["Id"]
    for one in engine.containers(name):
        assert not one["Names"][0].lstrip("/")[12:].startswith("_"), one
    wait_until(lambda: answers(port), 5)
    assert current(api, name)["state"] == "applied"
    leftovers = os.listdir(deployments.directory(name))
    assert not [one for one in leftovers if ".tmp" in one], leftovers


def make_old_again(api, name, port):
    answer = update(api, name, web(port, OLD))
    assert answer.status == 200, answer


def phase_of(service, name):
    with service.database() as database:
        row = database.execute(
            "SELECT phase FROM updates WHERE deployment = ?", (name,)
        ).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    "delay", [0.02, 0.15, 0.3, 0.6, 1.2, 2])
def test_an_agent_killed_at_any_moment_of_an_update_leaves_one_version(
        api, service, engine, deployments, site, delay):
    name, port = site
    make_old_again(api, name, port)
    job_id = begin_update(api, name, port)
    time.sleep(delay)
    service.kill_agent()
    restart_killed(service)
    assert_complete(api, service, engine, deployments, site)
    job = deployments.job(job_id)
    assert job.get("error_code") in (None, "JOB_INTERRUPTED"), job


def test_an_interrupted_update_is_on_record_as_taken_back(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    before = current(api, name)["number"]
    begin_update(api, name, port)
    wait_until(lambda: phase_of(service, name) == "containers", 10, 0.005)
    service.kill_agent()
    restart_killed(service)
    assert_complete(api, service, engine, deployments, site)
    job = api.get(f"/jobs?deployment={name}&limit=1").json["data"][0]
    assert job["kind"] == "deployment.rollback" and job["actor"] == "agent"
    assert job["status"] == "succeeded"
    assert job["result"]["outcome"] == "rolled_back"
    assert job["result"]["restored_revision"] == before
    assert current(api, name)["number"] == before
    assert revisions(api, name)[0]["state"] == "failed"


def test_files_are_the_old_ones_before_the_agent_answers(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    begin_update(api, name, port, settle_seconds=60)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    wait_until(lambda: "last line" in open(path).read(), 10)
    service.kill_agent()
    service.start_agent()
    socket = service.path("run", "agent", "heartbeat")
    started = time.monotonic()
    wait_until(lambda: "last line" not in open(path).read(), 10, 0.002)
    assert os.path.exists(socket) and time.monotonic() - started < 10
    service.wait_until_ready()
    assert_complete(api, service, engine, deployments, site)


def test_an_agent_killed_while_it_goes_back_goes_on_with_it(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    begin_update(api, name, port, "test/quitter:1")
    wait_until(lambda: phase_of(service, name) == "back", 20, 0.005)
    service.kill_agent()
    restart_killed(service)
    # And again, while the next one does.
    wait_until(lambda: phase_of(service, name) == "back"
               or is_idle(api, service, name), 20, 0.005)
    service.kill_agent()
    restart_killed(service)
    assert_complete(api, service, engine, deployments, site)
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "quitter" not in content


def test_compose_killed_while_it_recreates_is_taken_back(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    old = identities(engine, name)["app"]
    job_id = begin_update(api, name, port)

    def has_begun():
        one = [one for one in engine.containers(name) if one["Id"] == old]
        return not one or one[0]["State"] != "running"

    wait_until(has_begun, 20, 0.005)
    for process in processes_of_jobs():
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    job = deployments.job(job_id)
    assert job["status"] == "failed", job
    assert job["error_code"] == "ROLLED_BACK", job
    assert_complete(api, service, engine, deployments, site)
    assert current(api, name)["images"]


@pytest.mark.parametrize("delay", [0.3, 0.8])
def test_an_update_cancelled_at_any_moment_leaves_one_version(
        api, service, engine, deployments, site, delay):
    name, port = site
    make_old_again(api, name, port)
    job_id = begin_update(api, name, port)
    time.sleep(delay)
    api.delete(f"/jobs/{job_id}")
    job = deployments.job(job_id)
    assert job.get("error_code") in (None, "JOB_CANCELLED"), job
    assert job["result"]["outcome"] in (
        "applied", "refused", "rolled_back"), job
    assert_complete(api, service, engine, deployments, site)


def test_an_agent_that_is_stopped_ends_the_update_first(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    job_id = begin_update(api, name, port)
    wait_until(lambda: phase_of(service, name) == "containers", 10, 0.01)
    service.stop_agent()
    restart_killed(service)
    assert deployments.job(job_id)["status"] == "succeeded"
    assert_complete(api, service, engine, deployments, site)
    assert current(api, name)["number"] == revisions(api, name)[0]["number"]


def test_docker_killed_in_an_update_costs_the_update_alone(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    job_id = begin_update(api, name, port, settle_seconds=20)
    wait_until(lambda: phase_of(service, name) == "containers", 10, 0.01)
    wait_until(lambda: image_of(engine, name) == engine.api(
        f"/images/{NEW}/json")["Id"], 20)
    service.kill_agent()
    engine.stop()
    service.start_agent()
    try:
        # The files are back although Docker is not.
        path = os.path.join(deployments.directory(name), "docker-compose.yml")
        wait_until(lambda: "last line" not in open(path).read(), 10)
    finally:
        engine.start()
    service.wait_until_ready()
    assert deployments.job(job_id)["error_code"] == "JOB_INTERRUPTED"
    assert_complete(api, service, engine, deployments, site)


def test_docker_restarted_in_an_update_is_waited_for(
        api, service, engine, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    job_id = begin_update(api, name, port, settle_seconds=20)
    wait_until(lambda: image_of(engine, name) == engine.api(
        f"/images/{NEW}/json")["Id"], 20)
    engine.stop()
    try:
        assert api.get(f"/jobs/{job_id}").json["status"] == "running"
    finally:
        engine.start()
    job = deployments.job(job_id)
    assert job["error_code"] == "ROLLED_BACK", job
    assert_complete(api, service, engine, deployments, site)
    service.wait_until_ready()


def test_what_somebody_wrote_in_between_is_left_alone(
        api, service, deployments, site):
    name, port = site
    make_old_again(api, name, port)
    begin_update(api, name, port, settle_seconds=30)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    wait_until(lambda: "last line" in open(path).read(), 10)
    service.kill_agent()
    with open(path, "w") as out:
        out.write(web(port, OLD) + "# by hand\n")
    restart_killed(service)
    assert is_idle(api, service, name)
    with open(path) as compose:
        assert compose.read().endswith("# by hand\n")
    make_old_again(api, name, port)
    assert revisions(api, name)[1]["reason"] == "found on disk"


# No room


class SmallDisk:
    """A directory with a file system of its own that can be filled."""

    def __init__(self, directory):
        self.directory = directory
        self.filler = os.path.join(directory, ".filler")

    def __enter__(self):
        kept = {}
        for name in os.listdir(self.directory):
            path = os.path.join(self.directory, name)
            with open(path, "rb") as content:
                kept[name] = content.read(), os.stat(path).st_mode
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs",
             self.directory], check=True)
        for name, (content, mode) in kept.items():
            path = os.path.join(self.directory, name)
            with open(path, "wb") as out:
                out.write(content)
            os.chmod(path, mode)
        return self

    def fill(self):
        with open(self.filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(b"x" * 4096)
            except OSError:
                pass

    def __exit__(self, *unused):
        subprocess.run(["umount", "-l", self.directory], check=True)


@pytest.mark.parametrize("apply", [False, True])
def test_a_full_disk_keeps_the_old_version(
        api, deployments, engine, apply):
    name = deployments.create(one_service() + "# old\n", start=True)
    before = identities(engine, name)
    with SmallDisk(deployments.directory(name)) as disk:
        disk.fill()
        answer = api.put(f"/deployments/{name}", {
            "compose_content": one_service(NEW) + "# new\n" * 1000,
            "apply": apply, **QUICK,
        })
        assert_error(answer, 507, "STORAGE_FULL")
        path = os.path.join(
            deployments.directory(name), "docker-compose.yml")
        with open(path) as compose:
            assert compose.read().endswith("# old\n")
        assert [one for one in os.listdir(deployments.directory(name))
                if ".tmp" in one] == []
        assert identities(engine, name) == before
        assert revisions(api, name)[0]["state"] == "failed"
        os.unlink(disk.filler)
        answer = update(api, name, one_service(NEW) + "# new\n")
        assert answer.status == 200, answer


def test_no_room_for_what_compose_is_given_is_taken_back(
        api, deployments, engine, service):
    name = deployments.create(one_service() + "# old\n", start=True)
    before = identities(engine, name)
    checked = service.path("deployments", ".flatrun", "checked")
    with SmallDisk(checked) as disk:
        # The agent has the directory open: it is to see the small one.
        service.restart_agent()
        disk.fill()
        answer = update(api, name, one_service(NEW) + "# new\n")
        body = assert_error(answer, 502, "ROLLED_BACK")
        assert body["cause"]["code"] == "STORAGE_FULL"
        content = api.get(f"/deployments/{name}/compose").json["content"]
        assert content.endswith("# old\n")
        assert identities(engine, name) == before
    service.restart_agent()
    assert update(api, name, one_service(NEW)).status == 200
