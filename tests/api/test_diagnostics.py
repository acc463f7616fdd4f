"""Why a deployment is not healthy, as data."""

from clients import assert_error, wait_until
from conftest import one_service


def diagnose(api, name):
    answer = api.get(f"/deployments/{name}/diagnostics")
    assert answer.status == 200, answer
    assert answer.json["deployment"] == name
    return answer.json


def problems(api, name):
    return {one["code"]: one for one in diagnose(api, name)["problems"]}


def test_what_is_well_is_said_to_be(api, deployments):
    name = deployments.create(one_service("test/healthy:1"), start=True)
    wait_until(lambda: diagnose(api, name)["healthy"], 10)
    seen = diagnose(api, name)
    assert seen["status"] == "running" and seen["health"] == "healthy"
    assert seen["problems"] == []
    assert seen["summary"] == "there is nothing wrong with it"
    [service] = seen["services"]
    assert service["service"] == "app" and service["state"] == "running"
    assert service["health"] == "healthy" and service["restart_count"] == 0
    assert "log_tail" not in service
    assert seen["last_job"]["status"] == "succeeded"


def test_a_crash_is_told_with_code_and_log(api, deployments):
    name = deployments.create(one_service("test/quitter:1"), start=True)
    wait_until(lambda: "CRASHED" in problems(api, name), 10)
    seen = diagnose(api, name)
    assert seen["healthy"] is False
    assert seen["summary"] == "'app' ended with exit code 3: it failed"
    [service] = seen["services"]
    assert service["exit_code"] == 3 and service["oom_killed"] is False
    assert service["log_tail"] == ["leaving"]
    assert problems(api, name)["CRASHED"]["service"] == "app"


def test_a_crash_loop_is_told(api, deployments):
    name = deployments.create(
        one_service("test/quitter:1", restart="always"), start=True)
    wait_until(lambda: "RESTART_LOOP" in problems(api, name), 20)


def test_too_much_memory_is_told(api, deployments):
    name = deployments.create(one_service(
        mem_limit="8m",
        command='["sh", "-c", "x=a; while :; do x=$$x$$x; done"]',
    ), start=True)
    wait_until(lambda: "OUT_OF_MEMORY" in problems(api, name), 20)
    [service] = diagnose(api, name)["services"]
    assert service["oom_killed"] is True and service["exit_code"] == 137


def test_a_failed_health_check_is_told(api, deployments):
    name = deployments.create(one_service() + (
        "    healthcheck:\n"
        "      test: ['CMD-SHELL', 'echo no database; exit 7']\n"
        "      interval: 1s\n      retries: 1\n"), start=True)
    wait_until(lambda: "UNHEALTHY" in problems(api, name), 15)
    [service] = diagnose(api, name)["services"]
    assert service["health_exit_code"] == 7
    assert "no database" in service["health_output"]
    assert "no database" in problems(api, name)["UNHEALTHY"]["message"]


def test_the_check_of_service_yml_is_told(api, deployments):
    name = deployments.create(one_service(), start=True, metadata={
        "networking": {"service": "app", "container_port": 81},
        "healthcheck": {"type": "tcp", "interval": "1s"},
    })
    wait_until(lambda: "CHECK_PENDING" in problems(api, name), 10)
    wait_until(
        lambda: problems(api, name)["CHECK_PENDING"]["message"] ==
        "nothing listens at port 81", 10)
    assert diagnose(api, name)["healthy"] is False


def test_a_missing_container_and_a_stopped_one_are_told(
    api, deployments, engine
):
    name = deployments.create(
        one_service() + "  side:\n    image: test/web:1\n"
        "  other:\n    image: test/web:1\n    restart: unless-stopped\n",
        start=True)
    engine.run("rm", "-f", f"{name}-side")
    engine.run("stop", f"{name}-other")
    wait_until(lambda: "STOPPED" in problems(api, name), 10)
    seen = problems(api, name)
    assert seen["NO_CONTAINER"]["service"] == "side"
    assert seen["STOPPED"]["service"] == "other"


def test_a_stopped_deployment_is_not_healthy(api, deployments):
    name = deployments.create()
    seen = diagnose(api, name)
    assert seen["healthy"] is False and seen["status"] == "stopped"
    assert seen["summary"] == "the deployment does not run"


def test_files_that_cannot_run_and_a_failed_job_are_told(api, deployments):
    name = deployments.create()
    with open(deployments.directory(name) + "/docker-compose.yml", "w") as file:
        file.write("services:\n  app:\n    image: test/web:1\n"
                   "    privileged: true\n")
    # The file may be seen before all of it is written.
    wait_until(
        lambda: "privileged" in problems(api, name)
        .get("CANNOT_RUN", {"message": ""})["message"], 10)
    assert api.post(f"/deployments/{name}/start").status == 403
    failed = problems(api, name)["JOB_FAILED"]
    assert "the last start failed" in failed["message"]


def test_who_is_not_there_and_a_viewer(api, deployments, viewer):
    assert_error(api.get("/deployments/nobody/diagnostics"), 404,
                 "DEPLOYMENT_NOT_FOUND")
    name = deployments.create()
    assert viewer.get(f"/deployments/{name}/diagnostics").status == 200
