"""Pools and the agent that are stopped while they are at work, and a database
that goes away."""

import os
import signal
import threading
import time

from clients import assert_error, wait_until
from conftest import STUBBORN


def in_background(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    return thread, results


def wait_for_job(api, name):
    wait_until(
        lambda: api.get(f"/deployments/{name}/jobs/active").status == 200, 5
    )


def test_a_pool_that_is_stopped_answers_what_it_has_begun(
        api, deployments, service):
    name = deployments.create(STUBBORN, start=True)
    thread, results = in_background(
        lambda: api.post(f"/deployments/{name}/stop")
    )
    wait_for_job(api, name)
    pool = service.pools["workers"]
    pool.terminate()
    try:
        thread.join(30)
        assert results and results[0].status == 200, results
        assert pool.wait(20) == 0
    finally:
        service.start_pool("workers")
        service.wait_until_ready()


def test_followers_do_not_keep_their_pool_from_ending(
        api, running, service):
    with api.follow(f"/deployments/{running}/logs?follow=true&tail=1"):
        [worker] = service.workers("streams")
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: worker not in service.workers("streams"), 5)
    wait_until(lambda: len(service.workers("streams")) == 1, 5)


def test_an_agent_that_is_stopped_tells_the_end_of_what_it_does(
        api, deployments, service):
    name, other = deployments.create(STUBBORN, start=True), \
        deployments.create()
    thread, results = in_background(
        lambda: api.post(f"/deployments/{name}/stop")
    )
    wait_for_job(api, name)
    service.agent.terminate()
    try:
        time.sleep(0.5)
        answer = api.post(f"/deployments/{other}/start")
        assert_error(answer, 503, "AGENT_UNAVAILABLE")
        assert answer.header("Retry-After") == "1"
        assert answer.seconds < 1
        thread.join(20)
        assert results[0].status == 200, results
        assert service.agent.wait(20) == 0
    finally:
        service.start_agent()
        service.wait_until_ready()


def test_a_lost_database_is_told_and_comes_back_when_it_does(
        api, anonymous, service):
    before = [one["name"] for one in api.get("/deployments").json["data"]]
    database = service.path("state", "database", "flatrun.db")
    away = service.path("state", "away.db")
    os.rename(database, away)
    try:
        assert service.agent.wait(10) != 0
        assert_error(api.get("/deployments"), 503, "STATE_MISSING")
        wait_until(
            lambda: anonymous.get("/health").json["status"] == "degraded", 8
        )
        # Neither the agent nor its preparation begin an empty one.
        service.start_agent()
        assert service.agent.wait(10) != 0
        result = service.run_admin("init", check=False)
        assert result.returncode != 0
        assert "database is missing" in result.stderr
        assert not os.path.exists(database)
    finally:
        os.rename(away, database)
        service.start_agent()
        service.wait_until_ready()
    answer = api.get("/deployments")
    assert answer.status == 200, answer
    assert [one["name"] for one in answer.json["data"]] == before
