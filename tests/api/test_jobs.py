"""Jobs: the record of every change, and waiting for it."""

import re
import threading
import time

import pytest

from clients import assert_error
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
