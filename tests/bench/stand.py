"""What is measured: an Engine, the service, and the least FastCGI program."""

import concurrent.futures
import json
import os
import subprocess
import time

import engine as engines
import service as services
from clients import wait_until

HELLO = os.path.join(services.BINARIES, "tests/bench/hello")
WORKERS = 2
THREADS = 16  # the default of api.threads
PREFIX = "bench"
IMAGE = "test/web:1"

# In place of what the tests want: limits that do not limit but are counted,
# and the sampling that is the default.
SETTINGS = (
    ("  workers: 2\n",
     f"  workers: {WORKERS}\n  threads: {THREADS}\n"
     "  rate_limit: 100000\n  rate_burst: 100000\n"
     "  streams: 1000\n  streams_per_key: 1000\n"
     "  streams_per_address: 1000\n"),
    ("  sample_interval: 1s\n", ""),
)

# Beside the API in the same server block: log, limits and parameters are the
# same for both.
HELLO_LOCATION = """\
	location = /hello {
		fastcgi_pass flatrun_hello;
	}

"""
HELLO_UPSTREAM = """
upstream flatrun_hello {{
	server unix:{socket};
}}
"""

COMPOSE = """\
services:
  web:
    image: {image}
    network_mode: none
"""


def replace_once(text, old, new):
    if text.count(old) != 1:
        raise AssertionError(f"{old!r} is not there once")
    return text.replace(old, new)


class BenchService(services.Service):
    """The service of the API tests with limits lifted and a neighbour."""

    def write_config(self):
        super().write_config()
        with open(self.config) as config:
            text = config.read()
        for old, new in SETTINGS:
            text = replace_once(text, old, new)
        with open(self.config, "w") as config:
            config.write(text)

    def render_site(self, name):
        super().render_site(name)
        path = self.path("nginx", name)
        with open(path) as site:
            text = site.read()
        text = replace_once(
            text, "\tlocation / {", HELLO_LOCATION + "\tlocation / {"
        )
        with open(path, "w") as site:
            site.write(
                text + HELLO_UPSTREAM.format(socket=self.path("hello.sock"))
            )

    def start(self):
        self.hello = None
        super().start()
        self.hello = self.spawn("hello", [
            "spawn-fcgi", "-n", "-s", self.path("hello.sock"), "-M", "0666",
            "-u", "flatrun", "-b", "1024", "--", "/usr/bin/multiwatch",
            "-f", str(WORKERS), "--", HELLO, str(THREADS),
        ])

    def stop(self):
        super().stop()
        if self.hello is not None:
            self.hello.terminate()
            self.hello.wait(10)

    def forget_heartbeat(self):
        """The last one counts for seconds: it would pass for the new one."""
        try:
            os.unlink(self.path("run", "agent", "heartbeat"))
        except FileNotFoundError:
            pass

    def restart_agent(self):
        self.stop_agent()
        self.forget_heartbeat()
        self.start_agent()
        self.wait_until_ready()

    def stop_pool(self, name):
        self.pools[name].terminate()
        self.pools[name].wait(30)

    def processes(self):
        """(name, number) of every process that is the service's own."""
        return [
            (role, process)
            for role, root in (
                ("agent", self.agent.pid),
                ("workers", self.pools["workers"].pid),
                ("streams", self.pools["streams"].pid),
            )
            for process in descendants(root)
        ]


def descendants(process):
    """The process and all that it started."""
    found = [process]
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/children") as children:
            for child in children.read().split():
                found += descendants(int(child))
    return found


class Stand:
    def __init__(self, directory):
        self.directory = directory
        self.engine = engines.Engine(os.path.join(directory, "engine"))
        self.service = BenchService(directory, self.engine)
        self.count = 0
        self.token = None

    def start(self):
        self.engine.start()
        self.engine.make_images()
        self.service.start()
        self.client = self.service.client(self.service.admin_key)
        answer = self.client.post(
            "/auth/login", {"api_key": self.service.admin_key}
        )
        assert answer.status == 200, answer
        self.token = answer.json["token"]

    def stop(self):
        if self.service.agent is not None:
            self.service.stop()
        if self.engine.process is not None:
            for one in self.engine.api("/containers/json") or []:
                self.engine.run("rm", "-f", one["Id"], check=False)
            self.engine.stop()

    def name(self, number):
        return f"{PREFIX}-{number:04d}"

    def create_container(self, connection, name):
        """What Compose would create, without its second for each."""
        connection.request(
            "POST", f"/v1.41/containers/create?name={name}-web-1",
            json.dumps({
                "Image": IMAGE,
                "Labels": {
                    "com.docker.compose.project": name,
                    "com.docker.compose.service": "web",
                    "com.docker.compose.container-number": "1",
                    "com.docker.compose.oneoff": "False",
                    "com.docker.compose.config-hash": "0" * 64,
                    "com.docker.compose.version": "2.26.1",
                },
                "HostConfig": {"NetworkMode": "none"},
            }), {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 201, body

    def create_containers(self, names):
        connection = engines.UnixConnection(self.engine.socket)
        for name in names:
            self.create_container(connection, name)
        connection.close()

    def run_containers(self, count):
        """Containers that run and do nothing."""
        names = [f"running-{one:03d}" for one in range(count)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(
                lambda name: self.engine.run(
                    "run", "-d", "--name", name, IMAGE
                ), names,
            ))
        return names

    def remove_containers(self, names):
        self.engine.run("rm", "-f", *names)

    def write_project(self, name, text):
        directory = self.service.path("deployments", name)
        os.mkdir(directory)
        with open(os.path.join(directory, "docker-compose.yml"), "w") as out:
            out.write(text)
        return directory

    def grow(self, count):
        """Lets there be count deployments, each with a created container."""
        names = [self.name(one) for one in range(self.count, count)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            # Lists, so that errors come out.
            list(pool.map(
                self.create_containers, [names[one::4] for one in range(4)]
            ))
        for name in names:
            self.write_project(name, COMPOSE.format(image=IMAGE))
        self.count = count
        started = time.monotonic()
        wait_until(self.is_complete, 120, what="the mirror of all containers")
        return time.monotonic() - started

    def is_complete(self):
        answer = self.client.get("/deployments")
        assert answer.status == 200, answer
        known = [
            one for one in answer.json["deployments"]
            if one["name"].startswith(PREFIX)
            and one["services"][0]["container_id"] != ""
        ]
        return len(known) == self.count

    def compose(self, major, directory, *arguments):
        """Runs Compose by hand, as somebody would in the directory."""
        return subprocess.run(
            [services.COMPOSE[major], *arguments], cwd=directory,
            check=True, capture_output=True, timeout=120,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                "LANG": "C.UTF-8",
                "DOCKER_HOST": f"unix://{self.engine.socket}",
            },
        )
