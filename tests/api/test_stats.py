"""Statistics: from the agent's samples, never from a slow call."""

from clients import wait_until
from conftest import one_service


def stats(api, name):
    answer = api.get(f"/deployments/{name}/stats")
    assert answer.status == 200, answer
    return answer.json


def test_statistics_of_a_running_deployment(api, running, engine):
    wait_until(lambda: stats(api, running)["services"], 5)
    body = stats(api, running)
    assert body["deployment"] == running
    one = body["services"][0]
    container = engine.containers(running)[0]
    assert one["container_id"] == container["Id"][:12]
    assert one["name"] == container["Names"][0].lstrip("/")
    for key in ("memory_usage", "memory_limit", "network_rx", "network_tx",
                "block_read", "block_write", "pids"):
        assert isinstance(one[key], int) and one[key] >= 0, one
    assert one["memory_usage"] > 0 and one["pids"] >= 1
    assert one["memory_limit"] > one["memory_usage"]
    assert 0 <= one["cpu_percent"] <= 100 * 64
    assert 0 < one["memory_percent"] <= 100


def test_the_summary_is_the_sum(api, deployments):
    name = deployments.create(
        "services:\n"
        "  a: {image: test/web:1}\n"
        "  b: {image: test/web:1}\n", start=True,
    )
    wait_until(lambda: len(stats(api, name)["services"]) == 2, 5)
    body = stats(api, name)
    for key in ("cpu_percent", "memory_percent", "memory_usage",
                "memory_limit"):
        total = sum(one[key] for one in body["services"])
        assert abs(body["summary"][key] - total) < 0.1 + total / 1000, body


def test_a_busy_container_uses_a_processor(api, deployments):
    name = deployments.create(
        one_service("test/busy:1", cpus="0.5"), start=True
    )
    wait_until(
        lambda: stats(api, name)["summary"]["cpu_percent"] > 20, 10,
    )
    assert stats(api, name)["summary"]["cpu_percent"] < 100


def test_a_memory_limit_is_shown(api, deployments):
    name = deployments.create(
        one_service("test/web:1", mem_limit="64m"), start=True
    )
    wait_until(lambda: stats(api, name)["services"], 5)
    assert stats(api, name)["services"][0]["memory_limit"] == 64 * 1024 * 1024


def test_statistics_are_fast(api, running):
    wait_until(lambda: stats(api, running)["services"], 5)
    fastest = min(
        api.get(f"/deployments/{running}/stats").seconds for _ in range(5)
    )
    assert fastest < 0.1


def test_what_does_not_run_has_no_statistics(api, deployments):
    name = deployments.create(start=True)
    wait_until(lambda: stats(api, name)["services"], 5)
    assert api.post(f"/deployments/{name}/stop").status == 200
    body = wait_until(
        lambda: (lambda one: one if one["services"] == [] else None)(
            stats(api, name)), 5,
    )
    assert body["summary"] == {
        "cpu_percent": 0, "memory_percent": 0, "memory_usage": 0,
        "memory_limit": 0,
    }
