"""Programs run in containers."""

import threading
import time

import pytest

from clients import assert_error, wait_until


def run(api, identity, command=None, *args, **more):
    content = {"args": list(args), **more}
    if command is not None:
        content["command"] = command
    return api.post(f"/containers/{identity}/exec", content)


@pytest.fixture(scope="module")
def box(engine, service):
    identity = engine.run("run", "-d", "test/web:1").strip()
    api = service.client(service.admin_key, "127.0.0.3")
    wait_until(lambda: api.get(f"/containers/{identity}").status == 200, 5)
    yield identity
    engine.run("rm", "-f", identity)


def running_programs(engine, identity):
    return engine.run("top", identity, "-o", "pid,args")


def test_a_program_gives_its_output(api, box):
    answer = run(api, box, "echo", "hello", "there")
    assert answer.status == 200, answer
    assert answer.json["output"] == "hello there\n"
    assert answer.json["exit_code"] == 0
    assert answer.json["truncated"] is False
    assert answer.json["message"] == "Command executed"
    assert answer.json["id"] == box


def test_both_streams_are_in_the_output(api, box):
    answer = run(api, box, "sh", "-c", "echo out; sleep 0.2; echo err >&2")
    assert answer.json["output"] == "out\nerr\n"


def test_no_shell_of_ours_reads_the_arguments(api, box):
    words = ["$(id)", "`id`", "; id", "a  b", "", "*", "'", '"', "\\", "\n"]
    answer = run(api, box, "printf", "%s|", *words)
    assert answer.status == 200, answer
    assert answer.json["output"] == "".join(one + "|" for one in words)


def test_a_failing_command_is_502_with_its_output(api, box):
    answer = run(
        api, box, "sh", "-c", "echo before; sleep 0.2; echo why >&2; exit 3"
    )
    body = assert_error(answer, 502, "COMMAND_FAILED")
    assert body["output"] == "before\nwhy\n"
    assert body["exit_code"] == 3
    assert "3" in body["error"]


def test_a_command_that_is_not_there_fails(api, box):
    answer = run(api, box, "no-such-program")
    body = assert_error(answer, 502, "COMMAND_FAILED")
    assert body["exit_code"] in (126, 127)
    assert "no-such-program" in body["output"]


def test_a_shell_without_input_ends_at_once(api, box):
    for content in (None, {}, {"command": "sh"}):
        answer = api.post(f"/containers/{box}/exec", content)
        assert answer.status == 200, answer
        assert answer.json["output"] == "" and answer.seconds < 5


def test_environment_user_and_directory_are_given(api, box):
    answer = run(
        api, box, "sh", "-c", "echo $A; pwd; id -u", env={"A": "b c"},
        workdir="/tmp", user="1234:1234",
    )
    assert answer.status == 200, answer
    assert answer.json["output"] == "b c\n/tmp\n1234\n"


def test_a_user_that_is_not_there_fails(api, box):
    answer = run(api, box, "true", user="nobody-here")
    body = assert_error(answer, 502, "COMMAND_FAILED")
    assert "nobody-here" in body["output"] and body["exit_code"] != 0


def test_a_directory_that_is_not_there_fails(api, box):
    answer = run(api, box, "true", workdir="/no/such/place")
    body = assert_error(answer, 502)
    assert body["code"] in ("COMMAND_FAILED", "DOCKER_ERROR"), answer


def test_output_is_bounded(api, box):
    answer = run(api, box, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert answer.status == 200, answer
    assert answer.json["truncated"] is True
    assert answer.json["output"] == "x" * 256 * 1024
    assert answer.json["exit_code"] == 0


def test_binary_output_becomes_valid_text(api, box):
    answer = run(
        api, box, "printf", r"bad \377\376 bytes\n\033[31mred\000end\n"
    )
    assert answer.status == 200, answer
    assert "bad \ufffd\ufffd bytes\n\x1b[31mred" in answer.json["output"]
    assert answer.json["output"].endswith("end\n")


def test_a_program_that_takes_too_long_is_killed(api, box, engine):
    answer = run(
        api, box, "sh", "-c", "echo begun; sleep 4711; echo ended",
        timeout=1,
    )
    body = assert_error(answer, 504, "EXEC_TIMEOUT")
    assert body["output"] == "begun\n"
    assert "killed" in body["error"]
    assert answer.seconds < 6
    assert "4711" not in running_programs(engine, box)


def test_a_cancelled_program_is_killed(api, box, engine):
    answer = api.post(
        f"/containers/{box}/exec", {"command": "sleep", "args": ["4712"]},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202, answer
    wait_until(lambda: "4712" in running_programs(engine, box))
    job = answer.json["job_id"]
    cancelled = api.delete(f"/jobs/{job}")
    assert cancelled.status in (200, 202), cancelled
    wait_until(lambda: "4712" not in running_programs(engine, box))
    job = api.get(f"/jobs/{job}?wait=10").json["data"]
    assert job["status"] == "failed" and job["error_code"] == "JOB_CANCELLED"


def test_what_a_program_leaves_behind_does_not_hold_the_answer(api, box):
    answer = run(
        api, box, "sh", "-c", "echo started; sleep 30 & exit 0", timeout=20
    )
    assert answer.status == 200, answer
    assert answer.json["output"] == "started\n"
    assert answer.seconds < 15


def test_two_programs_run_at_once_and_beside_other_changes(api, box):
    answers = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(run(api, box, "sleep", "2"))
        )
        for _ in range(3)
    ]
    started = time.monotonic()
    for one in threads:
        one.start()
    assert api.put(
        f"/containers/{box}/resources", {"cpu_shares": 512}
    ).status == 200
    for one in threads:
        one.join()
    assert [one.status for one in answers] == [200] * 3, answers
    assert time.monotonic() - started < 5.5


def test_a_stopped_or_paused_container_runs_nothing(api, by_hand, engine):
    identity = by_hand.container()
    engine.run("pause", identity)
    answer = run(api, identity, "true")
    assert_error(answer, 409, "CONTAINER_NOT_RUNNING")
    engine.run("unpause", identity)
    api.post(f"/containers/{identity}/stop")
    answer = run(api, identity, "true")
    assert_error(answer, 409, "CONTAINER_NOT_RUNNING")


@pytest.mark.parametrize("content, field", [
    ({"command": 1}, "command"), ({"command": "x" * 4097}, "command"),
    ({"command": ""}, "command"), ({"args": "x"}, "args"),
    ({"args": [1]}, "args[0]"), ({"args": ["a", None]}, "args[1]"),
    ({"args": [["a"]]}, "args[0]"), ({"args": ["a"] * 257}, "args"),
    ({"user": "a b"}, "user"), ({"user": "-1"}, "user"),
    ({"user": "a:b:c"}, "user"), ({"workdir": "tmp"}, "workdir"),
    ({"workdir": "/a\nb"}, "workdir"), ({"env": ["A=b"]}, "env"),
    ({"env": {"A": 1}}, "env.A"), ({"env": {"A=B": "x"}}, "env"),
    ({"env": {"1A": "x"}}, "env"), ({"timeout": 0}, "timeout"),
    ({"timeout": 3601}, "timeout"), ({"timeout": "5"}, "timeout"),
])
def test_arguments_are_checked(api, box, content, field):
    answer = api.post(f"/containers/{box}/exec", content)
    assert_error(answer, 400, "INVALID_REQUEST", field)


def test_nul_in_an_argument_is_400(api, box):
    answer = api.post(
        f"/containers/{box}/exec", body='{"args": ["a\\u0000b"]}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 400, answer


def test_the_output_is_for_those_who_may_run_programs(api, viewer, box):
    job_id = run(api, box, "echo", "rows of the zoo").json["job_id"]
    job = api.get(f"/jobs/{job_id}").json["data"]
    assert job["output"] == "rows of the zoo\n"
    seen = viewer.get(f"/jobs/{job_id}")
    assert seen.status == 200 and seen.json["data"]["output"] == "", seen
    assert "the zoo" not in viewer.get("/jobs").text
    for client, lines in ((viewer, 0), (api, 1)):
        events = []
        with client.follow(f"/jobs/{job_id}/stream") as stream:
            for event in stream:
                events.append(event)
                if event[0] == "end":
                    break
        assert sum(name == "line" for name, _ in events) == lines, events
        assert ("the zoo" in str(events)) == (lines == 1)


def test_the_job_is_on_record_without_arguments(api, box, service):
    answer = run(api, box, "echo", env={"SECRET": "do not keep the moon"})
    job = api.get(f"/jobs/{answer.json['job_id']}").json["data"]
    assert job["kind"] == "exec.run" and job["status"] == "succeeded"
    assert "the moon" not in str(job)
    assert "the moon" not in service.log("agent")
