"""Commands of service.yml, run in the deployment's containers."""

import os
import time

import pytest

from clients import assert_error, wait_until
from conftest import Deployments, one_service

ACTIONS = [
    {"id": "hello", "name": "Say hello", "command": "echo hello $((1 + 1))",
     "service": "app"},
    {"id": "list", "command": ["printf", "%s|", "$(id)", "a b", "*"]},
    {"id": "other", "command": "cat /etc/hostname", "service": "side"},
    {"id": "fails", "command": "echo before; sleep 0.2; echo why >&2; exit 4"},
    {"id": "hangs", "command": "echo started; sleep 1000", "timeout": 1},
    {"id": "slow", "command": "echo started; sleep 3"},
    {"id": "loud", "command": "head -c 2000000 /dev/zero | tr '\\0' x"},
    {"id": "nowhere", "command": "true", "service": "gone"},
    {"id": "nothing", "command": ""},
    {"id": "a b/c", "command": "echo spaced"},
]


@pytest.fixture(scope="module")
def name(service, engine):
    deployments = Deployments(
        service.client(service.admin_key, "127.0.0.4"), service
    )
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1, stop_grace_period: 1s, "
        "hostname: the-app}\n"
        "  side: {image: test/web:1, stop_grace_period: 1s, "
        "hostname: the-side}\n",
        start=True,
        name=deployments.name("acting"),
        metadata={"name": "acting", "quick_actions": ACTIONS},
    )
    yield name
    deployments.remove_all()


def act(api, name, action, **options):
    return api.post(f"/deployments/{name}/actions/{action}", **options)


def test_a_text_is_run_by_the_containers_shell(api, name):
    answer = act(api, name, "hello")
    assert answer.status == 200, answer
    body = answer.json
    assert body["output"] == "hello 2\n" and body["exit_code"] == 0
    assert body["action_id"] == "hello" and body["message"]
    assert body["name"] == name and body["service"] == "app"


def test_a_list_is_run_as_it_is(api, name):
    answer = act(api, name, "list")
    assert answer.status == 200, answer
    assert answer.json["output"] == "$(id)|a b|*|"


def test_an_action_runs_in_its_service(api, name):
    assert act(api, name, "other").json["output"] == "the-side\n"


def test_an_id_may_be_any_text(api, name):
    assert act(api, name, "a%20b%2Fc").json["output"] == "spaced\n"


def test_a_failing_action_is_502_with_its_output(api, name):
    body = assert_error(act(api, name, "fails"), 502, "COMMAND_FAILED")
    assert body["output"].split() == ["before", "why"]
    assert body["exit_code"] == 4 and body["action_id"] == "fails"


def test_an_action_has_its_time(api, name, engine):
    answer = act(api, name, "hangs")
    body = assert_error(answer, 504, "EXEC_TIMEOUT")
    assert body["output"] == "started\n" and answer.seconds < 8
    container = next(
        one["Id"] for one in engine.containers(name)
        if one["Labels"]["com.docker.compose.service"] == "app"
    )
    assert "sleep 1000\n" not in engine.run(
        "top", container, "-o", "pid,args"
    )


def test_the_output_is_bounded(api, name):
    answer = act(api, name, "loud")
    assert answer.status == 200, answer
    assert answer.json["truncated"] is True
    assert 100_000 < len(answer.json["output"]) <= 256 * 1024


@pytest.mark.parametrize("action", ["unknown", "HELLO", "..", "x" * 200])
def test_an_unknown_action_is_404(api, name, action):
    assert_error(act(api, name, action), 404, "ACTION_NOT_FOUND")


def test_an_action_of_a_service_that_does_not_run_is_409(api, name):
    assert_error(act(api, name, "nowhere"), 409, "SERVICE_NOT_RUNNING")


def test_a_command_that_is_none_is_said_to_be_so(api, name):
    assert_error(
        act(api, name, "nothing"), 400, "INVALID_METADATA", "command"
    )


@pytest.mark.parametrize("command", [{"a": 1}, 1, [], ["a", 2]])
def test_a_command_that_is_none_is_not_stored(api, name, command):
    answer = api.put(f"/deployments/{name}/metadata", {
        "quick_actions": [{"id": "x", "command": command}],
    })
    assert answer.status == 400, answer
    assert answer.json["field"].endswith("quick_actions[0].command"), answer


def test_a_deployment_that_is_stopped_or_has_no_actions(api, deployments):
    name = deployments.create(one_service())
    assert_error(act(api, name, "hello"), 404, "ACTION_NOT_FOUND")
    path = os.path.join(deployments.directory(name), "service.yml")
    with open(path, "w") as out:
        out.write("quick_actions:\n  - {id: hello, command: id}\n")
    assert_error(act(api, name, "hello"), 409, "SERVICE_NOT_RUNNING")
    with open(path, "w") as out:
        out.write("quick_actions:\n  - {id: hello, command: {a: 1}}\n")
    answer = act(api, name, "hello")
    assert_error(answer, 400, "INVALID_METADATA", "command")
    with open(path, "w") as out:
        out.write("quick_actions: nonsense\n")
    assert_error(act(api, name, "hello"), 404, "ACTION_NOT_FOUND")
    with open(path, "w") as out:
        out.write("quick_actions: [\n")
    assert_error(act(api, name, "hello"), 400, "INVALID_METADATA")


def test_two_actions_run_side_by_side_and_no_change_beside_them(api, name):
    slow = act(api, name, "slow", headers={"Prefer": "respond-async"})
    assert slow.status == 202, slow
    started = time.monotonic()
    assert act(api, name, "hello").status == 200
    assert time.monotonic() - started < 2.5
    answer = api.post(f"/deployments/{name}/restart")
    body = assert_error(answer, 409, "DEPLOYMENT_BUSY")
    assert body["active_job_id"] == slow.json["job_id"]
    job_id = slow.json["job_id"]
    job = wait_until(
        lambda: (lambda one: one if one["status"] == "succeeded" else None)(
            api.get(f"/deployments/{name}/jobs/{job_id}").json
        ), 20, what="the end of the action",
    )
    assert job["output"] == "started\n" and job["action"] == "action"


def test_operators_act_and_viewers_do_not_see_what_it_said(
        viewer, operator, name):
    answer = act(operator, name, "hello")
    assert answer.status == 200, answer
    assert_error(act(viewer, name, "hello"), 403)
    job = viewer.get(f"/jobs/{answer.json['job_id']}").json
    assert job["output"] == "" and job["lines"] == []
