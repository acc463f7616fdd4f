"""A Docker Engine of the tests' own, images made here, and a registry."""

import base64
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import urllib.parse

from clients import wait_until

DOCKER = "/usr/bin/docker"


def ends_at_once(command):
    """Process 1 has no default signal handlers: SIGTERM would be ignored."""
    return 'CMD ["sh", "-c", "trap exit TERM; %s & wait"]' % command


IMAGES = {
    "test/web:1": [ends_at_once("httpd -f -p 80 -h /www"), "EXPOSE 80"],
    "test/web:2": [
        ends_at_once("httpd -f -p 80 -h /www"), "EXPOSE 80", "LABEL version=2",
    ],
    "test/talker:1": [ends_at_once("sh /bin/talk")],
    "test/binary:1": [ends_at_once("sh /bin/binary")],
    "test/busy:1": [ends_at_once("while :; do :; done")],
    "test/healthy:1": [
        ends_at_once("sleep 100000"),
        "HEALTHCHECK --interval=1s --timeout=2s --retries=1 CMD true",
    ],
    "test/sick:1": [
        ends_at_once("sleep 100000"),
        "HEALTHCHECK --interval=1s --timeout=2s --retries=1 CMD false",
    ],
    # Healthy eight seconds after it started.
    "test/slow:1": [
        ends_at_once("(sleep 8; touch /tmp/ready; sleep 100000)"),
        "HEALTHCHECK --interval=1s --timeout=2s --retries=30 "
        "CMD test -e /tmp/ready",
    ],
    "test/quitter:1": ['CMD ["sh", "-c", "echo leaving; exit 3"]'],
    "test/stubborn:1": [
        'CMD ["sh", "-c", "trap \\"\\" TERM; while :; do sleep 1; done"]'
    ],
}

TALK = """\
echo "out: started with $GREETING"
echo "err: started" >&2
i=0
while :; do
    i=$((i + 1))
    echo "out: $i"
    echo "err: $i" >&2
    sleep 0.5
done
"""

# Bytes that are no UTF-8, terminal escapes, a long line, words of SSE.
BINARY = r"""
printf 'bad \377\376 bytes\n'
printf 'overlong \300\257 slash\n'
printf '\033[31mred\033[0m\n'
printf '{"looks": "like JSON"}\n'
printf 'data: forged\n'
printf 'event: forged\n'
printf 'one\rtwo\n'
head -c 70000 /dev/zero | tr '\0' 'x'
printf '\nlast line\n'
sleep 100000
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def make_rootfs():
    """A tar with busybox and what the images run."""
    applets = subprocess.run(
        ["/bin/busybox", "--list"], check=True, capture_output=True, text=True
    ).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name, content=b"", kind=tarfile.REGTYPE, mode=0o644, link=""):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname = kind, mode, link
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

        for name in ("bin", "etc", "www"):
            add(name, kind=tarfile.DIRTYPE, mode=0o755)
        add("tmp", kind=tarfile.DIRTYPE, mode=0o1777)
        with open("/bin/busybox", "rb") as busybox:
            add("bin/busybox", busybox.read(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                add(f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        add("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        add("www/index.html", b"hello from the container\n")
        add("bin/talk", TALK.encode(), mode=0o755)
        add("bin/binary", BINARY.encode(), mode=0o755)
    return out.getvalue()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=30)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Engine:
    def __init__(self, directory):
        self.directory = directory
        self.socket = os.path.join(directory, "docker.sock")
        self.process = None
        os.makedirs(directory, exist_ok=True)

    def start(self):
        with open(os.path.join(self.directory, "dockerd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd",
                    "--host", f"unix://{self.socket}",
                    "--data-root", os.path.join(self.directory, "data"),
                    "--exec-root", os.path.join(self.directory, "exec"),
                    "--pidfile", os.path.join(self.directory, "pid"),
                    "--exec-opt", "native.cgroupdriver=cgroupfs",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, 30, what="an answer of the Docker Engine")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"dockerd ended: see {self.directory}")
        try:
            return self.api("/_ping") is not None
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def run(self, *arguments, input=None, check=True):
        return subprocess.run(
            [DOCKER, "-H", f"unix://{self.socket}", *arguments],
            input=input, check=check, capture_output=True, timeout=120,
        ).stdout.decode()

    def api(self, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                return None
            return json.loads(body) if body.startswith((b"[", b"{")) else body
        finally:
            connection.close()

    def containers(self, project=None):
        """Containers, all or of one project, as the Engine lists them."""
        query = {"all": "1"}
        if project is not None:
            label = f"com.docker.compose.project={project}"
            query["filters"] = json.dumps({"label": [label]})
        return self.api("/containers/json?" + urllib.parse.urlencode(query))

    def states(self, project):
        return sorted(one["State"] for one in self.containers(project))

    def import_image(self, name, *changes):
        """An image with busybox; each has an id of its own."""
        options = ["-c", "ENV PATH=/bin"]
        for change in changes:
            options += ["-c", change]
        self.run("import", *options, "-", name, input=make_rootfs())

    def make_images(self):
        rootfs = make_rootfs()
        for name, changes in IMAGES.items():
            options = ["-c", "ENV PATH=/bin"]
            for change in changes:
                options += ["-c", change]
            self.run("import", *options, "-", name, input=rootfs)


def random_image(size):
    """A tar that does not compress, for `docker import`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("random")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return out.getvalue()


class Registry:
    """
    The images it has are not in the Engine: they have to be pulled. With a
    password only USER may do that.
    """

    USER = "deployer"

    def __init__(self, directory, program, engine, password=None):
        self.directory = directory
        self.program = program
        self.engine = engine
        self.password = password
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.image = f"{self.host}/team/web:1"
        os.makedirs(directory)
        self.write_config()
        self.start()
        self.push(self.image, "test/web:1")

    def write_config(self):
        with open(os.path.join(self.directory, "config.yml"), "w") as out:
            out.write(
                "version: 0.1\n"
                "storage: {filesystem: {rootdirectory: %s/data}}\n"
                "http: {addr: '127.0.0.1:%d'}\n" % (self.directory, self.port)
            )
            if self.password is not None:
                out.write(
                    "auth: {htpasswd: {realm: test, path: %s/htpasswd}}\n"
                    % self.directory
                )
        if self.password is None:
            return
        # The password on standard input: argv is for all to see.
        line = subprocess.run(
            ["htpasswd", "-niB", "-C", "5", self.USER], check=True,
            input=self.password.encode(), capture_output=True,
        ).stdout
        with open(os.path.join(self.directory, "htpasswd"), "wb") as out:
            out.write(line)

    def start(self):
        path = os.path.join(self.directory, "registry.log")
        with open(path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve",
                 os.path.join(self.directory, "config.yml")],
                stdout=log, stderr=log,
            )
        wait_until(self.answers, 10, what="an answer of the registry")

    def push(self, name, image):
        """Pushes an image of the Engine's under a name, which then goes."""
        self.engine.run("tag", image, name)
        options = []
        if self.password is not None:
            options = ["--config", self.client_config()]
        self.engine.run(*options, "push", name)
        self.engine.run("rmi", name)

    def client_config(self):
        """A directory with what the Docker client needs to log in."""
        directory = os.path.join(self.directory, "client")
        os.makedirs(directory, exist_ok=True)
        login = base64.b64encode(f"{self.USER}:{self.password}".encode())
        with open(os.path.join(directory, "config.json"), "w") as out:
            json.dump({"auths": {self.host: {"auth": login.decode()}}}, out)
        return directory

    def answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        with open(os.path.join(self.directory, "registry.log")) as log:
            return log.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


SLOW_NGINX = """\
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{host};
            proxy_set_header Host $http_host;
            limit_rate {rate};
        }}
    }}
}}
"""


class SlowRegistry:
    """In front of a registry: BYTES of random data that take SECONDS."""

    BYTES = 4 * 1024 * 1024
    SECONDS = 4

    def __init__(self, directory, registry):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.image = f"{self.host}/team/large:1"
        engine = registry.engine
        engine.run("import", "-", "test/large:1",
                   input=random_image(self.BYTES))
        registry.push(f"{registry.host}/team/large:1", "test/large:1")
        engine.run("rmi", "test/large:1")
        os.makedirs(directory)
        config = os.path.join(directory, "nginx.conf")
        with open(config, "w") as out:
            out.write(SLOW_NGINX.format(
                directory=directory, port=self.port, host=registry.host,
                rate=self.BYTES // self.SECONDS,
            ))
        self.process = subprocess.Popen([
            "nginx", "-c", config, "-e", os.path.join(directory, "error.log"),
            "-g", "daemon off;",
        ])
        wait_until(self.answers, 10, what="an answer of the slow registry")

    answers = Registry.answers
    stop = Registry.stop
