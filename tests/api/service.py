"""The whole service as an operator runs it: nginx, two pools, the agent."""

import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys

from clients import Client, wait_until
from engine import free_port

BINARIES = os.environ["FLATRUN_TEST_BINARIES"]
SITE_TEMPLATE = os.path.realpath(
    os.path.join(os.path.dirname(__file__), "../../nginx/site.conf.in")
)
CATALOGUE = os.path.realpath(
    os.path.join(os.path.dirname(__file__), "../../config/templates")
)
COMPOSE = {
    1: os.environ.get("FLATRUN_TEST_COMPOSE_V1", ""),
    2: os.environ.get("FLATRUN_TEST_COMPOSE_V2", ""),
}
JWT_SECRET = "0f9b2d6c4e8a1735bd60c2e9f4a8176d"
CONFIG_KEY = "a key of the configuration file 7741"
ORIGIN = "https://panel.example"

CONFIG = """\
deployments_path: {directory}/deployments
docker_socket: unix://{docker_socket}
default_timeout: 2m
state_directory: {directory}/state
run_directory: {directory}/run
user: flatrun
trash_days: 30
api:
  host: 127.0.0.1
  port: {port}
  tls_port: {tls_port}
  tls_host: 127.0.0.1
  enable_cors: true
  allowed_origins: [{origin}]
  workers: 2
auth:
  enabled: true
  api_keys: ["{config_key}"]
  jwt_secret: {jwt_secret}
nginx:
  vhost_directory: {directory}/vhosts
  access_log: {directory}/nginx/api.log
  user: www-data
logging:
  level: info
health:
  sample_interval: 1s
  resync_interval: 2m
deploy:
  settle_seconds: 1
compose:
  policy:
    bind_paths: [{directory}/shared]
templates:
  catalogue: {catalogue}
  sources:
    - {{name: planted, path: {directory}/templates}}
{template_sources}"""

NGINX = """\
user www-data;
worker_processes 1;
pid {directory}/nginx/nginx.pid;
error_log {directory}/nginx/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log {directory}/nginx/access.log;
    client_body_temp_path {directory}/nginx/body;
    proxy_temp_path {directory}/nginx/proxy;
    fastcgi_temp_path {directory}/nginx/fastcgi;
    uwsgi_temp_path {directory}/nginx/uwsgi;
    scgi_temp_path {directory}/nginx/scgi;
    # A neighbour: the site is never alone on a host.
    server {{
        listen 127.0.0.1:{neighbour_port} default_server;
        return 200 "neighbour\\n";
    }}
    include {directory}/nginx/site.conf;
}}
"""


def ensure_user():
    try:
        pwd.getpwnam("flatrun")
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--home-dir",
             "/nonexistent", "--shell", "/usr/sbin/nologin", "flatrun"],
            check=True,
        )


def default_compose():
    return COMPOSE[2] or COMPOSE[1]


class Service:
    def __init__(self, directory, engine):
        self.directory = directory
        self.engine = engine
        self.config = os.path.join(directory, "config.yml")
        self.log_directory = os.path.join(directory, "log")
        self.port, self.tls_port = free_port(), free_port()
        self.neighbour_port = free_port()
        self.compose = default_compose()
        self.template_sources = []
        self.agent = self.nginx = None
        self.pools = {}
        self.admin_key = None

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    # Setting up

    def prepare(self):
        ensure_user()
        for name in ("deployments", "state", "run", "vhosts", "nginx",
                     "shared", "templates"):
            os.makedirs(self.path(name))
        os.makedirs(self.log_directory)
        os.makedirs(self.path("sanitizer"))
        os.chmod(self.path("sanitizer"), 0o1777)
        self.write_config()
        self.run_admin("init")
        secret = self.path("state", "secrets", "admin-key")
        _, self.admin_key = self.make_key("first", "admin", secret)
        self.write_nginx_config()

    def write_config(self):
        with open(self.config, "w") as out:
            out.write(CONFIG.format(
                directory=self.directory,
                docker_socket=self.engine.socket,
                port=self.port,
                tls_port=self.tls_port,
                origin=ORIGIN,
                config_key=CONFIG_KEY,
                jwt_secret=JWT_SECRET,
                catalogue=CATALOGUE,
                template_sources="".join(
                    f"    - {json.dumps(one)}\n"
                    for one in self.template_sources
                ),
            ))
        shutil.chown(self.config, "root", "flatrun")
        os.chmod(self.config, 0o640)

    def write_nginx_config(self):
        with open(self.path("nginx", "nginx.conf"), "w") as out:
            out.write(NGINX.format(
                directory=self.directory, neighbour_port=self.neighbour_port,
            ))
        for name in ("fastcgi_params", "fastcgi.conf", "mime.types"):
            os.symlink(f"/etc/nginx/{name}", self.path("nginx", name))
        self.render_site("site.conf")

    def render_site(self, name):
        self.run_admin(
            "render-nginx", "--template", SITE_TEMPLATE,
            "--output", self.path("nginx", name),
        )

    def environment(self):
        report = self.path("sanitizer", "report")
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "FLATRUN_COMPOSE": self.compose,
            # As in the agent's unit; the pools set them for themselves.
            "GNUTLS_NO_IMPLICIT_INIT": "1",
            "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
            "ASAN_OPTIONS": f"log_path={report}:detect_leaks=1",
            "UBSAN_OPTIONS": f"log_path={report}:print_stacktrace=1",
        }

    def run_admin(self, *arguments, check=True):
        result = subprocess.run(
            [os.path.join(BINARIES, "flatrun-admin"), "-c", self.config,
             *arguments],
            env=self.environment(), capture_output=True, text=True,
            timeout=60,
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"flatrun-admin {' '.join(arguments)}: {result.returncode}\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    # Processes

    def spawn(self, name, command):
        path = os.path.join(self.log_directory, f"{name}.log")
        with open(path, "ab") as log:
            return subprocess.Popen(
                command, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )

    def start_agent(self):
        self.agent = self.spawn("agent", [
            os.path.join(BINARIES, "flatrun-agent"), "-c", self.config,
        ])

    def stop_agent(self):
        self.agent.terminate()
        assert self.agent.wait(30) == 0, "the agent did not end with status 0"

    def kill_agent(self):
        self.agent.kill()
        self.agent.wait(10)

    def restart_agent(self):
        self.stop_agent()
        self.start_agent()
        self.wait_until_ready()

    def use_compose(self, major):
        self.compose = COMPOSE[major]
        self.restart_agent()

    def start_pool(self, name):
        self.pools[name] = self.spawn(name, [
            os.path.join(BINARIES, "flatrun-admin"), "-c", self.config,
            "pool", "--program", os.path.join(BINARIES, "flatrun-fcgi"), name,
        ])

    def workers(self, pool="workers"):
        """The process numbers of a pool's workers."""
        parent = self.pools[pool].pid
        with open(f"/proc/{parent}/task/{parent}/children") as children:
            return [int(word) for word in children.read().split()]

    def kill_workers(self, pool="workers"):
        for worker in self.workers(pool):
            self.kill_worker(worker)

    def kill_worker(self, worker):
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def start_nginx(self):
        config = self.path("nginx", "nginx.conf")
        subprocess.run(
            ["nginx", "-t", "-c", config, "-e", "stderr"], check=True,
        )
        self.nginx = self.spawn("nginx", [
            "nginx", "-c", config, "-e", self.path("nginx", "error.log"),
            "-g", "daemon off;",
        ])

    def start(self):
        self.prepare()
        self.start_agent()
        wait_until(
            lambda: os.path.isdir(self.path("run", "http")), 10,
            what="the agent's run directory",
        )
        self.start_pool("workers")
        self.start_pool("streams")
        self.start_nginx()
        self.wait_until_ready()

    def stop(self):
        for process in (self.nginx, *self.pools.values(), self.agent):
            if process is not None and process.poll() is None:
                process.terminate()
        for process in (self.nginx, *self.pools.values(), self.agent):
            if process is not None:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    print(f"had to kill {process.args}", file=sys.stderr)

    # Looking at it

    def client(self, token=None, source="127.0.0.1"):
        return Client(self, token, source)

    def health(self):
        try:
            answer = self.client(source="127.0.0.9").get("/health", timeout=5)
        except (OSError, http.client.HTTPException):
            return None
        return answer.json if answer.status == 200 else None

    def is_ready(self):
        if self.agent.poll() is not None:
            raise AssertionError(
                f"the agent ended with {self.agent.returncode}:\n"
                + self.log("agent")[-2000:]
            )
        # The sign of life of an agent that was killed is valid for a while.
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(self.path("run", "agent", "agent.sock")) != 0:
                return False
        health = self.health()
        return health is not None and health["status"] == "healthy"

    def wait_until_ready(self, timeout=20):
        wait_until(self.is_ready, timeout, what="a healthy service")

    def log(self, name):
        path = os.path.join(self.log_directory, f"{name}.log")
        with open(path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def log_lines(self, name):
        """The JSON lines of a program's log."""
        return [
            json.loads(line) for line in self.log(name).splitlines()
            if line.startswith("{")
        ]

    def database(self):
        path = self.path("state", "database", "flatrun.db")
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def secret_of_tokens(self):
        return JWT_SECRET.encode()

    def make_key(self, name, role, output=None):
        """(id, text) of a new API key."""
        output = output or self.path(f"key-{name}")
        self.run_admin(
            "key", "create", "--name", name, "--role", role, "--output", output
        )
        with open(output) as key:
            text = key.read().strip()
        with self.database() as database:
            row = database.execute(
                "SELECT id FROM api_keys WHERE name = ?", (name,)
            ).fetchone()
        return row[0], text

    def is_listening(self, port):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0


def processes_of_jobs(mark="FLATRUN_AGENT="):
    """Numbers of processes with the agent's mark in their environment."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as environment:
                if mark.encode() in environment.read():
                    found.append(int(name))
        except OSError:
            continue
    return found
