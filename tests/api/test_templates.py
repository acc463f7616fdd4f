"""Templates: the catalogue, other sources, deployments made from them."""

import hashlib
import http.server
import io
import os
import re
import shutil
import ssl
import stat
import subprocess
import tarfile
import threading

import pytest

from clients import assert_error, wait_until
from engine import free_port
from service import CATALOGUE

BUILTIN = {
    "astro", "ghost", "laravel", "minio", "nextcloud", "nextjs", "node", "php",
    "static", "wordpress",
}
INFRA = {
    "infra/mariadb", "infra/mongodb", "infra/mysql", "infra/nginx",
    "infra/postgres", "infra/redis", "infra/valkey",
}


def catalogue_ids():
    ids = []
    for directory, _, names in os.walk(CATALOGUE):
        if "docker-compose.yml" in names:
            ids.append(os.path.relpath(directory, CATALOGUE))
    return sorted(ids)


# Healthy at once, with a secret, a file and a volume.
COMPOSE = """\
# A comment that stays.
services:
  app:
    image: test/web:1 # as does this one
    environment:
      SECRET: ${APP_SECRET:?}
      OTHER: ${APP_OTHER:?}
    expose:
      - "80"
    volumes:
      - ./conf:/conf:ro
      - data:/data
    healthcheck:
      test: ["CMD-SHELL", "grep -q \\"$$SECRET\\" /conf/app.conf"]
      interval: 1s
      timeout: 2s
      retries: 3
    mem_limit: 64m
    cpus: 0.5
volumes:
  data:
"""
METADATA = """\
name: Planted
description: A template of the tests.
category: application
priority: 7
container_port: 80
mounts:
  - {id: conf, container_path: /conf, type: file, required: true}
  - {id: data, container_path: /data, type: volume, required: true}
  - {id: extra, container_path: /extra, type: volume}
files:
  - path: conf/app.conf
    content: |
      name=${NAME}
      secret=${APP_SECRET}
      kept=${SOMETHING} $uri
env:
  template: |
    APP_NAME=${NAME}
  secrets:
    - {key: APP_SECRET, encoding: hex, bytes: 16}
    - {key: APP_OTHER, encoding: base64, bytes: 32, prefix: "base64:"}
quick_actions:
  - {id: hello, name: Hello, command: echo hello, service: app}
"""


class Sources:
    """The directory of templates that the service reads besides its own."""

    def __init__(self, service, api):
        self.root = service.path("templates")
        self.api = api

    def plant(self, name, compose=COMPOSE, metadata=METADATA):
        directory = os.path.join(self.root, name)
        os.makedirs(directory, exist_ok=True)
        for file, text in (("docker-compose.yml", compose),
                           ("metadata.yml", metadata)):
            if text is not None:
                with open(os.path.join(directory, file), "w") as out:
                    out.write(text)

    def refresh(self):
        answer = self.api.post("/templates/refresh")
        assert answer.status == 200, answer
        return answer.json

    def clear(self):
        for name in os.listdir(self.root):
            shutil.rmtree(os.path.join(self.root, name))


@pytest.fixture
def sources(service, api):
    sources = Sources(service, api)
    yield sources
    sources.clear()
    sources.refresh()


@pytest.fixture
def planted(sources):
    """A template that the tests' Engine can run."""
    sources.plant("planted")
    answer = sources.refresh()
    assert answer["problems"] == [], answer
    return "planted"


# The catalogue


def test_applications_are_listed_by_priority_then_name(api):
    answer = api.get("/templates")
    assert answer.status == 200, answer
    templates = answer.json["templates"]
    assert BUILTIN <= {one["id"] for one in templates}
    assert not {one["id"] for one in templates} & INFRA
    assert len(templates) == answer.json["total"] >= 22
    order = [(-one["priority"], one["name"].lower()) for one in templates]
    assert order == sorted(order)
    for one in templates:
        assert one["content"].strip() and one["description"], one["id"]
        assert isinstance(one["mounts"], list), one["id"]
        assert isinstance(one["files"], list), one["id"]
        assert 0 < one["container_port"] < 65536, one["id"]
        assert one["source"] == "builtin"


def test_types_and_categories_filter(api):
    shared = api.get("/templates?type=infrastructure").json["templates"]
    assert {one["id"] for one in shared} == INFRA
    everything = api.get("/templates?type=all").json["templates"]
    assert {one["id"] for one in everything} == set(catalogue_ids())
    some = api.get("/templates?type=all&category=database").json["templates"]
    assert {one["category"] for one in some} == {"database"}
    assert api.get("/templates?category=nothing").json["templates"] == []
    assert_error(api.get("/templates?type=other"), 400, field="type")


def test_categories_are_the_fixed_ones(api):
    categories = api.get("/templates/categories").json["categories"]
    assert [one["id"] for one in categories] == [
        "application", "framework", "runtime", "infrastructure", "database",
        "basic",
    ]
    assert categories[0] == {
        "id": "application", "name": "Applications",
        "icon": "pi pi-desktop", "priority": 100,
    }


def test_lists_and_templates_have_an_etag(api):
    for path in ("/templates", "/templates/static",
                 "/templates/infra/redis/compose"):
        answer = api.get(path)
        again = api.get(path, headers={
            "If-None-Match": answer.header("ETag")
        })
        assert (answer.status, again.status) == (200, 304), path


def test_one_template_by_its_id(api):
    one = api.get("/templates/ghost").json
    assert one["template"]["id"] == "ghost"
    assert one["template"] == one["data"]
    shared = api.get("/templates/infra/redis").json["template"]
    assert shared["id"] == "infra/redis"
    assert api.get("/templates/infra%2Fredis").json["template"] == shared
    assert_error(api.get("/templates/missing"), 404, "TEMPLATE_NOT_FOUND")
    for word in ("A", "-a", "a.b", "..", "a" * 65, "other%2Fredis", "%00"):
        assert api.get(f"/templates/{word}").status in (400, 404), word


def test_a_compose_text_is_filled_in(api, planted):
    answer = api.get("/templates/planted/compose?name=blog").json
    assert (answer["template_id"], answer["name"]) == ("planted", "blog")
    assert answer["content"] == COMPOSE
    network = api.get("/templates/infra/redis/compose?name=cache").json
    assert 'name: "cache"' in network["content"]
    assert "${REDIS_PASSWORD:?}" in network["content"]
    assert_error(api.get("/templates/planted/compose?name=No"), 400,
                 "INVALID_NAME", "name")


# Generating


def test_a_text_for_a_choice_keeps_comments(api, planted):
    answer = api.post("/templates/planted/generate", {
        "name": "blog", "image": "test/web:2", "host_port": "8081",
        "mounts": [{"id": "data", "enabled": True, "type": "file"},
                   {"id": "extra", "enabled": True, "type": "volume"},
                   {"id": "conf", "enabled": False}],
    })
    assert answer.status == 200, answer
    content = answer.json["content"]
    assert answer.json["host_port"] == "8081"
    assert answer.json["container_port"] == 80
    assert answer.json["map_ports"] is True
    assert content.startswith("# A comment that stays.\n")
    assert "image: test/web:2 # as does this one\n" in content
    assert '- "8081:80"' in content
    assert '- "./data:/data"' in content and '- "extra:/extra"' in content
    assert "/conf:ro" not in content
    assert re.search(r"^  extra:", content, re.M)


def test_without_a_choice_the_text_stays(api, planted):
    answer = api.post("/templates/planted/generate", {"name": "blog"})
    assert answer.json["content"] == COMPOSE
    assert answer.json["container_port"] == 80
    assert answer.json["map_ports"] is False


def test_a_single_image_is_a_template_too(api):
    answer = api.post("/templates/custom/generate", {"name": "blog"})
    assert "image: nginx:alpine\n" in answer.json["content"]
    assert "expose:" in answer.json["content"]
    answer = api.post("/templates/custom/generate", {
        "name": "blog", "image": "test/web:1", "container_port": 8000,
        "map_ports": True,
    })
    assert '- "8000:8000"' in answer.json["content"]


@pytest.mark.parametrize("change, field", [
    ({"name": "No"}, "name"),
    ({"name": None}, "name"),
    ({"image": "a b"}, "image"),
    ({"host_port": "0"}, "host_port"),
    ({"container_port": 65536}, "container_port"),
    ({"mounts": [{"id": "missing", "enabled": True}]}, "mounts"),
    ({"mounts": [{"id": "data", "type": "device"}]}, "mounts[0].type"),
])
def test_a_wrong_choice_is_refused(api, change, field):
    body = {"name": "blog", **change}
    assert_error(api.post("/templates/static/generate", body), 400,
                 field=field)


def test_an_unknown_template_is_told(api):
    assert_error(api.post("/templates/missing/generate", {"name": "a"}), 404,
                 "TEMPLATE_NOT_FOUND")
    assert_error(api.post("/deployments", {
        "name": "from-nothing", "template_id": "missing",
    }), 400, "TEMPLATE_NOT_FOUND", "template_id")


# Refreshing


def test_a_broken_template_is_named_and_skipped(api, sources):
    sources.plant("good")
    sources.plant("infra/shared")
    sources.plant("bad-yaml", compose="services: [\n")
    sources.plant("bad-policy", compose="""\
services: {app: {image: test/web:1, privileged: true}}
""", metadata=None)
    sources.plant("bad-file", metadata="files: [{path: ../x, content: y}]\n")
    sources.plant("bad-secret", compose="""\
services: {app: {image: test/web:1, command: "${MISSING:?}"}}
""", metadata=None)
    sources.plant("bad-size", compose="#" * 300000)
    sources.plant("BadName")
    sources.plant("no-compose", compose=None)
    answer = sources.refresh()
    problems = {one["template"]: one for one in answer["problems"]}
    assert set(problems) == {
        "bad-yaml", "bad-policy", "bad-file", "bad-secret", "bad-size",
    }, answer
    assert "privileged" in problems["bad-policy"]["message"]
    assert "files[0].path" in problems["bad-file"]["message"]
    assert "MISSING" in problems["bad-secret"]["message"]
    assert answer["message"] == "Templates refreshed"
    assert answer["count"] == len(catalogue_ids()) + 2
    assert "planted" in answer["source"]
    ids = {one["id"] for one in
           api.get("/templates?type=all").json["templates"]}
    assert ids == {*catalogue_ids(), "good", "infra/shared"}


def test_a_link_in_a_source_is_not_followed(api, sources, service):
    sources.plant("good")
    os.symlink(os.path.join(CATALOGUE, "static"),
               os.path.join(sources.root, "linked"))
    os.makedirs(os.path.join(sources.root, "inside"))
    os.symlink("/etc/passwd", os.path.join(
        sources.root, "inside", "docker-compose.yml"))
    try:
        answer = sources.refresh()
        assert [one["template"] for one in answer["problems"]] == ["inside"]
        assert_error(api.get("/templates/linked"), 404)
    finally:
        os.unlink(os.path.join(sources.root, "linked"))


def test_a_later_source_counts_before_an_installed_one(api, sources):
    sources.plant("static")
    sources.refresh()
    one = api.get("/templates/static").json["template"]
    assert (one["source"], one["name"]) == ("planted", "Planted")
    sources.clear()
    sources.refresh()
    one = api.get("/templates/static").json["template"]
    assert (one["source"], one["name"]) == ("builtin", "Static site")


def test_without_metadata_there_are_defaults(api, sources):
    sources.plant("some-thing", metadata=None, compose="""\
services: {app: {image: "test/web:1", expose: ["8000"]}}
""")
    sources.plant("mapped", metadata="mounts: {dirs: [a], files: [b]}\n",
                  compose="services: {app: {image: test/web:1}}\n")
    assert sources.refresh()["problems"] == []
    one = api.get("/templates/some-thing").json["template"]
    assert one["name"] == "Some Thing" and one["icon"] == "pi pi-box"
    assert one["category"] == "general" and one["priority"] == 0
    assert one["container_port"] == 8000
    assert api.get("/templates/mapped").json["template"]["mounts"] == []


def test_the_agent_reads_directories_when_it_starts(api, service, sources):
    sources.plant("early")
    assert_error(api.get("/templates/early"), 404, "TEMPLATE_NOT_FOUND")
    service.restart_agent()
    assert api.get("/templates/early").status == 200


def test_two_refreshes_at_once_are_one(api, sources):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(
            api.post("/templates/refresh")
        )) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = {one.status for one in answers}
    assert 200 in statuses and statuses <= {200, 409}, answers
    for one in answers:
        if one.status == 409:
            assert_error(one, 409, "TEMPLATE_BUSY")


def test_viewers_look_and_operators_refresh(viewer, operator):
    assert viewer.get("/templates").status == 200
    assert viewer.post("/templates/static/generate",
                       {"name": "a"}).status == 200
    assert_error(viewer.post("/templates/refresh"), 403)
    assert operator.post("/templates/refresh").status == 200


# Archives


def make_archive(entries):
    """A tar.gz of (name, text) and of TarInfo that go in as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for one in entries:
            if isinstance(one, tarfile.TarInfo):
                tar.addfile(one)
                continue
            name, text = one
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def special(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


GOOD = [
    ("collection-1.0/remote/docker-compose.yml", COMPOSE),
    ("collection-1.0/remote/metadata.yml", METADATA),
    ("collection-1.0/infra/far/docker-compose.yml", COMPOSE),
    ("collection-1.0/infra/far/metadata.yml", METADATA),
    ("collection-1.0/README.md", "nothing\n"),
]


class Archives(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.archives.get(self.path)
        if isinstance(body, str):
            self.send_response(302)
            self.send_header("Location", body)
            self.end_headers()
            return
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
        self.server.asked.append(self.path)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def host(service):
    """A web server with a certificate of its own."""
    directory = service.path("archive-host")
    os.makedirs(directory)
    certificate = os.path.join(directory, "certificate.pem")
    subprocess.run([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=archives", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", os.path.join(directory, "key.pem"), "-out", certificate,
    ], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", free_port()), Archives
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, os.path.join(directory, "key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.archives, server.asked = {}, []
    server.certificate = certificate
    server.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Remote:
    """Sources of archives: their configuration, until the test ends."""

    def __init__(self, service, host):
        self.service = service
        self.host = host

    def source(self, name, archive, digest=None, path=None, **more):
        path = path or f"/{name}.tar.gz"
        self.host.archives[path] = archive
        digest = digest or hashlib.sha256(
            archive if isinstance(archive, bytes) else b""
        ).hexdigest()
        return {"name": name, "url": self.host.url + path, "sha256": digest,
                "ca": self.host.certificate, **more}

    def configure(self, *sources):
        self.service.template_sources = list(sources)
        self.service.write_config()
        self.service.restart_agent()


@pytest.fixture
def remote(service, host):
    remote = Remote(service, host)
    yield remote
    remote.configure()
    host.archives.clear()


def test_archives_come_from_pinned_addresses(api, service, remote, host):
    good = make_archive(GOOD)
    moved = remote.source("moved", "/good.tar.gz",
                          digest=hashlib.sha256(good).hexdigest())
    remote.configure(
        remote.source("good", good),
        moved,
        remote.source("wrong", make_archive(GOOD + [("x", "y")]),
                      digest="0" * 64),
        {**remote.source("missing", good), "url": host.url + "/gone"},
        {**remote.source("untrusted", good), "ca": "/etc/ssl/cert.pem"},
        remote.source("elsewhere", "https://localhost:1/x.tar.gz"),
        {**remote.source("metadata", good),
         "url": "https://169.254.169.254/x.tar.gz"},
    )
    # Nothing is fetched until somebody asks for it.
    assert host.asked == []
    assert_error(api.get("/templates/remote"), 404)
    answer = api.post("/templates/refresh")
    assert_error(answer, 502, "TEMPLATE_SOURCE_UNAVAILABLE")
    rows = {one["name"]: one for one in answer.json["sources"]}
    assert "'wrong'" in answer.json["error"]
    assert rows["good"]["count"] == rows["moved"]["count"] == 2
    assert "SHA-256" in rows["wrong"]["error"]
    assert "no such archive" in rows["missing"]["error"]
    assert "certificate" in rows["untrusted"]["error"]
    assert "another one" in rows["elsewhere"]["error"]
    assert rows["metadata"]["code"] == "HOST_NOT_ALLOWED"
    assert rows["wrong"]["code"] == "TEMPLATE_SOURCE_UNAVAILABLE"
    assert "/x.tar.gz" not in answer.text
    one = api.get("/templates/remote").json["template"]
    assert one["source"] == "moved"
    assert api.get("/templates/infra/far").status == 200

    # Out of reach, it keeps what it had, also over a start of the agent.
    del host.archives["/good.tar.gz"]
    remote.configure(remote.source("good", good, path="/later.tar.gz"))
    del host.archives["/later.tar.gz"]
    answer = api.post("/templates/refresh")
    assert_error(answer, 502, "TEMPLATE_SOURCE_UNAVAILABLE")
    assert api.get("/templates/remote").json["template"]["source"] == "good"
    remote.configure()
    assert_error(api.get("/templates/remote"), 404)


HOSTILE = {
    "above": GOOD + [("../../etc/x", "y")],
    "absolute": GOOD + [("/etc/x", "y")],
    "symlink": GOOD + [special("a/docker-compose.yml", tarfile.SYMTYPE,
                               "/etc/passwd")],
    "hardlink": GOOD + [special("a/docker-compose.yml", tarfile.LNKTYPE,
                                "collection-1.0/README.md")],
    "device": GOOD + [special("a/docker-compose.yml", tarfile.CHRTYPE)],
    "fifo": GOOD + [special("a/docker-compose.yml", tarfile.FIFOTYPE)],
    "bomb": GOOD + [(f"a/{number}", "0" * (8 << 20)) for number in range(9)],
    "many": [(f"a/{number}", "") for number in range(5001)],
}


def test_hostile_archives_are_refused_whole(api, service, remote):
    archives = {name: make_archive(one) for name, one in HOSTILE.items()}
    archives["nonsense"] = b"x" * 4000
    archives["cut"] = make_archive(GOOD)[:-100]
    remote.configure(*(
        remote.source(name, one) for name, one in archives.items()
    ))
    answer = api.post("/templates/refresh")
    assert_error(answer, 400, "INVALID_TEMPLATE")
    rows = {one["name"]: one for one in answer.json["sources"]}
    for name in archives:
        assert rows[name]["code"] == "INVALID_TEMPLATE", rows[name]
        assert "count" not in rows[name], rows[name]
    assert_error(api.get("/templates/remote"), 404)
    assert not os.path.exists("/etc/x")


# Deployments


def test_a_deployment_from_a_template_serves(
        api, engine, deployments, planted):
    names = [deployments.name("planted") for _ in range(2)]
    secrets = []
    for name in names:
        answer = api.post("/deployments", {
            "name": name, "template_id": "planted", "auto_start": True,
            "env_vars": [{"key": "APP_OTHER", "value": "mine"}],
        })
        assert answer.status == 201 and answer.json["start_error"] == "", (
            answer
        )
        directory = deployments.directory(name)
        path = os.path.join(directory, ".env.flatrun")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path) as lines:
            variables = dict(
                line.rstrip("\n").split("=", 1) for line in lines
            )
        assert variables["APP_OTHER"] == "mine"
        assert variables["APP_NAME"] == name
        secret = variables["APP_SECRET"]
        assert re.fullmatch("[0-9a-f]{32}", secret)
        with open(os.path.join(directory, "conf", "app.conf")) as conf:
            assert conf.read() == (
                f"name={name}\nsecret={secret}\nkept=${{SOMETHING}} $uri\n"
            )
        assert secret not in answer.text
        job = api.get(f"/jobs/{answer.json['job_id']}")
        assert job.status == 200 and secret not in job.text
        secrets.append(secret)
    assert secrets[0] != secrets[1]
    for name in names:
        wait_until(lambda: "healthy" in str(api.get(
            f"/deployments/{name}").json["deployment"]["services"][0].get(
                "health")), 20, what="health")
    metadata = api.get(f"/deployments/{names[0]}").json["deployment"][
        "metadata"]
    assert metadata["template"] == "planted"
    assert metadata["networking"]["container_port"] == 80
    assert [one["id"] for one in metadata["quick_actions"]] == ["hello"]
    volumes = engine.run("volume", "ls", "-q").split()
    assert f"{names[0]}_data" in volumes


def test_the_proxys_network_is_made_for_who_wants_it(
        api, engine, by_hand, deployments, sources):
    sources.plant("joined", metadata=None, compose="""\
services:
  app: {image: test/web:1, networks: [default, "${PROXY_NETWORK}"]}
networks:
  ${PROXY_NETWORK}: {external: true}
""")
    assert sources.refresh()["problems"] == []
    by_hand.forget("network", "rm", "proxy")
    for _ in range(2):
        name = deployments.name("joined")
        answer = api.post("/deployments", {
            "name": name, "template_id": "joined", "auto_start": True,
        })
        assert answer.json["start_error"] == "", answer
        networks = [
            one["NetworkSettings"]["Networks"]
            for one in engine.containers(name)
        ]
        assert "proxy" in networks[0], networks
    assert api.get("/networks/proxy").status == 200
    # Networks with containers in them stay.
    deployments.remove_all()


def test_a_plan_shows_no_secret_and_can_be_carried_out(
        api, deployments, planted):
    name = deployments.name("planned")
    body = {"name": name, "template_id": "planted"}
    plan = api.post("/deployments?plan=true", body)
    assert plan.status == 200, plan
    assert "APP_SECRET" in plan.text
    plan_id = plan.json["plan"]["plan_id"]
    others = plan.text.replace(plan_id, "")
    assert not re.search(r"\b[0-9a-f]{32}\b", others), plan
    answer = api.post(f"/deployments?plan_id={plan_id}", body)
    assert answer.status == 201, answer


def test_secrets_are_in_no_log(service, api, deployments, planted):
    name = deployments.name("planted")
    answer = api.post("/deployments", {
        "name": name, "template_id": "planted", "host_port": "1",
    })
    assert answer.status == 201, answer
    with open(os.path.join(deployments.directory(name),
                           ".env.flatrun")) as text:
        secret = re.search("APP_SECRET=([0-9a-f]+)", text.read()).group(1)
    for log in ("agent", "workers"):
        assert secret not in service.log(log)
    compose = api.get(f"/deployments/{name}/compose").json["content"]
    assert '- "1:80"' in compose and "${APP_SECRET:?}" in compose


def test_a_shown_text_can_be_sent_with_its_template(
        api, deployments, planted):
    content = api.post("/templates/planted/generate", {
        "name": "x", "map_ports": True, "host_port": "8099",
    }).json["content"]
    name = deployments.create(content, template_id="planted")
    assert os.path.exists(
        os.path.join(deployments.directory(name), "conf", "app.conf")
    )


def test_a_text_of_the_clients_needs_no_template_that_is_here(
        api, deployments):
    name = deployments.create(template_id="from-elsewhere")
    one = api.get(f"/deployments/{name}").json["deployment"]
    assert "template" not in one["metadata"]


def test_a_single_image_needs_no_more_than_a_name(api, deployments):
    name = deployments.name("custom")
    answer = api.post("/deployments", {"name": name, "template_id": "custom"})
    assert answer.status == 201, answer
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "image: nginx:alpine\n" in content


@pytest.mark.parametrize("template", catalogue_ids())
def test_every_template_makes_a_deployment(api, deployments, template):
    name = deployments.name("made")
    answer = api.post("/deployments", {"name": name, "template_id": template})
    assert answer.status == 201, answer
    one = api.get(f"/deployments/{name}").json["deployment"]
    assert one["metadata"]["template"] == template
    assert one["services"], one


def test_files_of_a_template_are_there_with_the_first_listing(
        api, deployments):
    name = deployments.name("site")
    api.post("/deployments", {"name": name, "template_id": "static"})
    with open(os.path.join(deployments.directory(name), "html",
                           "index.html")) as page:
        assert f"<h1>{name}</h1>" in page.read()
