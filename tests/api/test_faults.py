"""Processes that die, an Engine that goes away, files that change."""

import concurrent.futures
import http.client
import os
import threading
import time

import pytest

from clients import assert_error, wait_until
from conftest import STUBBORN, one_service
from service import processes_of_jobs


def in_background(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    return thread, results


def is_intact(service):
    with service.database() as database:
        return database.execute(
            "PRAGMA integrity_check").fetchone()[0] == "ok"


# Workers


def test_a_worker_killed_in_a_request_costs_that_request_alone(
        api, anonymous, deployments, service):
    name = deployments.create(STUBBORN, start=True)
    before = set(service.workers())
    thread, results = in_background(
        lambda: api.post(f"/deployments/{name}/stop")
    )
    jobs = f"/deployments/{name}/jobs/active"
    wait_until(lambda: api.get(jobs).status == 200, 3)
    job_id = api.get(jobs).json["data"]["id"]
    service.kill_workers()
    thread.join(5)
    assert not thread.is_alive()
    assert_error(results[0], 502)
    wait_until(lambda: len(set(service.workers()) - before) == 2, 3)
    assert anonymous.get("/health").status == 200
    # The change went on, and is on record.
    assert deployments.job(job_id)["status"] == "succeeded"
    assert deployments.status(name) == "stopped"
    assert is_intact(service)


def test_one_dead_worker_is_replaced_while_the_other_answers(
        service, anonymous):
    victim = service.workers()[0]
    statuses = []
    service.kill_worker(victim)
    for number in range(20):
        statuses.append(
            anonymous.get("/health").status
        )
        time.sleep(0.02)
    assert statuses.count(200) >= 19, statuses
    wait_until(
        lambda: len(service.workers()) == 2
        and victim not in service.workers(), 2,
    )


def test_all_workers_killed_ten_times_come_back(
        service, api, deployments, engine):
    name = deployments.create(start=True)
    for _ in range(10):
        service.kill_workers()
        time.sleep(0.8)
    started = time.monotonic()
    wait_until(lambda: api.get("/deployments").status == 200, 5)
    assert time.monotonic() - started < 5
    assert engine.states(name) == ["running"]
    assert service.pools["workers"].poll() is None
    assert is_intact(service)


def test_requests_while_workers_die_are_answered_in_json(service, anonymous):
    stop = threading.Event()

    def kill():
        while not stop.is_set():
            service.kill_workers()
            time.sleep(0.3)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        answers = [anonymous.get("/health") for _ in range(30)
                   if time.sleep(0.1) is None]
    finally:
        stop.set()
        thread.join()
    for answer in answers:
        assert answer.status in (200, 502, 503), answer
        assert answer.header("Content-Type").startswith("application/json")
        assert answer.json
    wait_until(lambda: anonymous.get("/health").status == 200, 5)


def test_workers_finish_their_request_when_asked_to_end(
        service, api, deployments):
    name = deployments.create(STUBBORN, start=True)
    thread, results = in_background(
        lambda: api.post(f"/deployments/{name}/stop")
    )
    wait_until(
        lambda: api.get(f"/deployments/{name}/jobs/active").status == 200, 3
    )
    for worker in service.workers():
        os.kill(worker, 15)
    thread.join(20)
    assert results[0].status == 200, results
    wait_until(lambda: api.get("/health").status == 200, 5)


def test_no_workers_at_all_is_502_or_503_in_json(service, anonymous):
    pool = service.pools["workers"]
    pool.terminate()
    pool.wait(20)
    try:
        answer = anonymous.get("/health")
        assert answer.status in (502, 503), answer
        assert_error(answer, answer.status)
    finally:
        service.start_pool("workers")
        service.wait_until_ready()


# The agent


def test_an_agent_killed_in_a_start_leaves_a_failed_job_and_no_lock(
        api, deployments, service, engine):
    name = deployments.create(
        "services:\n"
        "  app:\n"
        "    image: test/web:1\n"
        "    depends_on: {slow: {condition: service_healthy}}\n"
        "  slow: {image: test/slow:1}\n"
    )
    answer = api.post(
        f"/deployments/{name}/start", headers={"Prefer": "respond-async"}
    )
    job_id = answer.json["job_id"]
    wait_until(lambda: engine.containers(name), 10)
    assert api.get(f"/jobs/{job_id}").json["status"] == "running"
    service.kill_agent()
    service.start_agent()
    service.wait_until_ready()
    job = deployments.job(job_id, wait=10)
    assert job["status"] == "failed"
    assert job["error_code"] == "JOB_INTERRUPTED"
    wait_until(lambda: not processes_of_jobs(), 5)
    assert api.get(f"/deployments/{name}/jobs/active").status == 404
    with open(os.path.join(
            deployments.directory(name), "docker-compose.yml")) as compose:
        assert compose.read().count("image:") == 2
    answer = api.post(f"/deployments/{name}/start")
    assert answer.status == 200, answer
    assert engine.states(name) == ["running", "running"]
    assert is_intact(service)


def test_an_agent_killed_in_an_action_on_a_service_leaves_no_lock(
        api, deployments, service, engine):
    name = deployments.create(STUBBORN, start=True)
    answer = api.post(
        f"/deployments/{name}/services/app/job", {"action": "stop"}
    )
    assert answer.status == 202, answer
    wait_until(processes_of_jobs, 5, what="a process of the job")
    service.kill_agent()
    service.start_agent()
    service.wait_until_ready()
    job = deployments.job(answer.json["job_id"], wait=10)
    assert job["error_code"] == "JOB_INTERRUPTED", job
    answer = api.post(f"/deployments/{name}/services/app/start")
    assert answer.status == 200, answer
    assert engine.states(name) == ["running"]


def test_a_leftover_of_an_interrupted_recreate_does_not_block_a_start(
        api, deployments, engine):
    name = deployments.create(start=True)
    container = engine.containers(name)[0]
    short = container["Id"][:12]
    plain = container["Names"][0].lstrip("/")
    # What Compose leaves when it is killed between rename and create.
    engine.run("rename", plain, f"{short}_{plain}")
    engine.run("stop", f"{short}_{plain}")
    answer = api.post(f"/deployments/{name}/start", {"force_recreate": True})
    assert answer.status == 200, answer
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_an_agent_killed_at_any_moment_of_a_create_leaves_all_or_nothing(
        api, deployments, service, delay):
    name = deployments.name("torn")
    text = one_service() + "# the last line\n"
    thread, results = in_background(
        lambda: api.post("/deployments", {
            "name": name, "compose_content": text, "auto_start": True,
        })
    )
    time.sleep(delay)
    service.kill_agent()
    thread.join(70)
    service.start_agent()
    service.wait_until_ready()
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    if os.path.exists(path):
        with open(path) as compose:
            assert "# the last line" in compose.read()
        wait_until(lambda: api.get(f"/deployments/{name}").status == 200, 2)
    else:
        assert not os.path.exists(deployments.directory(name))
        assert api.get(f"/deployments/{name}").status == 404
    staging = service.path("deployments", ".flatrun", "staging")
    assert not os.path.exists(staging) or os.listdir(staging) == []
    assert api.delete(f"/deployments/{name}").status in (200, 404)
    assert is_intact(service)


def test_without_the_agent_reads_say_that_they_are_stale(
        api, anonymous, deployments, service):
    name = deployments.create()
    service.stop_agent()
    try:
        health = wait_until(
            lambda: (lambda one: one if one.json["status"] == "degraded"
                     else None)(anonymous.get("/health")), 8,
        )
        assert health.status == 200
        answer = api.get("/deployments")
        assert answer.status == 200, answer
        assert answer.header("Warning").startswith("110")
        assert answer.json["stale"] is True
        assert name in [one["name"] for one in answer.json["data"]]
        answer = api.post(f"/deployments/{name}/start")
        assert_error(answer, 503)
        assert answer.seconds < 3
    finally:
        service.start_agent()
        service.wait_until_ready()
    answer = api.get("/deployments")
    assert answer.header("Warning") is None
    assert "stale" not in answer.json or answer.json["stale"] is False
    assert api.post(f"/deployments/{name}/start").status == 200


def test_a_restart_of_the_agent_lets_workers_find_it_again(
        api, deployments, service):
    name = deployments.create()
    for _ in range(2):
        service.restart_agent()
        assert api.post(f"/deployments/{name}/start").status == 200


def test_a_second_agent_does_not_start(service):
    first = service.agent
    service.start_agent()
    second, service.agent = service.agent, first
    try:
        assert second.wait(10) != 0
    finally:
        if second.poll() is None:
            second.kill()
    assert service.health()["status"] == "healthy"


# The Engine


def test_docker_stopped_and_started_again_under_a_running_service(
        api, anonymous, deployments, service, engine):
    name = deployments.create(
        one_service("test/web:1", restart="always"), start=True
    )
    engine.stop()
    try:
        wait_until(
            lambda: anonymous.get("/health").json["status"] == "degraded", 8
        )
        answer = api.get("/deployments")
        assert answer.status == 200, answer
        one = [one for one in answer.json["data"] if one["name"] == name][0]
        assert one["status"] == "unknown"
        answer = api.post(f"/deployments/{name}/start")
        assert_error(answer, 503, "DOCKER_UNAVAILABLE")
        assert answer.seconds < 2
        assert_error(
            api.get(f"/deployments/{name}/logs"), 503, "DOCKER_UNAVAILABLE"
        )
        # Files can still be changed.
        answer = api.put(f"/deployments/{name}", {
            "compose_content": one_service("test/web:1", restart="always"),
        })
        assert answer.status == 200, answer
    finally:
        engine.start()
    service.wait_until_ready()
    wait_until(lambda: deployments.status(name) == "running", 10)
    assert api.post(f"/deployments/{name}/restart").status == 200


def test_what_happens_while_docker_is_away_is_seen_afterwards(
        deployments, service, engine):
    name = deployments.create(start=True)
    engine.kill()
    wait_until(lambda: service.health()["status"] == "degraded", 8)
    engine.start()
    service.wait_until_ready()
    # Whatever became of the container, the service and the Engine agree.
    expected = {"running": "running", "exited": "stopped"}
    wait_until(
        lambda: deployments.status(name) == expected[engine.states(name)[0]],
        10,
    )


LISTS = ("containers", "images", "volumes", "networks")


def test_the_lists_of_docker_say_that_it_is_away_and_come_back(
        api, anonymous, engine, service):
    engine.run("volume", "create", "kept")
    engine.run("create", "--name", "kept", "-v", "kept:/data", "test/web:1")
    tags = {}
    for name in LISTS:
        answer = api.get(f"/{name}")
        assert answer.status == 200, answer
        tags[name] = answer.header("ETag")
    engine.stop()
    try:
        wait_until(
            lambda: anonymous.get("/health").json["status"] == "degraded", 8
        )
        paths = [f"/{name}" for name in LISTS] + [
            "/containers/kept", "/containers/stats", "/containers/kept/stats",
            "/images/test%2Fweb:1", "/volumes/kept", "/networks/bridge",
        ]
        for path in paths:
            etag = tags.get(path[1:])
            answer = api.get(path, headers={"If-None-Match": etag})
            assert_error(answer, 503, "DOCKER_UNAVAILABLE")
            assert answer.header("ETag") is None
            assert answer.seconds < 1
    finally:
        engine.start()
    # Nothing in between: the first answer is already the new truth.
    first = {}
    for name in LISTS:
        first[name] = wait_until(
            lambda: (lambda one: one if one.status == 200 else None)(
                api.get(f"/{name}")), 15)
        assert first[name].header("ETag") != tags[name]
    try:
        kept = [one for one in first["volumes"].json["data"]
                if one["name"] == "kept"]
        assert kept[0]["containers"] == ["kept"]
        assert {one["Id"] for one in engine.containers()} >= {
            api.get("/containers/kept").json["container"]["full_id"]}
        assert len(first["images"].json["data"]) == len(
            engine.api("/images/json"))
        assert {one["full_id"] for one in first["networks"].json["data"]} == {
            one["Id"] for one in engine.api("/networks")}
    finally:
        engine.run("rm", "-f", "kept")
        engine.run("volume", "rm", "kept")
    service.wait_until_ready()


def test_changes_say_that_docker_is_away_and_work_again(
        api, anonymous, by_hand, engine, service):
    identity = by_hand.container()
    by_hand.network("net-fault")
    by_hand.volume("vol-fault")
    member = {"container": identity}
    changes = [
        ("POST", f"/containers/{identity}/stop", None),
        ("POST", f"/containers/{identity}/exec", {"command": "true"}),
        ("PUT", f"/containers/{identity}/resources", {"cpu_shares": 512}),
        ("DELETE", f"/containers/{identity}", None),
        ("POST", "/volumes", {"name": "vol-fault-2"}),
        ("DELETE", "/volumes/vol-fault", None),
        ("POST", "/volumes/prune", None),
        ("POST", "/networks", {"name": "net-fault-2"}),
        ("POST", "/networks/net-fault/connect", member),
        ("DELETE", "/networks/net-fault", None),
    ]
    engine.stop()
    try:
        wait_until(
            lambda: anonymous.get("/health").json["status"] == "degraded", 8
        )
        for method, path, content in changes:
            answer = api.request(method, path, content)
            assert_error(answer, 503, "DOCKER_UNAVAILABLE")
            assert answer.seconds < 2
        assert_error(
            api.get(f"/containers/{identity}/resources"), 503,
            "DOCKER_UNAVAILABLE",
        )
    finally:
        engine.start()
    service.wait_until_ready()
    assert api.post(f"/containers/{identity}/start").status == 200
    answer = api.post("/networks/net-fault/connect", member)
    assert answer.status == 200, answer
    answer = api.post(
        f"/containers/{identity}/exec", {"command": "echo", "args": ["back"]}
    )
    assert answer.status == 200 and answer.json["output"] == "back\n", answer


def test_an_agent_killed_while_a_program_runs_says_so(api, by_hand, engine, service):
    identity = by_hand.container()
    answer = api.post(
        f"/containers/{identity}/exec", {"command": "sleep", "args": ["5"]},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202, answer
    service.kill_agent()
    service.start_agent()
    service.wait_until_ready()
    job = api.get(f"/jobs/{answer.json['job_id']}").json["data"]
    assert job["status"] == "failed"
    assert job["error_code"] == "JOB_INTERRUPTED"
    # Nothing is locked.
    assert api.post(f"/containers/{identity}/stop").status == 200


def test_an_engine_that_hangs_does_not_hang_the_service(
        api, anonymous, running, service, engine):
    engine.freeze()
    try:
        time.sleep(1)
        assert anonymous.get("/health").seconds < 0.5
        answer = api.get("/deployments")
        assert answer.status == 200 and answer.seconds < 1, answer
        assert api.get("/containers").seconds < 1
        assert api.get(f"/deployments/{running}/stats").seconds < 1
        answer = api.get(f"/deployments/{running}/logs")
        assert answer.status in (503, 504), answer
        assert answer.seconds < 15
    finally:
        engine.thaw()
    service.wait_until_ready(30)
    assert api.get(f"/deployments/{running}/logs").status == 200


# Many at once


def test_a_hundred_clients_get_answers(api, anonymous, deployments, service):
    deployments.create()

    def ask(number):
        client = api.from_address(f"127.20.{number % 50}.1")
        return client.get(
            ("/deployments", "/health", "/jobs", "/containers")[number % 4]
        )

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(1000)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.status == 200 for answer in answers) > 990
    assert max(answer.seconds for answer in answers) < 10


def test_descriptors_do_not_leak(api, anonymous, service):
    def descriptors():
        return [
            len(os.listdir(f"/proc/{process}/fd"))
            for process in (*service.workers(), service.agent.pid)
        ]

    def work(count):
        for number in range(count):
            client = api.from_address(f"127.21.{number % 100}.1")
            client.get("/deployments")
            client.get("/nothing")
            client.with_token("bad").get("/jobs")
            client.post("/deployments", {"name": "Bad Name"})

    work(20)
    time.sleep(1)
    before = descriptors()
    work(200)
    time.sleep(1)
    after = descriptors()
    assert max(b - a for a, b in zip(before, after)) <= 3, (before, after)


class Poller(threading.Thread):
    """Reads the list of containers all the time."""

    def __init__(self, api):
        super().__init__()
        self.api = api
        self.statuses = set()
        self.duplicates = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            answer = self.api.get("/containers")
            self.statuses.add(answer.status)
            if answer.status == 200:
                listed = [one["id"] for one in answer.json["containers"]]
                if len(set(listed)) != len(listed):
                    self.duplicates.append(listed)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.join()


def test_a_hundred_containers_are_changed_and_the_engine_restarts_in_between(
        api, service, engine):
    names = [f"hundred-{number}" for number in range(100)]
    # One program for many, without networks: starting is what is tested.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: engine.run(
            "create", "--network", "none", "--name", name, "test/web:1"
        ), names))
    wait_until(
        lambda: api.get("/containers?name=hundred-").json["total"] == 100, 10
    )

    def change(name, verb, after):
        """The list is right at the moment of the answer."""
        answer = api.post(f"/containers/{name}/{verb}")
        if answer.status == 202:
            path = f"/jobs/{answer.json['job_id']}?wait=60"
            assert api.get(path).json["status"] == "succeeded"
        else:
            assert answer.status == 200, answer
        listed = api.get(f"/containers?name={name}").json["containers"]
        states = {one["name"]: one["state"] for one in listed}
        assert states[name] == after, (verb, states)

    def change_all(verb, after):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: change(name, verb, after), names))

    def agree():
        listed = api.get("/containers?name=hundred-").json["containers"]
        states = {one["name"]: one["state"] for one in listed}
        theirs = {one["Names"][0][1:]: one["State"]
                  for one in engine.containers()}
        return states == {name: theirs[name] for name in names} and states

    try:
        with Poller(api.from_address("127.0.0.77")) as poller:
            change_all("start", "running")
            assert set(agree().values()) == {"running"}
            engine.stop()
            engine.start()
            service.wait_until_ready()
            assert set(wait_until(agree, 15).values()) == {"exited"}
            change_all("start", "running")
            change_all("stop", "exited")
            assert set(agree().values()) == {"exited"}
        assert {200} <= poller.statuses <= {200, 429, 503}
        assert not poller.duplicates
    finally:
        engine.run("rm", "-f", *names)
