"""Fixtures: one Engine, one registry and one service for the whole run."""

import itertools
import os
import signal
import time

import pytest

from clients import Client, wait_until
from engine import Engine, Registry, SlowRegistry
from service import COMPOSE, Service

DIRECTORY = os.environ["FLATRUN_TEST_DIRECTORY"]
TEST_SECONDS = 100
addresses = itertools.count(2)
names = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "compose_v2: needs Compose 2")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("FLATRUN_TEST_WANT_COMPOSE_V2") == "no":
        unwanted = [
            one for one in items if one.get_closest_marker("compose_v2")
        ]
        items[:] = [one for one in items if one not in unwanted]
        config.hook.pytest_deselected(items=unwanted)
    # What looks at the traces of all others comes last; what stops and kills
    # processes just before it.
    order = {"test_faults.py": 1, "test_stops.py": 1,
             "test_registry_faults.py": 1, "test_update_faults.py": 1,
             "test_soundness.py": 2}
    items.sort(key=lambda one: order.get(one.path.name, 0))


def pytest_terminal_summary(terminalreporter):
    path = os.environ.get("FLATRUN_TEST_TOTALS")
    if path is None:
        return
    stats = terminalreporter.stats
    passed = len(stats.get("passed", []))
    # A skipped test has shown nothing.
    failed = sum(
        len(stats.get(kind, [])) for kind in ("failed", "error", "skipped")
    )
    with open(path, "w") as out:
        out.write(f"{passed} {failed}\n")


@pytest.fixture(autouse=True)
def deadline():
    """No test takes for ever: what hangs fails where it hangs."""

    def give_up(number, frame):
        raise TimeoutError(f"the test took more than {TEST_SECONDS} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def engine():
    engine = Engine(os.path.join(DIRECTORY, "engine"))
    engine.start()
    try:
        engine.make_images()
        yield engine
    finally:
        for one in engine.containers():
            engine.run("rm", "-f", one["Id"], check=False)
        engine.stop()


@pytest.fixture(scope="session")
def registry(engine):
    registry = Registry(
        os.path.join(DIRECTORY, "registry"),
        os.environ["FLATRUN_TEST_REGISTRY"],
        engine,
    )
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def private_registry(engine):
    registry = Registry(
        os.path.join(DIRECTORY, "private-registry"),
        os.environ["FLATRUN_TEST_REGISTRY"],
        engine,
        password="correct horse \N{PILE OF POO} battery 8812",
    )
    yield registry
    registry.stop()


@pytest.fixture(scope="session")
def slow_registry(registry):
    slow = SlowRegistry(os.path.join(DIRECTORY, "slow-registry"), registry)
    yield slow
    slow.stop()


@pytest.fixture(scope="session")
def service(engine):
    service = Service(DIRECTORY, engine)
    try:
        service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture
def address():
    """An address no other test comes from: limits are per address."""
    number = next(addresses)
    return f"127.1.{number // 250}.{number % 250 + 1}"


@pytest.fixture
def anonymous(service, address):
    return Client(service, None, address)


@pytest.fixture
def api(service, address):
    """An administrator, by the key that was made at the first start."""
    return Client(service, service.admin_key, address)


@pytest.fixture(scope="session")
def keys(service):
    """Role: (id, text) of a key with it."""
    return {
        role: service.make_key(f"test-{role}", role)
        for role in ("viewer", "operator", "admin")
    }


@pytest.fixture
def viewer(api, keys):
    return api.with_token(keys["viewer"][1])


@pytest.fixture
def operator(api, keys):
    return api.with_token(keys["operator"][1])


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.compose_v2)])
def compose_program(request, service):
    """The tests that use it run once with each Compose program."""
    if not COMPOSE[request.param]:
        pytest.fail(f"there is no Compose {request.param} here")
    before = service.compose
    service.use_compose(request.param)
    yield request.param
    service.compose = before
    service.restart_agent()


def one_service(image="test/web:1", **more):
    """The text of a Compose file with one service."""
    lines = ["services:", "  app:", f"    image: {image}"]
    for key, value in more.items():
        lines.append(f"    {key}: {value}")
    return "\n".join(lines) + "\n"


# Ignores SIGTERM: stopping it takes a while.
STUBBORN = one_service("test/stubborn:1", stop_grace_period="4s")


class Deployments:
    """Makes deployments with names of their own and removes them again."""

    def __init__(self, api, service):
        self.api = api
        self.service = service
        self.engine = service.engine
        self.made = []

    def name(self, stem="dep"):
        name = f"{stem}-{next(names)}"
        self.made.append(name)
        return name

    def create(self, compose=None, start=False, name=None, **more):
        """Creates a deployment that has to succeed; gives its name."""
        name = name or self.name()
        if name not in self.made:
            self.made.append(name)
        answer = self.api.post("/deployments", {
            "name": name,
            "compose_content": compose or one_service(),
            "auto_start": start,
            **more,
        })
        assert answer.status == 201, answer
        if start:
            assert answer.json["start_error"] == "", answer
        return name

    def directory(self, name):
        return self.service.path("deployments", name)

    def status(self, name):
        answer = self.api.get(f"/deployments/{name}")
        assert answer.status == 200, answer
        return answer.json["deployment"]["status"]

    def job(self, job_id, wait=60):
        """The job once it has ended."""
        end = time.monotonic() + wait
        while True:
            answer = self.api.get(f"/jobs/{job_id}?wait=10")
            assert answer.status == 200, answer
            job = answer.json["data"]
            if job["status"] in ("succeeded", "failed"):
                return job
            assert time.monotonic() < end, answer

    def remove_all(self):
        for name in self.made:
            answer = self.api.delete(f"/deployments/{name}")
            if answer.status == 409 and "active_job_id" in answer.json:
                self.job(answer.json["active_job_id"])
                answer = self.api.delete(f"/deployments/{name}")
            assert answer.status in (200, 404, 400), answer
            for one in self.engine.containers(name):
                self.engine.run("rm", "-f", one["Id"], check=False)


@pytest.fixture
def deployments(api, service):
    deployments = Deployments(api, service)
    yield deployments
    deployments.remove_all()


class ByHand:
    """What was made with docker itself, and goes with the test."""

    def __init__(self, engine, api):
        self.engine = engine
        self.api = api
        self.made = []

    def container(self, *options, image="test/web:1", command=(), start=True):
        """The whole id of a new container, which the service knows of."""
        verb = ["run", "-d"] if start else ["create"]
        identity = self.engine.run(
            *verb, *options, image, *command
        ).strip()
        self.made.append(("rm", "-f", "-v", identity))
        wait_until(
            lambda: self.state(identity) == ("running" if start else "created"),
            5, what=f"container {identity}",
        )
        return identity

    def state(self, identity):
        answer = self.api.get(f"/containers/{identity}")
        return answer.json["data"]["state"] if answer.status == 200 else None

    def network(self, name, *options):
        self.engine.run("network", "create", *options, name)
        self.made.append(("network", "rm", name))
        self.wait_for(f"/networks/{name}")
        return name

    def volume(self, name, *options):
        self.engine.run("volume", "create", *options, name)
        self.made.append(("volume", "rm", "-f", name))
        self.wait_for(f"/volumes/{name}")
        return name

    def wait_for(self, path):
        wait_until(lambda: self.api.get(path).status == 200, 5, what=path)

    def forget(self, *command):
        self.made.append(command)

    def remove_all(self):
        for command in sorted(self.made, key=lambda one: one[0] != "rm"):
            self.engine.run(*command, check=False)


@pytest.fixture
def by_hand(api, engine):
    by_hand = ByHand(engine, api)
    yield by_hand
    by_hand.remove_all()


@pytest.fixture(scope="module")
def running(service, registry):
    """One started web deployment for tests that only look."""
    api = Client(service, service.admin_key, "127.0.0.2")
    deployments = Deployments(api, service)
    name = deployments.create(
        one_service("test/talker:1", environment='{GREETING: "${GREETING}"}'),
        start=True,
        name=deployments.name("running"),
        env_vars=[{"key": "GREETING", "value": "hello"}],
    )
    wait_until(lambda: deployments.status(name) == "running")
    yield name
    deployments.remove_all()
