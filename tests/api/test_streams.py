"""Many answers that stay open: they cost little and starve nobody."""

import contextlib
import itertools
import os
import resource
import signal
import socket
import time

import pytest

from clients import Client, assert_error, read_json, wait_until
from followers import Containers, Follower, connections

STREAMS = 220
MANY = 200
FILES = 256
addresses = itertools.cycle(range(250))
WIDE = f"""\
  workers: 2
  streams: {STREAMS}
  streams_per_key: {STREAMS}
  streams_per_address: {STREAMS}
"""


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as table:
        return set(table.read().split())


def use_config(service, text):
    with open(service.config, "w") as out:
        out.write(text)
    service.render_site("site.conf")
    old = children(service.nginx.pid)
    service.nginx.send_signal(signal.SIGHUP)
    wait_until(lambda: children(service.nginx.pid) - old, 10)
    service.pools["streams"].terminate()
    service.pools["streams"].wait(30)
    # They raise it themselves, whatever they are started with.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    service.start_pool("streams")
    service.stop_agent()
    service.start_agent()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    service.wait_until_ready()


@pytest.fixture(scope="module")
def wide(service):
    """Room for many streams of everybody."""
    with open(service.config) as config:
        before = config.read()
    assert before.count("  workers: 2\n") == 1
    use_config(service, before.replace("  workers: 2\n", WIDE))
    yield
    use_config(service, before)


@pytest.fixture(scope="module")
def containers(engine, service, wide):
    containers = Containers(
        engine, Client(service, service.admin_key, "127.0.0.4")
    )
    yield containers
    containers.remove_all()


@pytest.fixture(scope="module")
def waiting(containers):
    """It says something when it is told to."""
    return containers.run(
        "echo ready; n=1; while :; do "
        "if [ -e /go$n ]; then echo now $n; n=$((n + 1)); fi; "
        "sleep 0.1; done"
    )


@contextlib.contextmanager
def followers(api, name, count):
    """From several addresses: each has a rate of its own."""
    client = api.over_plain_http()
    path = f"/containers/{name}/logs?follow=true&tail=1"
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(Follower(
                client.from_address(f"127.31.{next(addresses)}.1")
                if count > 20 else client, path,
            )) for _ in range(count)
        ]


def engine_connections(engine):
    with open("/proc/net/unix") as table:
        rows = [line.split() for line in table]
    return sum(row[-1] == engine.socket and row[5] == "03" for row in rows)


def descriptors(process):
    return len(os.listdir(f"/proc/{process}/fd"))


def test_many_followers_hear_what_is_said(
    api, waiting, engine, service, anonymous
):
    with followers(api, waiting, MANY) as streams:
        iterators = [iter(one) for one in streams]
        first = {next(one).message for one in iterators}
        assert len(first) == 1
        assert len(connections(service)) == MANY
        slowest = max(anonymous.get("/health").seconds for _ in range(20))
        assert slowest < 0.5
        assert api.get(f"/containers/{waiting}/logs").seconds < 2
        number = 1 + len(first - {"ready"})
        engine.run("exec", waiting, "touch", f"/go{number}")
        assert {next(one).message for one in iterators} == {f"now {number}"}


def test_who_leaves_frees_all_it_had(api, waiting, engine, service):
    (pool,) = service.workers("streams")
    with followers(api, waiting, 1):
        pass
    # The Engine may still be closing those of an earlier test.
    wait_until(
        lambda: not connections(service) and engine_connections(engine) < 20,
        20,
    )
    before = (
        descriptors(pool), descriptors(service.agent.pid),
        engine_connections(engine),
    )
    with followers(api, waiting, 50) as streams:
        for one in streams:
            one.take(1)
        assert descriptors(pool) >= before[0] + 100
        # Of those before some are for a moment only.
        assert engine_connections(engine) >= 50
    left_at = time.monotonic()

    def is_free():
        return (
            not connections(service)
            and descriptors(pool) <= before[0] + 2
            and descriptors(service.agent.pid) <= before[1] + 2
            and engine_connections(engine) <= before[2] + 2
        )

    wait_until(is_free, 5, what="what followers had, free")
    assert time.monotonic() - left_at < 5


def test_more_streams_than_places_are_refused_with_a_reason(api, waiting):
    with followers(api, waiting, STREAMS):
        answer = api.get(f"/containers/{waiting}/logs?follow=true")
        assert_error(answer, 503, "TOO_MANY_STREAMS")
        assert int(answer.header("Retry-After")) >= 1
        # Other requests have places of their own.
        assert api.get(f"/containers/{waiting}/logs").status == 200
    wait_until(
        lambda: can_follow(api, waiting), 5, what="a place for a stream"
    )


def can_follow(api, name):
    connection, answer = api.open(
        "GET", f"/containers/{name}/logs?follow=true"
    )
    connection.sock.shutdown(socket.SHUT_RDWR)
    answer.close()
    connection.close()
    return answer.status == 200


@pytest.mark.parametrize("reads", [True, False])
def test_a_slow_reader_is_cut_off(api, containers, service, reads):
    name = containers.run(
        "x=$(head -c 1000 /dev/zero | tr '\\0' x); "
        "while :; do echo $x; done"
    )
    wait_until(lambda: not connections(service), 5)
    request = (
        f"GET /api/containers/{name}/logs?follow=true HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{service.port}\r\n"
        f"Authorization: Bearer {api.token}\r\n\r\n"
    )
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        reader.bind((api.source, 0))
        reader.connect(("127.0.0.1", service.port))
        reader.sendall(request.encode())
        assert reader.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: connections(service), 5)
        started = time.monotonic()
        while connections(service):
            if reads:
                reader.recv(1)
            assert time.monotonic() - started < 30, "it is still served"
            time.sleep(1)
        assert time.monotonic() - started > 5
    containers.remove(name)


def test_a_quiet_stream_has_a_heartbeat(api, waiting):
    with followers(api, waiting, 1) as (stream,):
        started = time.monotonic()
        while line := stream.answer.readline():
            if line == b": ping\n":
                break
        assert line, "the stream ended"
        assert 10 < time.monotonic() - started < 18


def test_followers_outlive_the_agent(api, containers, service):
    """What they missed meanwhile comes once it is back."""
    name = containers.run(
        "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done"
    )
    numbers = []
    with followers(api, name, 1) as (stream,):
        for event in stream:
            numbers.append(int(event.message))
            if len(numbers) == 20:
                service.restart_agent()
            if len(numbers) == 60:
                break
    assert numbers == list(range(numbers[0], numbers[0] + 60))
    containers.remove(name)


def test_streams_end_when_their_pool_is_told_to(api, waiting, service):
    """And without an end of their own: clients come again."""
    with followers(api, waiting, 20) as streams:
        iterators = [iter(one) for one in streams]
        for one in iterators:
            next(one)
        started = time.monotonic()
        service.pools["streams"].terminate()
        service.pools["streams"].wait(30)
        assert time.monotonic() - started < 8
        service.start_pool("streams")
        for one in iterators:
            assert [event.name for event in one] == []
    wait_until(lambda: can_follow(api, waiting), 10)


def test_followers_of_what_is_removed_all_hear_of_it(api, containers):
    name = containers.run("echo here; exec sleep 100000")
    with followers(api, name, 50) as streams:
        iterators = [iter(one) for one in streams]
        for one in iterators:
            next(one)
        containers.remove(name)
        for one in iterators:
            rest = list(one)
            assert [event.name for event in rest] == ["end"]
            assert read_json(rest[0].data) == {"reason": "removed"}
