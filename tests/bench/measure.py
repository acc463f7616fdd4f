"""Clients that cost little, and what the kernel says of processes."""

import multiprocessing
import os
import re
import selectors
import socket
import statistics
import subprocess
import threading
import time

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked", re.I)
CLOSES = re.compile(rb"\r\nconnection: close", re.I)
LAST_CHUNK = b"\r\n0\r\n\r\n"


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def request_text(target, token=None, headers=()):
    lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, *headers, "", ""]).encode()


class Loop:
    """One kept connection to (address, port) or to the path of a socket."""

    def __init__(self, address):
        self.address = address
        self.socket = None
        self.buffer = bytearray(8 * 1024 * 1024)
        self.view = memoryview(self.buffer)

    def connect(self):
        if isinstance(self.address, str):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(60)
        self.socket.connect(self.address)

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def is_complete(self, length, head_end):
        head = bytes(self.view[:head_end])
        if b" 304 " in head[:13]:
            return True
        found = CONTENT_LENGTH.search(head)
        if found:
            return length >= head_end + int(found[1])
        if CHUNKED.search(head):
            tail = bytes(self.view[length - len(LAST_CHUNK):length])
            return tail == LAST_CHUNK
        raise AssertionError(f"no length in {head!r}")

    def once(self, request):
        """(status, seconds, head) of one request; the body stays here."""
        if self.socket is None:
            self.connect()
        started = time.perf_counter()
        self.socket.sendall(request)
        length = self.socket.recv_into(self.buffer)
        head_end = self.buffer.find(b"\r\n\r\n", 0, length) + 4
        assert head_end > 3, bytes(self.view[:length])
        while not self.is_complete(length, head_end):
            got = self.socket.recv_into(self.view[length:])
            assert got > 0, "the connection ended in an answer"
            length += got
        seconds = time.perf_counter() - started
        head = bytes(self.view[:head_end])
        self.head_end, self.length = head_end, length - head_end
        if CLOSES.search(head):
            self.close()
        return int(head[9:12]), seconds, head

    def seconds(self, request, status, count):
        """The times of so many requests, all answered with status."""
        times = []
        for _ in range(count):
            times.append(self.expect(request, status))
        return times

    def body(self):
        return bytes(self.view[self.head_end:self.head_end + self.length])

    def expect(self, request, status):
        """The time of one request that has to be answered with status."""
        got, seconds, head = self.once(request)
        assert got == status, (request, head, self.body()[:1000])
        return seconds


def in_parallel(clients, work):
    """Runs work(number) in so many threads; an error in one is raised."""
    failures = []

    def run(number):
        try:
            work(number)
        except BaseException as failure:  # noqa: B902, given to the caller
            failures.append(failure)

    threads = [
        threading.Thread(target=run, args=(number,))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Followers:
    """Open streams, read by a process of their own."""

    def __init__(self, address, request, count):
        self.address, self.request, self.count = address, request, count
        self.opened = multiprocessing.Value("i", 0)
        self.received = multiprocessing.Value("q", 0)
        self.failed = multiprocessing.Value("i", 0)
        self.process = multiprocessing.Process(target=self.run, daemon=True)

    def __enter__(self):
        self.process.start()
        end = time.monotonic() + 60
        while self.opened.value < self.count:
            assert self.failed.value == 0, "a stream was refused or ended"
            assert self.process.is_alive() and time.monotonic() < end, (
                f"{self.opened.value} of {self.count} streams are open"
            )
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def open_one(self, selector):
        follower = socket.socket()
        follower.connect(self.address)
        follower.sendall(self.request)
        follower.setblocking(False)
        selector.register(follower, selectors.EVENT_READ, [True])

    def run(self):
        selector = selectors.DefaultSelector()
        opened = 0
        while True:
            # A few at a time: nobody opens 500 in the same moment.
            if opened < self.count and opened < self.opened.value + 16:
                self.open_one(selector)
                opened += 1
            for key, _ in selector.select(
                0 if opened < self.opened.value + 16 < self.count else 1
            ):
                self.read(selector, key)

    def read(self, selector, key):
        try:
            got = key.fileobj.recv(65536)
        except ConnectionError:
            got = b""
        if key.data[0]:
            key.data[0] = False
            if got[9:12] == b"200":
                self.opened.value += 1
        if got == b"" or self.received.value < 0:
            self.failed.value += 1
            selector.unregister(key.fileobj)
        self.received.value += len(got)


def wrk_command(url, token, connections, seconds):
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s"]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    return [*command, url]


def wrk(url, token=None, connections=32, seconds=3):
    """Requests per second; all must be answered, and well."""
    text = subprocess.run(
        wrk_command(url, token, connections, seconds), check=True,
        capture_output=True, text=True, timeout=seconds + 30,
    ).stdout
    for trouble in ("Non-2xx", "Socket errors"):
        assert trouble not in text, f"{url}: {text}"
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def timed(work, *arguments):
    started = time.monotonic()
    work(*arguments)
    return time.monotonic() - started


def rollup_kib(process, name):
    with open(f"/proc/{process}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(f"process {process} has no {name}")


def pss_kib(process):
    """Its memory, with what it shares divided among those who share it."""
    return rollup_kib(process, "Pss")


def private_kib(process):
    """What it has written: other processes cannot change it."""
    return rollup_kib(process, "Private_Dirty")


def descriptors(process):
    return len(os.listdir(f"/proc/{process}/fd"))


def cpu_seconds(process):
    """Processor time that all its threads have used, user and system."""
    with open(f"/proc/{process}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def program(process):
    with open(f"/proc/{process}/comm") as comm:
        return comm.read().strip()


median = statistics.median
