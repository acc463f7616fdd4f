"""Health of deployments: Docker's checks and that of service.yml."""

import pytest

from clients import assert_error, wait_until
from conftest import one_service
from test_events import Events


def health(api, name):
    answer = api.get(f"/deployments/{name}")
    assert answer.status == 200, answer
    return answer.json["deployment"]["health"]


def checked(path="/index.html", **more):
    return {
        "networking": {"service": "app", "container_port": 80},
        "healthcheck": {
            "type": "http", "path": path, "interval": "1s", **more,
        },
    }


def listed(api, name, query=""):
    answer = api.get("/deployments" + query)
    assert answer.status == 200, answer
    return [one for one in answer.json["deployments"] if one["name"] == name]


@pytest.mark.parametrize("image, expected", [
    ("test/healthy:1", "healthy"),
    ("test/sick:1", "unhealthy"),
    ("test/web:1", "none"),
])
def test_dockers_checks_are_the_deployments_health(
    api, deployments, image, expected
):
    name = deployments.create(one_service(image), start=True)
    wait_until(lambda: health(api, name) == expected, 10)
    assert [one["health"] for one in listed(api, name)] == [expected]
    assert listed(api, name, f"?health={expected}")
    others = {"healthy", "unhealthy", "none", "starting"} - {expected}
    for other in others:
        assert listed(api, name, f"?health={other}") == []
    api.post(f"/deployments/{name}/stop")
    assert health(api, name) == "none"


def test_a_crash_loop_is_unhealthy(api, deployments):
    name = deployments.create(
        one_service("test/quitter:1", restart="always") +
        "  side:\n    image: test/web:1\n", start=True)
    wait_until(lambda: health(api, name) == "unhealthy", 20)


def test_the_check_of_service_yml_is_asked(api, deployments, engine):
    name = deployments.create(
        one_service(), metadata=checked(response_contains="hello"), start=True)
    wait_until(lambda: health(api, name) == "healthy", 10)
    check = api.get(f"/deployments/{name}").json["deployment"]["health_check"]
    assert check["status"] == "healthy" and check["reason"] == ""
    assert check["http_status"] == 200 and check["duration_ms"] >= 0

    with Events(api, f"?types=deployment&deployment={name}") as events:
        engine.run("exec", name, "mv", "/www/index.html", "/www/gone")
        seen = events.until(
            lambda record: record[2].get("health") == "unhealthy")
        assert seen[-1][2]["name"] == name
        assert seen[-1][2]["status"] == "running"
        deployment = api.get(f"/deployments/{name}").json["deployment"]
        assert deployment["health"] == "unhealthy"
        assert deployment["health_check"]["http_status"] == 404
        assert deployment["health_check"]["reason"] == \
            "GET /index.html answered 404"
        engine.run("exec", name, "mv", "/www/gone", "/www/index.html")
        events.until(lambda record: record[2].get("health") == "healthy")


def test_a_list_changes_with_the_health(api, deployments, engine):
    name = deployments.create(one_service(), metadata=checked(), start=True)
    wait_until(lambda: health(api, name) == "healthy", 10)
    etag = api.get("/deployments").headers["etag"]
    engine.run("exec", name, "rm", "/www/index.html")
    wait_until(lambda: health(api, name) == "unhealthy", 15)
    answer = api.get("/deployments", headers={"If-None-Match": etag})
    assert answer.status == 200


def test_other_statuses_and_tcp_may_be_good(api, deployments):
    missing = deployments.create(
        one_service(), start=True,
        metadata=checked("/missing", success_statuses=[404]))
    tcp = deployments.create(one_service(), start=True, metadata={
        "networking": {"service": "app", "container_port": 80},
        "healthcheck": {"type": "tcp", "interval": "1s"},
    })
    wait_until(lambda: health(api, missing) == "healthy", 10)
    wait_until(lambda: health(api, tcp) == "healthy", 10)


def test_a_new_container_starts_anew(api, deployments, engine):
    name = deployments.create(one_service(), metadata=checked(), start=True)
    wait_until(lambda: health(api, name) == "healthy", 10)
    before = api.get(f"/deployments/{name}").json["deployment"]["health_check"]
    api.post(f"/deployments/{name}/stop")
    wait_until(
        lambda: api.get(f"/deployments/{name}").json["deployment"]
        ["health_check"] is None, 5)
    api.post(f"/deployments/{name}/start")
    wait_until(lambda: health(api, name) == "healthy", 10)
    after = api.get(f"/deployments/{name}").json["deployment"]["health_check"]
    assert after["checked_at"] > before["checked_at"]


def test_a_restart_of_the_agent_is_no_news(api, deployments, service):
    name = deployments.create(one_service(), metadata=checked(), start=True)
    wait_until(lambda: health(api, name) == "healthy", 10)
    before = api.get(f"/deployments/{name}").json["deployment"]["health_check"]
    service.restart_agent()
    wait_until(
        lambda: api.get(f"/deployments/{name}").json["deployment"]
        ["health_check"]["checked_at"] > before["checked_at"], 10)
    after = api.get(f"/deployments/{name}").json["deployment"]["health_check"]
    assert after["changed_at"] == before["changed_at"]
    assert after["status"] == "healthy"


def test_nonsense_is_refused(api, deployments):
    assert_error(api.get("/deployments?health=fine"), 400, field="health")
    answer = api.post("/deployments", {
        "name": deployments.name(),
        "compose_content": one_service(),
        "metadata": {"healthcheck": {"type": "gopher"}},
    })
    assert_error(answer, 400, field="metadata.healthcheck.type")
