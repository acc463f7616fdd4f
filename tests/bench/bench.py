"""Measures the service beside what does the same work, and prints a table.

Started by run, in name spaces of its own. Every number is the median of
several rounds, in which the service and its reference take turns.
"""

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import time

import update
import validation
from clients import wait_until
from engine import DOCKER, Registry, random_image
from measure import (
    Followers, Loop, cpu_seconds, descriptors, in_parallel, median,
    percentile, private_kib, program, pss_kib, request_text, timed, wrk,
    wrk_command,
)
from service import COMPOSE
from stand import IMAGE, Stand

THREE_SERVICES = "services:\n" + "".join(
    f"  {name}:\n    image: test/web:1\n" for name in ("one", "two", "three")
)
MS = 1000
# Pages that a thread touches for the first time: 3 bytes for each request.
GROWTH_ALLOWED_KIB = 128


@dataclasses.dataclass
class Row:
    name: str
    ours: str
    reference: str = ""
    ratio: str = ""
    aim: str = ""
    met: bool | None = None

    def cells(self):
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.name, self.ours, self.reference, self.ratio, self.aim,
                met)


def ms(seconds):
    value = seconds * MS
    return f"{value:.3f} ms" if value < 10 else f"{value:.0f} ms"


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


def per_second(rate):
    return f"{rate:.0f}/s"


class Bench:
    def __init__(self, stand, quick):
        self.stand = stand
        self.service = stand.service
        self.quick = quick
        self.rows = []

    def rounds(self, count):
        return max(1, count // 3) if self.quick else count

    def say(self, text):
        print(f"{time.monotonic() - STARTED:5.0f}s  {text}", file=sys.stderr,
              flush=True)

    def add(self, *cells, **more):
        row = Row(*cells, **more)
        self.rows.append(row)
        self.say("  ".join(cell for cell in row.cells() if cell))

    def loop(self):
        return Loop(("127.0.0.1", self.service.port))

    def get(self, target, *headers):
        return request_text(target, self.stand.token, headers)

    def url(self, target):
        return f"http://127.0.0.1:{self.service.port}{target}"

    def tag(self, loop, target):
        """The ETag of a list, once it has been the same for a while."""
        seen, since = None, time.monotonic()
        while time.monotonic() - since < 3:
            status, _, head = loop.once(self.get(target))
            assert status == 200, head
            tag = re.search(rb"\r\netag: (\S+)", head, re.I)[1].decode()
            if tag != seen:
                seen, since = tag, time.monotonic()
            time.sleep(0.1)
        return seen

    # Lists

    def list_latency(self, resource, count, aim_s):
        self.stand.grow(count)
        loop, engine = self.loop(), Loop(self.stand.engine.socket)
        target = f"/api/{resource}"
        listing = self.get(target)
        cached = self.get(target, f"If-None-Match: {self.tag(loop, target)}")
        engine_list = request_text("/containers/json?all=1")
        full, unchanged, reference = [], [], []
        for _ in range(self.rounds(5)):
            full.append(loop.seconds(listing, 200, 200))
            size = loop.length
            unchanged.append(loop.seconds(cached, 304, 300))
            reference.append(engine.seconds(
                engine_list, 200, 20 if count <= 100 else 5
            ))
        loop.close()
        engine.close()
        engine_p50 = median(percentile(one, 50) for one in reference)
        p50 = median(percentile(one, 50) for one in full)
        fast_enough = count < 1000 or engine_p50 / p50 >= 20
        self.add(
            f"{count} {resource}, 200, p50 ({size // 1024} KiB)", ms(p50),
            f"Engine's list {ms(engine_p50)}", f"{engine_p50 / p50:.0f}x",
            f"< {ms(aim_s)}" + (", >= 20x" if count >= 1000 else ""),
            p50 < aim_s and fast_enough,
        )
        self.add(
            f"{count} {resource}, 200, p99",
            ms(median(percentile(one, 99) for one in full)),
            f"Engine's list {ms(median(max(one) for one in reference))} (max)",
        )
        p50 = median(percentile(one, 50) for one in unchanged)
        self.add(
            f"{count} {resource}, 304, p50", ms(p50),
            f"Engine's list {ms(engine_p50)}", f"{engine_p50 / p50:.0f}x",
            "< 0.300 ms", p50 < 0.0003,
        )
        self.add(
            f"{count} {resource}, 304, p99",
            ms(median(percentile(one, 99) for one in unchanged)),
        )

    def list_with_compose(self, count):
        loop = self.loop()
        ours = median(loop.seconds(self.get("/api/deployments"), 200, 20))
        loop.close()
        directory = self.service.path("deployments", self.stand.name(0))
        commands = [(1, ("ps",)), (2, ("ls", "--all"))]
        for major, arguments in commands:
            if not COMPOSE[major]:
                continue
            theirs = timed(self.stand.compose, major, directory, *arguments)
            what = "ps of one" if major == 1 else "ls --all"
            self.add(
                f"list of {count} against Compose {major}", ms(ours),
                f"{what} {ms(theirs)}", f"{theirs / ours:.0f}x",
            )

    def lists(self):
        self.list_latency("deployments", 50, 0.001)
        self.list_with_compose(50)
        many = 200 if self.quick else 1000
        for resource in ("deployments", "containers"):
            self.list_latency(resource, many, 0.005)
        self.list_with_compose(many)
        self.add(
            f"memory after lists of {many} (PSS)", mib(self.total(pss_kib))
        )
        self.add_processes()

    # Requests per second

    def throughput(self):
        self.stand.grow(50)
        seconds = 1 if self.quick else 3
        targets = (
            ("validate a token", "/api/auth/validate"),
            ("one deployment", f"/api/deployments/{self.stand.name(0)}"),
            ("newest job", "/api/jobs?limit=1"),
            ("list of 50", "/api/deployments"),
        )
        rates = {target: [] for _, target in targets}
        hello = []
        for _ in range(self.rounds(5)):
            hello.append(wrk(self.url("/hello"), None, 32, seconds))
            for _, target in targets:
                rates[target].append(
                    wrk(self.url(target), self.stand.token, 32, seconds)
                )
        reference = median(hello)
        for name, target in targets:
            small = target != "/api/deployments"
            ratio = median(
                ours / theirs for ours, theirs in zip(rates[target], hello)
            )
            self.add(
                f"requests/s, {name}", per_second(median(rates[target])),
                f"hello {per_second(reference)}", f"{ratio:.2f}",
                ">= 0.50" if small else "", ratio >= 0.5 if small else None,
            )

    # Memory

    def mixed_requests(self):
        """(request, status): of what clients ask all day, well and badly."""
        loop, target = self.loop(), "/api/deployments"
        tag = self.tag(loop, target)
        loop.close()
        name = self.stand.name(0)
        return [
            (self.get(target), 200),
            (self.get(target, f"If-None-Match: {tag}"), 304),
            (self.get(f"{target}/{name}"), 200),
            (self.get(f"{target}/{name}/stats"), 200),
            (self.get("/api/jobs?limit=1"), 200),
            (self.get("/api/containers?limit=10"), 200),
            (self.get("/api/auth/validate"), 200),
            (self.get("/api/health"), 200),
            (self.get(f"{target}/nobody"), 404),
            (self.get(f"{target}?limit=x"), 400),
            (request_text(target, "a.forged.token"), 401),
        ]

    def send_mixed(self, count, clients=32):
        requests = self.mixed_requests()

        def work(number):
            loop = self.loop()
            for one in range(count // clients):
                request, status = requests[(number + one) % len(requests)]
                loop.expect(request, status)
            loop.close()

        in_parallel(clients, work)

    def total(self, measure):
        return sum(measure(one) for _, one in self.service.processes())

    def restart(self):
        """Memory is measured in processes that have no past."""
        for name in ("workers", "streams"):
            self.service.stop_pool(name)
            self.service.start_pool(name)
        self.service.restart_agent()
        wait_until(self.stand.is_complete, 30, what="a complete mirror")

    def memory(self):
        self.stand.grow(50)
        self.restart()
        self.send_mixed(1024)
        time.sleep(3 if self.quick else 10)
        idle = self.total(pss_kib)
        self.add("memory idle, all processes (PSS)", mib(idle), "", "",
                 "< 20 MiB", idle < 20 * 1024)
        self.add_processes()
        self.memory_under_load()

    def add_processes(self):
        for role, process in self.service.processes():
            self.add(f"  {role}: {program(process)}", mib(pss_kib(process)))

    def memory_under_load(self):
        seconds = 3 if self.quick else 8
        targets = ("/api/deployments", "/api/jobs?limit=1")
        clients = [
            subprocess.Popen(
                wrk_command(self.url(one), self.stand.token, 50, seconds),
                stdout=subprocess.DEVNULL,
            ) for one in targets
        ]
        peak = 0
        while any(one.poll() is None for one in clients):
            peak = max(peak, self.total(pss_kib))
            time.sleep(0.25)
        assert all(one.returncode == 0 for one in clients)
        self.add("memory with 100 clients, peak (PSS)", mib(peak), "", "",
                 "< 40 MiB", peak < 40 * 1024)

    def growth(self):
        """Each thread has caches that fill: a leak is what never ends."""
        self.stand.grow(50)
        counts = (10, 20, 30, 40) if self.quick else (10, 20, 60, 100)
        sent, states = 0, []
        for count in counts:
            self.send_mixed((count - sent) * 1024)
            sent = count
            time.sleep(1)
            states.append((
                self.total(private_kib), self.total(descriptors)
            ))
        *early, (before, before_fds), (after, after_fds) = states
        for count, (size, fds) in zip(counts, early):
            self.add(f"state after {count}k requests",
                     f"{mib(size)}, {fds} descriptors")
        self.add(
            f"memory after {counts[-1]}k requests", mib(after),
            f"after {counts[-2]}k {mib(before)}", f"{after - before:+d} KiB",
            f"<= +{GROWTH_ALLOWED_KIB} KiB",
            after - before <= GROWTH_ALLOWED_KIB,
        )
        self.add(
            f"descriptors after {counts[-1]}k requests", str(after_fds),
            f"after {counts[-2]}k {before_fds}",
            f"{after_fds - before_fds:+d}", "+0", after_fds <= before_fds,
        )

    # Starts of the service

    def first_answer(self, start, wanted=b'"status":'):
        """From start() to the first 200 of /api/health that has wanted."""
        request = request_text(
            "/api/health", None, ("Connection: close",)
        )
        loop = self.loop()
        started = time.monotonic()
        start()
        while True:
            status, _, head = loop.once(request)
            if status == 200 and wanted in loop.body():
                return time.monotonic() - started
            assert time.monotonic() < started + 20, (head, loop.body())
            time.sleep(0.001)

    def start_workers(self):
        self.service.stop_pool("workers")
        return self.first_answer(lambda: self.service.start_pool("workers"))

    def start_agent(self):
        self.service.stop_agent()
        self.service.forget_heartbeat()
        return self.first_answer(self.service.start_agent, b'"healthy"')

    def start_all(self):
        self.service.stop_pool("workers")
        self.service.stop_agent()
        self.service.forget_heartbeat()

        def start():
            self.service.start_agent()
            self.service.start_pool("workers")

        return self.first_answer(start, b'"healthy"')

    def starts(self):
        self.stand.grow(50)
        for name, measure in (
            ("workers: start to first 200", self.start_workers),
            ("agent: start to healthy", self.start_agent),
            ("both at once: start to healthy", self.start_all),
        ):
            taken = median(measure() for _ in range(self.rounds(5)))
            self.add(name, ms(taken), "", "", "< 200 ms", taken < 0.2)

    # Streams

    def small_gets(self, count):
        """The p99 of small requests, one after the other."""
        loop = self.loop()
        times = loop.seconds(self.get("/api/jobs?limit=1"), 200, count)
        loop.close()
        return percentile(times, 99)

    def pool_of_streams(self):
        return [one for role, one in self.service.processes()
                if role == "streams"]

    def with_followers(self, target, count, requests):
        """p99, growth of the pool and processor time of our own."""
        # Memory is measured in a process that has no past.
        self.service.stop_pool("streams")
        self.service.start_pool("streams")
        wait_until(lambda: len(self.pool_of_streams()) == 2)
        time.sleep(1)
        before = sum(map(pss_kib, self.pool_of_streams()))
        address = ("127.0.0.1", self.service.port)
        with Followers(address, self.get(target), count) as followers:
            time.sleep(2)
            own = [one for _, one in self.service.processes()]
            started, used = time.monotonic(), sum(map(cpu_seconds, own))
            p99 = self.small_gets(requests)
            quiet_from, quiet = time.monotonic(), sum(map(cpu_seconds, own))
            time.sleep(3)
            cpu = (sum(map(cpu_seconds, own)) - quiet) / (
                time.monotonic() - quiet_from)
            for one in own: self.say(f"{program(one)} {pss_kib(one)} {descriptors(one)} {cpu_seconds(one)}")
            self.say(f"{(quiet - used) / (quiet_from - started) * 100:.1f} % "
                     f"while requests came, {followers.received.value} bytes")
            grown = sum(map(pss_kib, self.pool_of_streams())) - before
            assert followers.failed.value == 0, "a stream ended"
        return p99, grown, cpu

    def followers(self, what, command, count):
        name = "followed"
        self.stand.engine.run(
            "run", "-d", "--init", "--network", "none", "--name", name,
            IMAGE, "sh", "-c", command,
        )
        target = f"/api/containers/{name}/logs"
        loop = self.loop()
        wait_until(lambda: loop.once(self.get(target))[0] == 200)
        loop.close()
        requests = 1000 if self.quick else 4000
        without, rows = [], []
        for _ in range(self.rounds(3)):
            without.append(self.small_gets(requests))
            rows.append(self.with_followers(
                f"{target}?follow=true&tail=1", count, requests
            ))
            wait_until(self.no_stream_is_open, 10, what="an end of streams")
        with_them, grown, cpu = (median(one) for one in zip(*rows))
        ratio = median(row[0] / one for row, one in zip(rows, without))
        self.add(
            f"small GET, p99, {count} followers of a {what} container",
            ms(with_them), f"none {ms(median(without))}",
            f"{(ratio - 1) * 100:+.0f} %", "< +20 %", ratio < 1.2,
        )
        self.add(f"  memory of the streams, {count} of them (PSS)",
                 mib(grown), f"{grown / count:.0f} KiB each")
        self.add("  processor time of our processes meanwhile",
                 f"{cpu * 100:.1f} % of one")
        self.stand.engine.run("rm", "-f", name)

    def no_stream_is_open(self):
        path = self.service.path("run", "agent", "engine.sock")
        with open("/proc/net/unix") as table:
            return not any(
                row.split()[-1] == path and row.split()[5] == "03"
                for row in table
            )

    def streams(self):
        count = 100 if self.quick else 500
        self.followers("quiet", "echo here; exec sleep 100000", count)
        self.followers(
            "talking", "while echo here; do sleep 1; done", count
        )

    # Deployments

    def create_three(self, name):
        answer = self.stand.client.post("/deployments", {
            "name": name, "compose_content": THREE_SERVICES,
            "auto_start": False,
        })
        assert answer.status == 201, answer

    def compare_statistics(self, what, target):
        loop = self.loop()
        request = self.get(target)
        ours = median(
            percentile(loop.seconds(request, 200, 200), 50)
            for _ in range(self.rounds(5))
        )
        loop.close()
        command = [DOCKER, "-H", f"unix://{self.stand.engine.socket}",
                   "stats", "--no-stream"]
        theirs = median(
            timed(lambda: subprocess.run(
                command, check=True, capture_output=True
            )) for _ in range(self.rounds(3))
        )
        return (what, ms(ours), f"docker stats --no-stream {ms(theirs)}",
                f"{theirs / ours:.0f}x"), ours

    def statistics(self):
        name = "statistics"
        client = self.stand.client.over_plain_http()
        self.create_three(name)
        answer = client.post(f"/deployments/{name}/start")
        assert answer.status == 200, answer
        wait_until(
            lambda: len(client.get(f"/deployments/{name}/stats").json[
                "services"]) == 3, 30, what="samples of three containers",
        )
        cells, ours = self.compare_statistics(
            "statistics of three containers, p50",
            f"/api/deployments/{name}/stats",
        )
        self.add(*cells, "< 5.000 ms", ours < 0.005)
        answer = client.delete(f"/deployments/{name}")
        assert answer.status == 200, answer

    # Many running containers

    def fifty(self):
        """What fifty running containers cost when nothing happens."""
        count = 50
        names = self.stand.run_containers(count)
        client = self.stand.client.over_plain_http()
        wait_until(
            lambda: len(client.get("/containers/stats").json["stats"])
            >= count, 60, what="samples of all containers",
        )
        cells, ours = self.compare_statistics(
            f"statistics of {count} containers, p50", "/api/containers/stats"
        )
        self.add(*cells, "< 10.000 ms", ours < 0.01)
        self.idle_cpu(count)
        self.stand.remove_containers(names)

    def idle_cpu(self, count):
        seconds = 10 if self.quick else 60
        agent, engine = self.service.agent.pid, self.stand.engine.process.pid
        time.sleep(5)
        before = cpu_seconds(agent), cpu_seconds(engine)
        time.sleep(seconds)
        after = cpu_seconds(agent), cpu_seconds(engine)
        ours, theirs = (
            (new - old) / seconds for old, new in zip(before, after)
        )
        self.service.stop_agent()
        time.sleep(1)
        started = cpu_seconds(engine)
        time.sleep(seconds)
        alone = (cpu_seconds(engine) - started) / seconds
        self.service.start_agent()
        self.service.wait_until_ready()
        self.add(
            f"CPU of the agent, idle, {count} running", f"{ours:.2%} of a core",
            "", "", "< 1 %", ours < 0.01,
        )
        self.add(
            f"CPU of dockerd, idle, {count} running", f"{theirs:.2%} of a core",
            f"without us {alone:.2%}",
        )

    def start_by_service(self, client, name):
        answer = client.post(f"/deployments/{name}/start")
        assert answer.status == 200, answer
        return answer.seconds

    def compare_starts(self, major):
        name, by_hand = f"start{major}", f"hand{major}"
        client = self.stand.client.over_plain_http()
        self.service.use_compose(major)
        self.create_three(name)
        ours_directory = self.service.path("deployments", name)
        # Elsewhere, so that it is nobody's deployment.
        directory = self.service.path(by_hand)
        os.mkdir(directory)
        with open(os.path.join(directory, "docker-compose.yml"), "w") as out:
            out.write(THREE_SERVICES)
        turns = (
            ([], lambda: self.start_by_service(client, name), ours_directory),
            ([], lambda: timed(
                self.stand.compose, major, directory, "up", "-d",
                "--remove-orphans"), directory),
        )
        # The first round warms up both.
        for number in range(self.rounds(7) + 1):
            for times, start, where in turns[::1 if number % 2 else -1]:
                taken = start()
                if number > 0:
                    times.append(taken)
                self.stand.compose(major, where, "down", "-t", "0")
        ours, theirs = (times for times, _, _ in turns)
        ratio = median(one / other for one, other in zip(ours, theirs))
        self.add(
            f"start of three services, Compose {major}", ms(median(ours)),
            f"by hand {ms(median(theirs))}", f"{(ratio - 1) * 100:+.1f} %",
            "<= +10 %", ratio <= 1.1,
        )
        answer = client.delete(f"/deployments/{name}")
        assert answer.status == 200, answer

    def compose(self):
        for major in (1, 2):
            if COMPOSE[major]:
                self.compare_starts(major)
            else:
                self.say(f"there is no Compose {major} here")

    def update(self):
        update.measure(self, ms)

    # Images

    def pull_by_service(self, client, image):
        answer = client.post("/images/pull", {"name": image})
        assert answer.status == 200, answer
        assert answer.json["downloaded"] is True, answer
        return answer.seconds

    def pull(self):
        """An image of 100 MB, from a registry beside the Engine."""
        program = os.environ.get("FLATRUN_TEST_REGISTRY", "")
        if not os.path.exists(program):
            self.say("there is no registry here")
            return
        engine = self.stand.engine
        registry = Registry(
            os.path.join(self.stand.directory, "registry"), program, engine
        )
        image = f"{registry.host}/team/hundred:1"
        engine.run("import", "-", "test/hundred:1",
                   input=random_image(100 * 1000 * 1000))
        registry.push(image, "test/hundred:1")
        engine.run("rmi", "test/hundred:1")
        client = self.stand.client.over_plain_http()
        turns = (
            ([], lambda: self.pull_by_service(client, image)),
            ([], lambda: timed(engine.run, "pull", image)),
        )
        # The first round warms up both.
        for number in range(self.rounds(9) + 1):
            for times, pull in turns[::1 if number % 2 else -1]:
                taken = pull()
                if number > 0:
                    times.append(taken)
                engine.run("rmi", image)
        registry.stop()
        ours, theirs = (times for times, _ in turns)
        ratio = median(one / other for one, other in zip(ours, theirs))
        self.add(
            "pull of an image of 100 MB", ms(median(ours)),
            f"docker pull {ms(median(theirs))}", f"{(ratio - 1) * 100:+.1f} %",
            "<= +5 %", ratio <= 1.05,
        )

    def validation(self):
        validation.measure(self)

    def print_table(self):
        head = ("measured", "ours", "reference", "ratio", "aim", "met?")
        table = [head, *(row.cells() for row in self.rows)]
        widths = [max(len(row[one]) for row in table) for one in range(6)]
        table.insert(1, tuple("-" * width for width in widths))
        for row in table:
            print("  ".join(
                cell.ljust(width) for cell, width in zip(row, widths)
            ).rstrip())


# In this order: memory first, the thousand deployments last.
MEASUREMENTS = (
    "memory", "growth", "starts", "throughput", "streams", "statistics",
    "fifty", "compose", "update", "pull", "validation", "lists",
)
STARTED = time.monotonic()


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS)
    return parser.parse_args()


def print_circumstances(stand):
    engine = stand.engine.api("/version")
    versions = [
        f"Compose {major}: {path}" for major, path in COMPOSE.items() if path
    ]
    print(
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Linux {os.uname().release}, Docker Engine {engine['Version']}, "
        + ", ".join(versions)
    )


def main():
    options = parse_options()
    stand = Stand(os.environ["FLATRUN_TEST_DIRECTORY"])
    bench = Bench(stand, options.quick)
    try:
        stand.start()
        print_circumstances(stand)
        for name in MEASUREMENTS:
            if options.only is None or name in options.only:
                bench.say(name)
                getattr(bench, name)()
    finally:
        stand.stop()
        bench.print_table()


if __name__ == "__main__":
    main()
