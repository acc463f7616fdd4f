"""Containers that log, and who follows them."""

import itertools
import socket

from clients import read_json, wait_until

names = itertools.count(1)


class Containers:
    def __init__(self, engine, api):
        self.engine = engine
        self.api = api
        self.made = []

    def run(self, command, *options, image="test/web:1"):
        """Starts a shell's command; gives the name once the API knows it."""
        name = f"logged-{next(names)}"
        self.made.append(name)
        self.engine.run(
            "run", "-d", "--init", "--name", name, "--network", "none",
            *options, image, "sh", "-c", command,
        )
        wait_until(
            lambda: self.api.get(f"/containers/{name}/logs").status != 404,
            what="the container in the mirror",
        )
        return name

    def remove(self, name):
        self.engine.run("rm", "-f", name, check=False)
        self.made.remove(name)

    def remove_all(self):
        for name in list(self.made):
            self.remove(name)


class Event:
    def __init__(self, name, data, number):
        self.name = name
        self.data = data
        self.id = number

    @property
    def message(self):
        return read_json(self.data)["message"]


class Follower:
    """A stream of events with their ids."""

    def __init__(self, api, path, last=None, timeout=30):
        headers = {"Last-Event-ID": last} if last else None
        self.connection, self.answer = api.open(
            "GET", path, headers=headers, timeout=timeout
        )
        assert self.answer.status == 200, self.answer.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.answer.close()
        self.connection.close()

    def __iter__(self):
        name, data, number = "message", [], None
        while line := self.answer.readline():
            line = line.decode().rstrip("\n")
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                number = value
            elif line == "" and data:
                yield Event(name, "\n".join(data), number)
                name, data, number = "message", [], None

    def take(self, count):
        return list(itertools.islice(self, count))


def connections(service):
    """The open connections at the agent's gate, by their inodes."""
    with open("/proc/net/unix") as table:
        rows = [line.split() for line in table]
    path = service.path("run", "agent", "engine.sock")
    return {row[6] for row in rows if row[-1] == path and row[5] == "03"}
