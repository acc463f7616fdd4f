"""Safe updates: what comes is healthy, or what was is back."""

import contextlib
import http.client
import threading
import time

import pytest

from clients import assert_error, wait_until
from conftest import one_service
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


def test_an_image_that_ends_at_once_is_taken_back(api, site, engine):
    name, port = site
    with unharmed(api, engine, site, gone=4.0):
        answer = update(api, name, web(port, "test/quitter:1"))
    cause = assert_rolled_back(answer, "CONTAINER_EXITED")
    assert cause["service"] == "app"
    assert cause["exit_code"] == 3
    assert cause["oom_killed"] is False
    assert "leaving" in cause["log_tail"]
    assert revisions(api, name)[0]["state"] == "failed"


def test_an_image_that_is_started_again_and_again_is_taken_back(
        api, site, engine):
    name, port = site
    with unharmed(api, engine, site):
        answer = update(api, name, web(
            port, "test/quitter:1", "    restart: always\n"))
    cause = assert_rolled_back(answer, "CONTAINER_RESTARTING")
    assert cause["exit_code"] == 3 and cause["restart_count"] > 2


def test_an_image_that_gets_unhealthy_is_taken_back(api, site, engine):
    name, port = site
    with unharmed(api, engine, site):
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
        api, site, engine):
    name, port = site
    with unharmed(api, engine, site):
        answer = update(api, name, web(port, "test/web:2", (
            "    healthcheck:\n"
            "      test: ['CMD', 'false']\n"
            "      interval: 1s\n"
            "      retries: 1000\n"
        )), timeout_seconds=3)
    cause = assert_rolled_back(answer, "NOT_HEALTHY_IN_TIME")
    assert cause["service"] == "app"


def test_a_tag_that_does_not_exist_touches_nothing(
        api, site, engine, registry):
    name, port = site
    before = identities(engine, name)
    with unharmed(api, engine, site, gone=1.0):
        answer = update(api, name, web(port, f"{registry.host}/team/web:none"))
    body = assert_error(answer, 502, "IMAGE_NOT_FOUND")
    assert body["outcome"] == "refused"
    assert identities(engine, name) == before


def test_a_port_that_is_in_use_touches_nothing(api, site, engine, service):
    name, port = site
    before = identities(engine, name)
    with unharmed(api, engine, site, gone=1.0):
        answer = update(api, name, web(service.port))
    body = assert_error(answer, 409, "PORT_IN_USE")
    assert body["outcome"] == "refused"
    assert identities(engine, name) == before
