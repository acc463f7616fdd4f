"""Logs of a deployment: the last lines, and following them."""

import re
import socket
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
    "tail=-1", "tail=abc", "tail=", "tail=10001", "tail=99999999999", "tail=1.5", "tail=0x10",
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


def test_following_goes_on_after_a_restart(api, deployments):
    name = deployments.create(one_service("test/talker:1"), start=True)
    with api.follow(f"/deployments/{name}/logs?follow=true&tail=1") as events:
        next(events)
        assert api.post(f"/deployments/{name}/restart").status == 200
        for _, data in events:
            if "out: started with" in data:
                return
    raise AssertionError("the stream ended")


def test_no_line_is_sent_twice_or_left_out(api, deployments):
    name = deployments.create(one_service("test/talker:1"), start=True)
    numbers = []
    with api.follow(f"/deployments/{name}/logs?follow=true") as events:
        for _, data in events:
            found = re.search(r"out: (\d+)", data)
            if found:
                numbers.append(int(found.group(1)))
            if len(numbers) == 8:
                break
    assert numbers == list(range(1, 9))


def test_following_of_what_does_not_run_waits_for_its_start(api, deployments):
    name = deployments.create(one_service("test/talker:1"))
    with api.follow(f"/deployments/{name}/logs?follow=true") as events:
        assert api.post(f"/deployments/{name}/start").status == 200
        assert "started" in next(events)[1]


def test_following_without_a_token_is_401(anonymous, running):
    answer = anonymous.get(f"/deployments/{running}/logs?follow=true")
    assert_error(answer, 401, "UNAUTHORIZED")


def test_following_an_unknown_deployment_is_404(api):
    answer = api.get("/deployments/unknown-one/logs?follow=true")
    assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")


@pytest.fixture(scope="module")
def listeners(service):
    """Keys enough to take all places: each key may have some."""
    return [service.make_key(f"listener-{i}", "viewer")[1] for i in range(9)]


@pytest.fixture
def streams(api, running, listeners):
    """Opens streams, each key's eight from an address of its own."""
    opened = []

    def open_one(number):
        key = number // 8
        client = api.with_token(listeners[key])
        connection, answer = client.from_address(f"127.30.0.{key + 1}").open(
            "GET", f"/deployments/{running}/logs?follow=true&tail=1"
        )
        opened.append((connection, answer))
        return answer

    def close_all():
        while opened:
            connection, answer = opened.pop()
            connection.sock.shutdown(socket.SHUT_RDWR)
            answer.close()
            connection.close()

    open_one.close_all = close_all
    yield open_one
    close_all()


def test_many_followers_do_not_starve_a_request(api, streams, anonymous):
    assert {streams(number).status for number in range(60)} == {200}
    slowest = max(anonymous.get("/health").seconds for _ in range(10))
    assert slowest < 0.5
    assert api.get("/deployments").status == 200


def is_refused(answer):
    body = answer.read()
    return answer.status == 503 and b'"TOO_MANY_STREAMS"' in body


def test_more_followers_than_places_are_told_so(streams):
    answers = [streams(number) for number in range(66)]
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) <= 64 and 503 in statuses, statuses
    refused = [answer for answer in answers if answer.status != 200]
    assert all(is_refused(answer) for answer in refused)
    assert int(refused[0].getheader("Retry-After")) >= 1


def test_one_key_does_not_get_all_places(api, running):
    connections, statuses = [], []
    try:
        for _ in range(20):
            connection, answer = api.open(
                "GET", f"/deployments/{running}/logs?follow=true&tail=1"
            )
            connections.append((connection, answer))
            statuses.append(answer.status)
        assert statuses[:8] == [200] * 8 and 503 in statuses, statuses
    finally:
        for connection, answer in connections:
            connection.close()
            answer.close()


def test_a_follower_that_leaves_frees_its_place(streams):
    for _ in range(3):
        wait_until(
            lambda: streams(0).status == 200, 5, 0.5, "a free place"
        )
        assert {streams(number).status for number in range(1, 50)} == {200}
        streams.close_all()
        time.sleep(3)


def test_a_stream_ends_when_its_key_is_revoked(api, running, service):
    key_id, key = service.make_key("listener-to-be-revoked", "viewer")
    path = f"/deployments/{running}/logs?follow=true&tail=1"
    with api.with_token(key).follow(path, timeout=25) as events:
        next(events)
        service.run_admin("key", "revoke", key_id)
        end = time.monotonic() + 20
        for _ in events:
            assert time.monotonic() < end, "the stream goes on"
