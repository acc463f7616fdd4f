"""Jobs: the record of every change, and waiting for it."""

import re
import threading
import time

import pytest

from clients import assert_error, read_json, wait_until
from conftest import STUBBORN, one_service

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def start_async(api, name, action="stop"):
    answer = api.post(
        f"/deployments/{name}/{action}", headers={"Prefer": "respond-async"}
    )
    assert answer.status == 202, answer
    return answer.json["job_id"]


def test_a_job_has_all_its_keys(api, deployments):
    name = deployments.create()
    job_id = api.post(
        f"/deployments/{name}/start", headers={"X-Request-Id": "job-test-1"}
    ).json["job_id"]
    answer = api.get(f"/jobs/{job_id}")
    assert answer.status == 200, answer
    job = answer.json
    assert job["data"]["id"] == job_id
    assert job["id"] == job["job_id"] == job_id
    assert job["deployment"] == name and job["action"] == "start"
    assert job["status"] == "succeeded"
    assert job["request_id"] == "job-test-1"
    assert job["actor"].startswith("key:")
    assert isinstance(job["output"], str)
    assert isinstance(job["lines"], list)
    for moment in ("created_at", "started_at", "finished_at"):
        assert TIME.fullmatch(job[moment]), job
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]


def test_a_failed_job_says_why(api, deployments):
    name = deployments.create(one_service("127.0.0.1:1/none/web:1"))
    answer = api.post(f"/deployments/{name}/start")
    job = api.get(f"/jobs/{answer.json['job_id']}").json["data"]
    assert job["status"] == "failed"
    assert job["error"] and job["error_code"] == answer.json["code"]
    assert job["finished_at"]


def test_the_same_job_is_found_under_its_deployment(api, deployments):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    job = api.get(f"/deployments/{name}/jobs/{job_id}").json["data"]
    assert job == api.get(f"/jobs/{job_id}").json["data"]


def test_a_job_is_not_found_under_another_deployment(api, deployments):
    name, other = deployments.create(), deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    answer = api.get(f"/deployments/{other}/jobs/{job_id}")
    assert_error(answer, 404, "JOB_NOT_FOUND")


def test_an_unknown_job_is_404(api):
    answer = api.get("/jobs/" + "0" * 20)
    assert_error(answer, 404, "JOB_NOT_FOUND")


def test_the_active_job_is_the_running_one(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    answer = api.get(f"/deployments/{name}/jobs/active")
    assert answer.status == 404, answer
    job_id = start_async(api, name)
    answer = api.get(f"/deployments/{name}/jobs/active")
    assert answer.status == 200, answer
    assert answer.json["data"]["id"] == job_id
    assert answer.json["data"]["status"] in ("pending", "running")
    deployments.job(job_id)
    assert api.get(f"/deployments/{name}/jobs/active").status == 404


def test_waiting_for_a_job_ends_when_the_job_ends(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    job_id = start_async(api, name)
    answer = api.get(f"/jobs/{job_id}?wait=30")
    assert answer.status == 200, answer
    assert answer.json["status"] == "succeeded"
    assert 2 < answer.seconds < 15


def test_waiting_for_a_job_ends_when_the_time_is_over(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    job_id = start_async(api, name)
    answer = api.get(f"/jobs/{job_id}?wait=1")
    assert answer.json["status"] == "running"
    assert 0.9 < answer.seconds < 2.5
    deployments.job(job_id)


@pytest.mark.parametrize("wait", ["x", "-1", "1.5", "9999999999", ""])
def test_a_wait_that_makes_no_sense_is_400(api, deployments, wait):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/stop").json["job_id"]
    answer = api.get(f"/jobs/{job_id}?wait={wait}")
    assert_error(answer, 400, field="wait")


def test_waiting_for_a_finished_job_does_not_wait(api, deployments):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/stop").json["job_id"]
    assert api.get(f"/jobs/{job_id}?wait=30").seconds < 1


def test_many_may_wait_for_one_job_and_others_are_served(
        api, deployments, anonymous):
    name = deployments.create(STUBBORN, start=True)
    job_id = start_async(api, name)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(
            api.get(f"/jobs/{job_id}?wait=30"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert anonymous.get("/health").seconds < 1
    for thread in threads:
        thread.join()
    assert [one.json["status"] for one in answers] == ["succeeded"] * 8


def test_the_list_has_the_newest_first(api, deployments):
    name = deployments.create()
    first = api.post(f"/deployments/{name}/start").json["job_id"]
    second = api.post(f"/deployments/{name}/stop").json["job_id"]
    answer = api.get("/jobs")
    assert answer.status == 200, answer
    body = answer.json
    assert body["jobs"] == body["data"] == body["items"]
    assert body["total"] >= len(body["data"])
    ids = [job["id"] for job in body["data"]]
    assert ids.index(second) < ids.index(first)


def test_the_list_can_be_cut_and_filtered(api, deployments):
    name = deployments.create()
    for action in ("start", "stop", "start"):
        api.post(f"/deployments/{name}/{action}")
    jobs = api.get(f"/jobs?deployment={name}").json
    # Creating was a job too.
    assert [job["action"] for job in jobs["data"]] == [
        "start", "stop", "start", "create",
    ]
    assert jobs["total"] == 4
    page = api.get(f"/jobs?deployment={name}&limit=2&offset=1").json
    assert page["data"] == jobs["data"][1:3] and page["total"] == 4
    failed = api.get(f"/jobs?deployment={name}&status=failed").json
    assert failed["data"] == [] and failed["total"] == 0


@pytest.mark.parametrize("query", [
    "limit=x", "limit=-1", "offset=x", "status=nonsense", "deployment=../x",
])
def test_a_bad_query_of_the_list_is_400(api, query):
    answer = api.get(f"/jobs?{query}")
    assert_error(answer, 400, field=query.partition("=")[0])


def test_a_client_that_goes_away_does_not_stop_the_job(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    with pytest.raises(TimeoutError):
        api.post(f"/deployments/{name}/stop", timeout=1)
    jobs = api.get(f"/jobs?deployment={name}&limit=1").json["data"]
    assert deployments.job(jobs[0]["id"])["status"] == "succeeded"


def test_every_change_is_on_record_with_its_actor(api, operator, deployments):
    name = deployments.create()
    operator.post(f"/deployments/{name}/start")
    api.put(f"/deployments/{name}", {"compose_content": one_service()})
    jobs = api.get(f"/jobs?deployment={name}").json["data"]
    assert [job["action"] for job in jobs] == ["update", "start", "create"]
    assert jobs[1]["actor"] != jobs[0]["actor"] == jobs[2]["actor"]


def test_what_compose_said_is_the_output(api, deployments):
    name = deployments.create()
    answer = api.post(f"/deployments/{name}/start")
    job = api.get(f"/jobs/{answer.json['job_id']}").json["data"]
    assert name in job["output"] or "Started" in job["output"], job
    assert job["lines"] == job["output"].splitlines()
    assert answer.json["output"] == job["output"]


# Streams of jobs.

def test_a_stream_has_the_output_and_the_end(api, deployments):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    with api.follow(f"/jobs/{job_id}/stream") as events:
        seen = list(events)
    assert [data for event, data in seen if event == "status"] == [
        '{"status":"succeeded"}'
    ]
    lines = [read_json(data)["data"] for event, data in seen
             if event == "line"]
    job = api.get(f"/jobs/{job_id}").json["data"]
    assert lines and lines == job["lines"]
    event, data = seen[-1]
    assert event == "end"
    ended = read_json(data)
    assert ended["id"] == job_id and ended["status"] == "succeeded"
    with api.follow(f"/deployments/{name}/jobs/{job_id}/stream") as events:
        assert list(events) == seen


def test_a_stream_of_a_running_job_ends_with_it(api, deployments):
    name = deployments.create(STUBBORN)
    api.post(f"/deployments/{name}/start")
    job_id = start_async(api, name)
    with api.follow(f"/jobs/{job_id}/stream", timeout=60) as events:
        seen = [event for event, _ in events]
    assert seen[0] == "status" and seen[-1] == "end"
    assert api.get(f"/jobs/{job_id}").json["status"] == "succeeded"


def test_a_stream_goes_on_where_it_broke(api, deployments):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    output = api.get(f"/jobs/{job_id}").json["output"]
    first = output.index("\n") + 1
    with api.follow(
        f"/jobs/{job_id}/stream", headers={"Last-Event-ID": str(first)}
    ) as events:
        lines = [read_json(data)["data"] for event, data in events
                 if event == "line"]
    assert lines == output[first:].splitlines()


@pytest.mark.parametrize("path", [
    "/jobs/0123456789abcdef0123/stream", "/jobs/nonsense/stream",
])
def test_a_stream_of_an_unknown_job_is_404(api, path):
    assert_error(api.get(path), 404, "JOB_NOT_FOUND")


# Cancelling.

def test_a_running_job_can_be_cancelled(api, deployments):
    name = deployments.create(STUBBORN)
    api.post(f"/deployments/{name}/start")
    job_id = start_async(api, name)
    wait_until(
        lambda: api.get(f"/jobs/{job_id}").json["status"] == "running"
    )
    answer = api.delete(f"/jobs/{job_id}")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Job cancelled"
    job = answer.json["data"]
    assert job["status"] == "failed" and job["error_code"] == "JOB_CANCELLED"
    # The deployment is free again, and nothing of the job is left.
    assert api.get(f"/deployments/{name}/jobs/active").status == 404
    answer = api.post(f"/deployments/{name}/start")
    assert answer.status == 200, answer


def test_who_waits_for_a_cancelled_job_is_told(api, deployments):
    name = deployments.create(STUBBORN)
    api.post(f"/deployments/{name}/start")
    answers = []
    waiter = threading.Thread(
        target=lambda: answers.append(api.post(f"/deployments/{name}/stop"))
    )
    waiter.start()
    job_id = wait_until(
        lambda: api.get(f"/deployments/{name}/jobs/active").json.get("id")
    )
    assert api.delete(f"/jobs/{job_id}").status == 200
    waiter.join()
    body = assert_error(answers[0], 409, "JOB_CANCELLED")
    assert body["job_id"] == job_id


def test_a_job_that_has_ended_cannot_be_cancelled(api, deployments):
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    assert_error(api.delete(f"/jobs/{job_id}"), 409, "JOB_FINISHED")
    assert api.get(f"/jobs/{job_id}").json["status"] == "succeeded"


def test_an_unknown_job_cannot_be_cancelled(api):
    assert_error(
        api.delete("/jobs/0123456789abcdef0123"), 404, "JOB_NOT_FOUND"
    )


def test_a_viewer_cannot_cancel(service, api, deployments):
    _, viewer = service.make_key("cancel-viewer", "viewer")
    name = deployments.create()
    job_id = api.post(f"/deployments/{name}/start").json["job_id"]
    answer = api.with_token(viewer).delete(f"/jobs/{job_id}")
    assert_error(answer, 403, "FORBIDDEN")


def test_jobs_are_filtered_by_class_and_subject(api, deployments):
    name = deployments.create()
    api.post(f"/deployments/{name}/start")
    jobs = api.get(f"/jobs?class=deployment&subject={name}").json["jobs"]
    assert [job["action"] for job in jobs] == ["start", "create"]
    assert api.get(f"/jobs?class=image&subject={name}").json["jobs"] == []
    assert_error(api.get("/jobs?class=a*"), 400, field="class")


# Idempotency-Key.

def with_key(key):
    return {"Idempotency-Key": key}


def test_the_same_key_gives_the_same_answer(api, deployments):
    name = deployments.name()
    content = {"name": name, "compose_content": one_service()}
    first = api.post("/deployments", content, headers=with_key(name))
    assert first.status == 201, first
    assert first.header("Idempotency-Replayed") is None
    again = api.post("/deployments", content, headers=with_key(name))
    assert again.status == 201, again
    assert again.json == first.json
    assert again.header("Idempotency-Replayed") == "true"
    # Without the key it is what it is: there already.
    assert_error(api.post("/deployments", content), 409, "ALREADY_EXISTS")


def test_a_failure_is_repeated_too(api, deployments):
    name = deployments.create(one_service("127.0.0.1:1/none/web:1"))
    path = f"/deployments/{name}/start"
    first = api.post(path, headers=with_key(f"fail-{name}"))
    assert first.status >= 500, first
    again = api.post(path, headers=with_key(f"fail-{name}"))
    assert again.status == first.status
    assert again.json["job_id"] == first.json["job_id"]
    assert again.json["code"] == first.json["code"]


def test_a_key_of_another_request_is_422(api, deployments):
    name = deployments.create()
    key = with_key(f"other-{name}")
    assert api.post(f"/deployments/{name}/start", headers=key).status == 200
    answer = api.post(
        f"/deployments/{name}/start", {"force_recreate": True}, headers=key
    )
    assert_error(answer, 422, "IDEMPOTENCY_KEY_REUSED")
    answer = api.post(f"/deployments/{name}/stop", headers=key)
    assert_error(answer, 422, "IDEMPOTENCY_KEY_REUSED")


def test_a_key_under_way_is_409(api, deployments):
    name = deployments.create(STUBBORN)
    api.post(f"/deployments/{name}/start")
    headers = {"Prefer": "respond-async", **with_key(f"way-{name}")}
    first = api.post(f"/deployments/{name}/stop", headers=headers)
    assert first.status == 202, first
    again = api.post(f"/deployments/{name}/stop", headers=headers)
    body = assert_error(again, 409, "IDEMPOTENCY_CONFLICT")
    assert body["active_job_id"] == first.json["job_id"]
    api.get(f"/jobs/{first.json['job_id']}?wait=60")
    done = api.post(f"/deployments/{name}/stop", headers=headers)
    assert done.status == 200, done
    assert done.json["job_id"] == first.json["job_id"]


def test_of_many_with_one_key_one_job_is_made(api, deployments):
    name = deployments.create()
    headers = with_key(f"many-{name}")
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(
            api.post(f"/deployments/{name}/start", headers=headers)
        )) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {200, 409}, answers
    jobs = {answer.json["job_id"] for answer in answers
            if answer.status == 200}
    assert len(jobs) == 1
    listed = api.get(f"/jobs?deployment={name}&kind=deployment.start").json
    assert [job["id"] for job in listed["jobs"]] == list(jobs)


def test_keys_belong_to_who_sent_them(service, api, deployments):
    _, other = service.make_key("idempotency-other", "operator")
    name = deployments.create()
    headers = with_key(f"mine-{name}")
    first = api.post(f"/deployments/{name}/start", headers=headers)
    second = api.with_token(other).post(
        f"/deployments/{name}/start", headers=headers
    )
    assert second.status == 200, second
    assert second.json["job_id"] != first.json["job_id"]


def test_a_key_survives_a_restart_of_the_agent(service, api, deployments):
    name = deployments.create()
    headers = with_key(f"restart-{name}")
    first = api.post(f"/deployments/{name}/start", headers=headers)
    service.restart_agent()
    again = api.post(f"/deployments/{name}/start", headers=headers)
    assert again.json["job_id"] == first.json["job_id"]


@pytest.mark.parametrize("key", ["a b", "\u00e9".encode().decode("latin-1"),
                                 "x" * 256])
def test_a_bad_key_is_400(api, deployments, key):
    answer = api.post("/deployments", {"name": "never-made"},
                      headers=with_key(key))
    assert_error(answer, 400, "INVALID_IDEMPOTENCY_KEY")


def test_a_refused_request_does_not_use_its_key_up(api, deployments):
    name = deployments.name()
    headers = with_key(f"refused-{name}")
    assert api.post("/deployments", {"name": name}, headers=headers
                    ).status == 400
    content = {"name": name, "compose_content": one_service()}
    assert api.post("/deployments", content, headers=headers).status == 201
