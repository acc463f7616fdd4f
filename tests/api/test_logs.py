"""Logs of a deployment: the last lines, and following them."""

import re
import time

import pytest

from clients import assert_error, wait_until
from conftest import one_service


def logs(api, name, query=""):
    answer = api.get(f"/deployments/{name}/logs{query}")
    assert answer.status == 200, answer
    return answer.json


def test_both_streams_are_in_the_logs(api, running):
    wait_until(lambda: "err: 1" in logs(api, running)["logs"], 5)
    body = logs(api, running)
    assert body["name"] == running
    assert body["data"]["logs"] == body["logs"]
    assert "out: " in body["logs"]
    lines = body["logs"].splitlines()
    assert all(re.match(r"app\b.*\| ", line) for line in lines), lines[:3]


def test_tail_limits_the_lines(api, running):
    wait_until(lambda: "out: 5" in logs(api, running)["logs"], 10)
    assert len(logs(api, running, "?tail=3")["logs"].splitlines()) == 3


def test_a_service_can_be_chosen(api, deployments):
    name = deployments.create(
        "services:\n"
        "  one: {image: test/talker:1}\n"
        "  two: {image: test/talker:1}\n", start=True,
    )
    wait_until(
        lambda: len(logs(api, name, "?service=two")["logs"].splitlines()) > 3,
        5,
    )
    lines = logs(api, name, "?service=two")["logs"].splitlines()
    assert all(line.startswith("two") for line in lines), lines
    both = logs(api, name)["logs"]
    assert "one" in both and "two" in both


def test_since_leaves_out_what_is_older(api, running):
    wait_until(lambda: "out: 3" in logs(api, running)["logs"], 5)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    recent = logs(api, running, f"?since={moment}&tail=1000")["logs"]
    assert "started with" not in recent
    assert len(recent.splitlines()) < 12


def test_records_name_time_and_service(api, running):
    wait_until(lambda: logs(api, running)["logs"], 5)
    records = logs(api, running, "?tail=5")["records"]
    assert len(records) == 5
    for record in records:
        assert record["service"] == "app"
        assert re.match(r"\d{4}-\d\d-\d\dT", record["timestamp"]), record
        assert record["message"]
    assert records == sorted(records, key=lambda one: one["timestamp"])


def test_logs_of_what_never_ran_are_empty(api, deployments):
    name = deployments.create()
    assert logs(api, name)["logs"] == ""


def test_logs_of_what_stopped_are_still_there(api, deployments):
    name = deployments.create(one_service("test/quitter:1"), start=True)
    wait_until(lambda: "leaving" in logs(api, name)["logs"], 5)


def test_binary_and_hostile_logs_become_valid_json(api, deployments):
    name = deployments.create(one_service("test/binary:1"), start=True)
    wait_until(lambda: "last line" in logs(api, name)["logs"], 5)
    text = logs(api, name)["logs"]
    assert "bad \ufffd" in text
    assert '{"looks": "like JSON"}' in text


@pytest.mark.parametrize("query", [
    "tail=-1", "tail=99999999999", "tail=1.5", "tail=0x10",
    "service=nothing", "service=../x", "service=-x",
    "since=yesterday", "since=2026-13-45T00:00:00Z",
    "follow=perhaps", "follow=2",
])
def test_a_bad_query_is_refused(api, running, query):
    answer = api.get(f"/deployments/{running}/logs?{query}")
    if query == "service=nothing":
        assert answer.status in (400, 404), answer
        assert_error(answer, answer.status)
        return
    assert_error(answer, 400, field=query.partition("=")[0])


def test_a_tail_that_is_no_number_is_the_usual_one(api, running):
    # As the product has it.
    assert logs(api, running, "?tail=abc")["logs"]


def test_following_gives_new_lines_as_events(api, running):
    started = time.monotonic()
    events = api.events(f"/deployments/{running}/logs?follow=true&tail=1", 6)
    assert time.monotonic() - started < 10
    assert len(events) == 6
    text = "\n".join(data for _, data in events)
    assert "out: " in text and "err: " in text


def test_hostile_lines_do_not_forge_events(api, deployments):
    name = deployments.create(one_service("test/binary:1"), start=True)
    wait_until(lambda: "last line" in logs(api, name)["logs"], 5)
    events = api.events(f"/deployments/{name}/logs?follow=true&tail=50", 7)
    assert {kind for kind, _ in events} <= {"message", "line", "log"}
    text = "\n".join(data for _, data in events)
    assert "data: forged" in text and "event: forged" in text


def test_following_ends_when_the_container_ends(api, deployments):
    name = deployments.create(one_service("test/talker:1"), start=True)
    connection, answer = api.open(
        "GET", f"/deployments/{name}/logs?follow=true&tail=1", timeout=20
    )
    assert answer.status == 200
    assert api.post(f"/deployments/{name}/stop").status == 200
    assert answer.read() is not None
    connection.close()


def test_following_without_a_token_is_401(anonymous, running):
    answer = anonymous.get(f"/deployments/{running}/logs?follow=true")
    assert_error(answer, 401, "UNAUTHORIZED")


def test_following_an_unknown_deployment_is_404(api):
    answer = api.get("/deployments/unknown-one/logs?follow=true")
    assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")


def test_many_followers_do_not_starve_a_request(api, running, anonymous):
    streams = []
    try:
        for _ in range(30):
            streams.append(api.open(
                "GET", f"/deployments/{running}/logs?follow=true&tail=1"
            ))
        assert {answer.status for _, answer in streams} == {200}
        slowest = max(anonymous.get("/health").seconds for _ in range(10))
        assert slowest < 0.5
        assert api.get("/deployments").status == 200
    finally:
        for connection, _ in streams:
            connection.close()


def test_too_many_followers_from_one_address_are_told_so(api, running):
    streams, refused = [], None
    try:
        for _ in range(80):
            connection, answer = api.open(
                "GET", f"/deployments/{running}/logs?follow=true&tail=1"
            )
            streams.append(connection)
            if answer.status != 200:
                refused = answer
                body = answer.read()
                break
        assert refused is not None, "80 streams from one address"
        assert refused.status in (429, 503), body
        assert b"TOO_MANY_STREAMS" in body or b"RATE_LIMITED" in body
    finally:
        for connection in streams:
            connection.close()


def test_a_follower_that_leaves_frees_its_place(api, running):
    for _ in range(3):
        streams = [
            api.open("GET", f"/deployments/{running}/logs?follow=true&tail=1")
            for _ in range(20)
        ]
        assert {answer.status for _, answer in streams} == {200}
        for connection, _ in streams:
            connection.close()
        time.sleep(2)
