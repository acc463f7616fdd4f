"""Logs of one container, whoever started it: read and followed."""

import json
import re
import subprocess
import time

import pytest

from clients import assert_error, read_json, wait_until
from engine import DOCKER
from followers import Containers, Follower, connections

# Twelve lines, the odd ones on the other stream, a little apart.
COUNT = """
i=0
while [ $i -lt 12 ]; do
    i=$((i + 1))
    if [ $((i % 2)) = 0 ]; then echo "line $i"; else echo "line $i" >&2; fi
    sleep 0.02
done
sleep 100000
"""


@pytest.fixture
def containers(engine, api):
    containers = Containers(engine, api)
    yield containers
    containers.remove_all()


@pytest.fixture(scope="module")
def counted(engine, service):
    """A container that has written its twelve lines, for who only looks."""
    api = service.client(service.admin_key, "127.0.0.3")
    containers = Containers(engine, api)
    name = containers.run(COUNT)
    wait_until(lambda: len(records(api, name)) == 12)
    yield name
    containers.remove_all()


def logs(api, name, query=""):
    answer = api.get(f"/containers/{name}/logs{query}")
    assert answer.status == 200, answer
    return answer.json


def records(api, name, query=""):
    return logs(api, name, query)["records"]


def messages(api, name, query=""):
    return [one["message"] for one in records(api, name, query)]


def lines(*numbers):
    return [f"line {number}" for number in numbers]


def test_both_streams_come_in_order(api, counted):
    body = logs(api, counted)
    assert body["id"] == counted
    assert body["data"]["logs"] == body["logs"]
    assert body["logs"].splitlines() == lines(*range(1, 13))
    assert body["truncated"] is False
    for number, record in enumerate(body["records"], 1):
        assert record["stream"] == ("stderr" if number % 2 else "stdout")
        assert record["container"] == counted and record["service"] == ""
        assert record["raw"] == record["message"] == f"line {number}"
        assert record["level"] == "" and record["fields"] == {}
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", record["timestamp"]
        )


def test_a_container_is_found_by_id_prefix_and_name(api, counted, engine):
    full = engine.api(f"/containers/{counted}/json")["Id"]
    for reference in (full, full[:12], full[:5], counted):
        body = logs(api, reference, "?tail=1")
        assert body["id"] == reference
        assert body["logs"] == "line 12\n"


def test_timestamps_are_put_before_each_line(api, counted):
    for line in logs(api, counted, "?timestamps=true")["logs"].splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z line \d+$", line), line


@pytest.mark.parametrize("query, expected", [
    ("tail=1", [12]),
    ("tail=5", range(8, 13)),
    ("tail=10000", range(1, 13)),
    ("tail=all", range(1, 13)),
    ("stream=stdout", range(2, 13, 2)),
    ("stream=stderr", range(1, 13, 2)),
    ("stream=both&tail=2", [11, 12]),
    # Lines of the stream that was asked for count.
    ("stream=stderr&tail=3", [7, 9, 11]),
])
def test_tail_and_stream_choose_lines(api, counted, query, expected):
    assert messages(api, counted, f"?{query}") == lines(*expected)


def test_since_and_until_choose_a_time(api, counted):
    stamps = [one["timestamp"] for one in records(api, counted)]
    assert stamps == sorted(stamps)
    # The Engine is asked in milliseconds.
    start = stamps[4][:23] + "Z"
    end = stamps[8][:20] + "%03dZ" % (int(stamps[8][20:23]) + 1)
    if end.endswith("1000Z"):
        end = stamps[8][:20] + "999Z"
    assert messages(api, counted, f"?since={start}") == lines(*range(5, 13))
    assert messages(api, counted, f"?until={end}") == lines(*range(1, 10))
    assert messages(api, counted, f"?since={start}&until={end}") == lines(
        *range(5, 10)
    )
    # The newest of those, though newer lines are there.
    assert messages(api, counted, f"?until={end}&tail=2") == lines(8, 9)
    assert messages(api, counted, "?until=1h") == []
    assert messages(api, counted, "?since=1h") == lines(*range(1, 13))
    assert messages(api, counted, f"?since={int(time.time()) + 60}") == []


@pytest.mark.parametrize("query", [
    "tail=0", "tail=10001", "tail=-1", "tail=x", "tail=", "tail=1e3",
    "since=yesterday", "since=", "until=tomorrow", "until=1.5.2",
    "stream=stdin", "stream=", "timestamps=2", "follow=perhaps",
])
def test_a_bad_query_is_refused(api, counted, query):
    answer = api.get(f"/containers/{counted}/logs?{query}")
    assert_error(answer, 400, field=query.partition("=")[0])


def test_until_does_not_go_with_follow(api, counted):
    answer = api.get(f"/containers/{counted}/logs?follow=true&until=1m")
    assert_error(answer, 400, field="until")


@pytest.mark.parametrize("reference", [
    "%2e%2e%2fjson", "a%2fb", "a%3fb", "a%20b", "-a", "x" * 129, "a%0ab",
])
def test_what_is_no_id_is_refused(api, reference):
    answer = api.get(f"/containers/{reference}/logs")
    assert answer.status == 400, answer
    assert_error(answer, 400)


@pytest.mark.parametrize("query", ["", "?follow=true"])
def test_an_unknown_container_is_404(api, query):
    answer = api.get(f"/containers/nobody-has-it/logs{query}")
    assert_error(answer, 404, "CONTAINER_NOT_FOUND")


@pytest.mark.parametrize("query", ["", "?follow=true"])
def test_nobody_reads_without_a_token(anonymous, counted, query):
    answer = anonymous.get(f"/containers/{counted}/logs{query}")
    assert_error(answer, 401, "UNAUTHORIZED")


def test_a_viewer_may_read(viewer, counted):
    assert messages(viewer, counted, "?tail=1") == lines(12)


def test_a_terminals_log_has_no_frames(api, containers):
    name = containers.run(
        'echo "one"; echo "two" >&2; echo "a $(tput x 2>/dev/null)é"; '
        "sleep 100000", "-t",
    )
    wait_until(lambda: len(records(api, name)) == 3)
    assert messages(api, name) == ["one", "two", "a é"]
    assert {one["stream"] for one in records(api, name)} == {"stdout"}
    assert messages(api, name, "?stream=stderr") == []
    assert messages(api, name, "?tail=1") == ["a é"]


@pytest.mark.parametrize("options", [(), ("-t",)])
def test_binary_bytes_become_valid_json(api, containers, options):
    name = containers.run("sh /bin/binary", *options)
    wait_until(lambda: "last line" in logs(api, name)["logs"])
    text = logs(api, name)["logs"]
    assert "bad \ufffd" in text and "overlong \ufffd" in text
    assert "\x1b[31mred" in text
    assert '{"looks": "like JSON"}' in text
    with api.follow(f"/containers/{name}/logs?follow=true") as events:
        for kind, data in events:
            assert kind == "log"
            if read_json(data)["message"] == "last line":
                break


def test_nul_is_a_byte_like_any_other(api, containers):
    name = containers.run("printf 'a\\000b\\n'; echo end; sleep 100000")
    wait_until(lambda: messages(api, name) == ["a\0b", "end"])
    assert logs(api, name)["logs"] == "a\0b\nend\n"
    with follow(api, name) as follower:
        assert [one.message for one in follower.take(2)] == ["a\0b", "end"]


def test_a_log_of_random_bytes_is_valid_json(api, containers):
    name = containers.run("head -c 300000 /dev/urandom; echo; echo end")
    wait_until(lambda: messages(api, name, "?tail=1") == ["end"], 15)
    assert messages(api, name, "?tail=all")[-1] == "end"


# Following


def follow(api, name, query="", **options):
    return Follower(
        api, f"/containers/{name}/logs?follow=true{query}", **options
    )


def test_following_begins_with_the_tail(api, counted):
    with follow(api, counted, "&tail=4") as follower:
        events = follower.take(4)
    assert [one.message for one in events] == lines(9, 10, 11, 12)
    assert {one.name for one in events} == {"log"}
    for one in events:
        assert one.id == read_json(one.data)["timestamp"]


def test_one_stream_can_be_followed(api, counted):
    with follow(api, counted, "&stream=stderr") as follower:
        assert [one.message for one in follower.take(6)] == lines(
            1, 3, 5, 7, 9, 11
        )


@pytest.mark.parametrize("options", [(), ("-t",)])
def test_a_follower_goes_on_after_its_last_event(api, containers, options):
    name = containers.run(
        "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.01; done", *options
    )
    seen, last = [], None
    for _ in range(5):
        with follow(api, name, "&tail=1" if not seen else "", last=last) as (
            follower
        ):
            events = follower.take(40)
        seen += [int(one.message) for one in events]
        last = events[-1].id
    assert seen == list(range(seen[0], seen[0] + 200))


def test_a_long_line_goes_on_in_its_middle(api, containers):
    """Its pieces have one time stamp: the id says how many were sent."""
    name = containers.run(
        "head -c 70000 /dev/zero | tr '\\0' x; echo y; sleep 100000"
    )
    wait_until(lambda: "y" in logs(api, name)["logs"])
    with follow(api, name) as follower:
        pieces = follower.take(5)
    assert sum(len(one.message) for one in pieces) == 70001
    assert len({one.id for one in pieces}) == 5
    with follow(api, name, last=pieces[1].id) as follower:
        rest = follower.take(3)
    assert [one.id for one in rest] == [one.id for one in pieces[2:]]


def test_a_bad_last_event_id_is_no_error(api, counted):
    with follow(api, counted, "&tail=1", last="nonsense/99") as follower:
        assert follower.take(1)[0].message == "line 12"


def test_following_goes_on_after_a_restart(api, containers, engine):
    name = containers.run(
        'trap exit TERM; echo "up $(cat /n 2>/dev/null)"; '
        "echo again >/n; sleep 100000 & wait"
    )
    with follow(api, name) as follower:
        events = iter(follower)
        assert next(events).message == "up "
        engine.run("restart", "-t", "1", name)
        assert next(events).message == "up again"


def test_a_follower_of_a_removed_container_is_told_the_end(
    api, containers
):
    name = containers.run("echo first; sleep 100000")
    with follow(api, name) as follower:
        events = iter(follower)
        assert next(events).message == "first"
        containers.remove(name)
        started = time.monotonic()
        end = next(events)
        assert end.name == "end" and read_json(end.data) == {
            "reason": "removed"
        }
        assert end.id is None
        assert list(events) == []
        assert time.monotonic() - started < 8


def test_the_last_words_come_before_the_end(api, containers, engine):
    name = containers.run(
        "trap 'echo farewell; exit' TERM; echo first; sleep 100000 & wait"
    )
    with follow(api, name) as follower:
        events = iter(follower)
        assert next(events).message == "first"
        engine.run("stop", name)
        containers.remove(name)
        rest = list(events)
    assert [one.name for one in rest] == ["log", "end"]
    assert rest[0].message == "farewell"


def test_the_end_of_a_deployment_ends_its_stream(api, deployments):
    name = deployments.create(
        "services:\n  app: {image: test/talker:1}\n", start=True
    )
    with Follower(api, f"/deployments/{name}/logs?follow=true") as follower:
        events = iter(follower)
        assert next(events).name == "log"
        assert api.delete(f"/deployments/{name}").status == 200
        rest = list(events)
    assert rest[-1].name == "end"
    assert {one.name for one in rest[:-1]} <= {"log"}


def test_another_containers_change_disturbs_no_follower(
    api, containers, service
):
    """It must not make the service read what it follows anew."""
    name = containers.run("echo first; sleep 100000")
    with follow(api, name) as follower:
        assert follower.take(1)[0].message == "first"
        before = connections(service)
        other = containers.run("sleep 100000")
        containers.remove(other)
        wait_until(
            lambda: api.get(f"/containers/{other}/logs").status == 404
        )
        time.sleep(1.5)  # a second look has been taken by then
        assert before & connections(service)


def test_lines_of_several_containers_are_all_sent(api, deployments):
    """One of them starts again and again; none of the other's is lost."""
    name = deployments.create(
        "services:\n"
        "  steady: {image: test/talker:1}\n"
        "  restless: {image: test/talker:1}\n", start=True,
    )
    numbers = []
    with Follower(
        api, f"/deployments/{name}/logs?follow=true&tail=all"
    ) as follower:
        restarted = False
        for event in follower:
            record = read_json(event.data)
            found = re.match(r"out: (\d+)", record["message"])
            if record["service"] != "steady" or not found:
                continue
            numbers.append(int(found[1]))
            if len(numbers) == 3 and not restarted:
                restarted = True
                container = record["container"].replace("steady", "restless")
                deployments.engine.run("restart", "-t", "0", container)
            if len(numbers) == 8:
                break
    assert numbers == list(range(1, 9))


# Big logs


@pytest.fixture(scope="module")
def big(engine, service):
    """A container with a gigabyte of log, and a few lines after it."""
    api = service.client(service.admin_key, "127.0.0.3")
    containers = Containers(engine, api)
    name = containers.run("trap exit TERM; sleep 100000 & wait")
    inspected = engine.api(f"/containers/{name}/json")
    row = json.dumps({
        "log": "x" * 950 + "\n", "stream": "stdout",
        "time": "2026-01-31T23:59:59.123456789Z",
    }) + "\n"
    # What the json-file driver would have written, without its hour.
    with open(inspected["LogPath"], "ab", buffering=0) as log:
        block = (row * 1000).encode()
        while log.tell() < 1024 ** 3:
            log.write(block)
        for number in range(3):
            log.write((json.dumps({
                "log": f"end {number}\n", "stream": "stderr",
                "time": f"2026-02-01T00:00:0{number}.123456789Z",
            }) + "\n").encode())
    yield name
    containers.remove_all()


def memory_peak(service):
    """The largest that a worker ever was, in KiB."""
    peak = 0
    for worker in service.workers():
        with open(f"/proc/{worker}/status") as status:
            peak = max(peak, int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]))
    return peak


def test_the_tail_of_a_gigabyte_is_quick(api, big):
    for tail in (3, 100, 10000):
        answer = api.get(f"/containers/{big}/logs?tail={tail}")
        assert answer.status == 200, answer
        assert answer.seconds < 5
        assert answer.json["logs"].endswith("end 0\nend 1\nend 2\n")
    assert len(answer.json["records"]) > 3000
    # 10,000 such lines are more than is given at a time.
    assert answer.json["truncated"] is True


def test_a_time_near_the_end_of_a_gigabyte_is_quick(api, big):
    for query, expected in (
        ("until=2026-02-01T00:00:01.500Z&tail=2", ["end 0", "end 1"]),
        ("until=2026-02-01T00:00:01Z&since=2026-02-01T00:00:00Z", ["end 0"]),
    ):
        answer = api.get(f"/containers/{big}/logs?{query}")
        assert answer.status == 200, answer
        assert [one["message"] for one in answer.json["records"]] == expected
        assert answer.seconds < 5


def test_a_gigabyte_does_not_fill_a_worker(api, big, service):
    before = memory_peak(service)
    answer = api.get(f"/containers/{big}/logs?tail=all&stream=stdout")
    assert answer.status == 200, answer
    assert len(answer.body) < 24 * 1024 ** 2
    assert memory_peak(service) < before + 160 * 1024


def test_a_follower_of_a_gigabyte_begins_at_its_end(api, big):
    started = time.monotonic()
    with follow(api, big, "&tail=3") as follower:
        events = follower.take(3)
    assert time.monotonic() - started < 5
    assert [one.message for one in events] == ["end 0", "end 1", "end 2"]
    started = time.monotonic()
    with follow(api, big, last=events[1].id) as follower:
        assert follower.take(1)[0].message == "end 2"
    assert time.monotonic() - started < 5


def test_what_docker_has_not_is_not_a_log(api, containers):
    name = containers.run("sleep 100000", "--log-driver", "none")
    answer = api.get(f"/containers/{name}/logs")
    assert_error(answer, 502, "DOCKER_ERROR")


def test_the_tail_is_what_docker_says(api, counted, engine):
    theirs = subprocess.run(
        [DOCKER, "-H", f"unix://{engine.socket}", "logs", "--tail", "3",
         counted], check=True, capture_output=True, text=True,
    )
    expected = sorted(theirs.stdout.splitlines() + theirs.stderr.splitlines())
    assert sorted(messages(api, counted, "?tail=3")) == expected
