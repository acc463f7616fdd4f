"""Compose documents: hostile ones, odd ones, and what people really write."""

import os
import re

import pytest

from clients import assert_error, wait_until
from conftest import one_service
from test_compose_policy import REFUSED as REFUSED_BY_POLICY

PLACE = re.compile(r"^line \d+, column \d+: ")
HEAD = "services:\n  app:\n    image: test/web:1\n"


def create(api, content, **more):
    return api.post("/deployments", {
        "name": "hostile", "compose_content": content, **more,
    })


# What is no document that two readers would read alike


UNREADABLE = {
    "not yaml": "services: [\n",
    "a tab": "services:\n\tapp: {image: x}\n",
    "duplicate keys": HEAD + "    image: test/web:2\n",
    "duplicate service": HEAD + "  app: {image: x}\n",
    "duplicate through quotes": HEAD + '    "image": test/web:2\n',
    "second document": HEAD + "---\n" + HEAD,
    "unknown tag": HEAD + "    command: !!python/object:x []\n",
    "own tag": HEAD + "    command: !exec whoami\n",
    "merge of a scalar": HEAD + "    <<: yes\n",
    "quoted merge": HEAD + '    "<<": {privileged: true}\n',
    "key that is no string": "services:\n  1: {image: x}\n",
    "key that is a boolean": HEAD + "    labels:\n      true: x\n",
    "key that is a list": HEAD + "    labels:\n      ? [a]\n      : x\n",
    "alias that contains itself": HEAD + "    x-a: &a [*a]\n",
    "alias to what comes later": HEAD + "    x-a: [*a, &a b]\n",
    "alias as a key": HEAD + "    x-a: &a b\n    x-b: {*a : c}\n",
    "a hundred and one aliases":
        HEAD + "    x-a: &a b\n    x-b: [" + "*a," * 101 + "]\n",
    "billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [" + ",".join([f"*{chr(ord(name) - 1)}"] * 9) + "]\n"
        for name in "bcdefgh"
    ) + HEAD,
    "deep brackets": HEAD + "    x-a: " + "[" * 100_000 + "\n",
    "deep braces": HEAD + "    x-a: " + "{" * 100_000 + "\n",
    "deep dashes": HEAD + "    x-a:\n      " + "- " * 100_000 + "\n",
    "deep questions": HEAD + "    x-a:\n      " + "? " * 100_000 + "\n",
    "ten thousand services": "services:\n" + "".join(
        f"  s{number}: {{image: x}}\n" for number in range(10_000)
    ),
    "a value of 65 KiB": HEAD + f"    command: {'x' * 66_000}\n",
    "a key of 300 bytes": HEAD + f"    labels: {{{'k' * 300}: v}}\n",
    "a key with a line break": HEAD + '    labels: {"a\\nb": v}\n',
    "escaped NUL": HEAD + '    command: "a\\0b"\n',
    "no services": "services: {}\n",
    "services that are a list": "services: [app]\n",
    "a service that is a text": "services: {app: test/web:1}\n",
    "neither image nor build": "services: {app: {command: x}}\n",
    "unknown key": HEAD + "    priviledged: true\n",
    "unknown section": HEAD + "volume: {}\n",
    "a service's name": "services: {'a/b': {image: x}}\n",
    "an image with spaces": "services: {app: {image: 'a b'}}\n",
    "an image that is an option": "services: {app: {image: '--help'}}\n",
    "volume that is not defined": HEAD + "    volumes: ['v:/x']\n",
    "network that is not defined": HEAD + "    networks: [n]\n",
    "dependency that is not there": HEAD + "    depends_on: [db]\n",
    "project of another": "name: other-project\n" + HEAD,
    "variable without a name": HEAD + "    command: ${}\n",
    "variable that is required": HEAD + "    command: ${NO:?set it}\n",
}


@pytest.mark.parametrize("case", sorted(UNREADABLE))
def test_what_cannot_be_read_says_where(api, service, case):
    answer = create(api, UNREADABLE[case])
    body = assert_error(
        answer, 400, "INVALID_COMPOSE", "compose_content"
    )
    assert PLACE.match(body["error"]), body["error"]
    assert answer.seconds < 1
    assert not os.path.exists(service.path("deployments", "hostile"))


@pytest.mark.parametrize("content", [
    "\ufeff" + HEAD,
    "%TAG ! tag:example.org,2000:\n---\n" + HEAD,
    "",
    "# nothing\n",
    "- a\n",
    "x" * 10,
    HEAD + "#" + "x" * (1024 * 1024),
])
def test_what_is_no_document_at_all_is_400(api, content):
    answer = create(api, content)
    assert answer.status == 400, answer
    assert answer.json["field"] == "compose_content", answer


def test_ten_megabytes_are_413(api):
    answer = create(api, HEAD + "#" + "x" * 10_000_000)
    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")
    assert answer.seconds < 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_a_hand_written_file_are_not_read(
        api, deployments, engine, encoding):
    name = deployments.create()
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    text = (HEAD + "    privileged: true\n").encode(encoding)
    with open(path, "wb") as out:
        out.write(text)
    answer = api.post(f"/deployments/{name}/start")
    assert_error(answer, 400, "INVALID_COMPOSE")
    assert engine.containers(name) == []
    # And it can be shown, changed and deleted.
    assert api.get(f"/deployments/{name}").status == 200
    answer = api.put(f"/deployments/{name}", {"compose_content": HEAD})
    assert answer.status == 200, answer


# The policy, in every way that a document comes


@pytest.mark.parametrize("case", sorted(REFUSED_BY_POLICY))
def test_every_refusal_says_where_and_what(api, case):
    answer = create(api, REFUSED_BY_POLICY[case])
    assert answer.status in (400, 403), answer
    message = answer.json["error"]
    assert PLACE.match(message), message
    key = re.search(r"'([a-z_]+)'", PLACE.sub("", message))
    assert key, message
    if "services" in REFUSED_BY_POLICY[case] and not re.search(
            r"'(include|configs|secrets|volume_driver\w*)'", message):
        assert "'app'" in message, message


SMUGGLED = {
    "merge": (
        "x-a: &a {privileged: true}\n"
        "services: {app: {<<: *a, image: test/web:1}}\n"
    ),
    "merge of a list": (
        "x-a: &a {tty: true}\nx-b: &b {privileged: true}\n"
        "services: {app: {<<: [*a, *b], image: test/web:1}}\n"
    ),
    "merge of a merge": (
        "x-a: &a {pid: host}\nx-b: &b {<<: *a}\n"
        "services: {app: {<<: *b, image: test/web:1}}\n"
    ),
    "alias of a value": (
        "x-a: &a ['/etc:/x']\n"
        "services: {app: {image: test/web:1, volumes: *a}}\n"
    ),
    "default of a variable": HEAD + "    privileged: ${NO:-true}\n",
    "default in a default": HEAD + "    pid: ${A:-${B:-host}}\n",
    "alternative": HEAD + "    pid: ${COMPOSE_PROJECT_NAME:+host}\n",
    "yaml 1.1 yes": HEAD + "    privileged: Yes\n",
    "yaml 1.1 on": HEAD + "    privileged: ON\n",
    "yaml 1.1 y": HEAD + "    privileged: y\n",
    "upper case": HEAD + "    privileged: TRUE\n",
    "a number": HEAD + "    privileged: 1\n",
    "tagged": HEAD + "    privileged: !!bool true\n",
    "extends of a service":
        HEAD + "    extends: {service: base}\n"
        "  base: {image: test/web:1, privileged: true}\n",
    "build privileged": "services: {app: {build: {context: ., "
        "privileged: true}}}\n",
    "build network": "services: {app: {build: {context: ., "
        "network: host}}}\n",
    "build entitlements": "services: {app: {build: {context: ., "
        "entitlements: [security.insecure]}}}\n",
    "build secrets": "services: {app: {build: {context: ., secrets: [s]}}}\n"
        "secrets: {s: {file: /etc/shadow}}\n",
    "build additional context": "services: {app: {build: {context: ., "
        "additional_contexts: {x: /etc}}}}\n",
    "build cache": "services: {app: {build: {context: ., "
        "cache_to: ['type=local,dest=/etc/cron.d']}}}\n",
    "dockerfile outside": "services: {app: {build: {context: ., "
        "dockerfile: ../../etc/passwd}}}\n",
    "external host network":
        HEAD + "    networks: [n]\n"
        "networks: {n: {external: true, name: host}}\n",
    "macvlan": HEAD + "    networks: [n]\nnetworks: {n: {driver: macvlan}}\n",
    "a bridge of the host":
        HEAD + "    networks: [n]\nnetworks: {n: {driver_opts: "
        "{com.docker.network.bridge.name: docker0}}}\n",
    "compose's labels":
        HEAD + "    labels: {com.docker.compose.project: other}\n",
    "compose's labels in a list":
        HEAD + "    labels: ['com.docker.compose.service=other']\n",
    "shared mounts":
        HEAD + "    volumes: [{type: bind, source: ./a, target: /a, "
        "bind: {propagation: rshared}}]\n",
    "npipe": HEAD + "    volumes: [{type: npipe, source: x, target: /x}]\n",
    "nested mounts": HEAD + "    volumes: ['./a:/a', './a/b:/b']\n",
    "devices of deploy":
        HEAD + "    deploy: {resources: {reservations: {devices: "
        "[{driver: nvidia, count: all, capabilities: [gpu]}]}}}\n",
    "kernel sysctl": HEAD + "    sysctls: ['kernel.core_pattern=|/x']\n",
    "volumes of a container": HEAD + "    volumes_from: [other]\n",
    "a secret above": HEAD + "    secrets: [s]\nsecrets: {s: {file: ../k}}\n",
    "use of the api": HEAD + "    use_api_socket: true\n",
    "models": HEAD + "    models: [m]\nmodels: {m: {model: x}}\n",
    "hooks":
        HEAD + "    pre_stop: [{command: x, privileged: true}]\n",
    "all ports": HEAD + "    ports: ['1-65535:1-65535']\n",
    "all ports, long": HEAD + "    ports: [{target: 1-65535}]\n",
    "proc": HEAD + "    volumes: ['/proc:/p']\n",
    "windows": HEAD + "    volumes: ['C:\\\\:/c']\n",
}


@pytest.mark.parametrize("case", sorted(SMUGGLED))
def test_what_is_smuggled_in_is_refused(api, service, case):
    answer = create(api, SMUGGLED[case])
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in ("COMPOSE_POLICY", "INVALID_COMPOSE")
    assert PLACE.match(answer.json["error"]), answer
    assert not os.path.exists(service.path("deployments", "hostile"))


def write(deployments, name, path, text):
    with open(os.path.join(deployments.directory(name), path), "w") as out:
        out.write(text)


def refuses(answer):
    return answer.status == 403 and answer.json["code"] == "COMPOSE_POLICY"


def test_every_change_looks_at_a_hand_edited_file(
        api, deployments, engine):
    name = deployments.create(one_service(stop_grace_period="1s"), start=True)
    before = engine.containers(name)[0]["Id"]
    write(deployments, name, "docker-compose.yml", HEAD + "    pid: host\n")
    wait_until(
        lambda: "problem" in api.get(f"/deployments/{name}").json[
            "deployment"], 10,
    )
    for path in ("start", "restart", "rebuild", "deploy", "pull",
                 "services/app/start", "services/app/restart",
                 "services/app/rebuild", "services/app/pull",
                 "images/cleanup"):
        answer = api.post(f"/deployments/{name}/{path}", {})
        assert refuses(answer), (path, answer)
    assert [one["Id"] for one in engine.containers(name)] == [before]
    assert engine.states(name) == ["running"]


def test_a_variable_changed_by_hand_is_looked_at(api, deployments, engine):
    name = deployments.create(
        HEAD + "    pid: ${PID_MODE:-}\n",
        env_vars=[{"key": "PID_MODE", "value": "private"}],
    )
    write(deployments, name, ".env.flatrun", "PID_MODE=host\n")
    assert refuses(api.post(f"/deployments/{name}/start"))
    write(deployments, name, ".env", "PID_MODE=host\n")
    write(deployments, name, ".env.flatrun", "\n")
    answer = api.post(f"/deployments/{name}/start")
    assert answer.status == 200, answer
    container = engine.api(
        f"/containers/{engine.containers(name)[0]['Id']}/json")
    assert container["HostConfig"]["PidMode"] != "host"


def test_a_rollback_is_looked_at_like_all_else(api, deployments, service):
    """A revision that the policy allowed once is no way around it."""
    name = deployments.create(
        HEAD + f"    volumes: ['{service.path('shared')}:/x']\n"
    )
    answer = api.put(f"/deployments/{name}", {"compose_content": HEAD})
    assert answer.status == 200, answer
    revisions = api.get(f"/deployments/{name}/revisions").json["revisions"]
    first = min(one["number"] for one in revisions)
    with open(service.config) as config:
        text = config.read()
    with open(service.config, "w") as config:
        config.write(text.replace(f"[{service.path('shared')}]", "[]"))
    service.restart_agent()
    try:
        answer = api.post(
            f"/deployments/{name}/rollback", {"revision": first}
        )
        assert refuses(answer), answer
    finally:
        service.write_config()
        service.restart_agent()


@pytest.mark.parametrize("what, compose", [
    ("env_file", HEAD + "    env_file: file\n"),
    ("build", "services: {app: {build: file}}\n"),
    ("configs", HEAD + "    configs: [c]\nconfigs: {c: {file: ./file}}\n"),
    ("secrets", HEAD + "    secrets: [c]\nsecrets: {c: {file: ./file}}\n"),
    ("volumes", HEAD + "    volumes: ['./file:/x']\n"),
])
def test_links_are_not_followed(api, deployments, engine, what, compose):
    name = deployments.create(compose)
    os.symlink("/etc/passwd", os.path.join(
        deployments.directory(name), "file"))
    answer = api.post(f"/deployments/{name}/start")
    body = assert_error(answer, 400, "UNSAFE_PATH")
    assert PLACE.match(body["error"]) and f"'{what}'" in body["error"]
    assert engine.containers(name) == []


# What people really write


ORDINARY = {
    "version": "version: '3.8'\n" + HEAD,
    "top-level name": None,
    "profiles": HEAD + "    profiles: [debug]\n"
        "  other: {image: test/web:1}\n",
    "extensions":
        "x-logging: &logging\n  logging: {driver: json-file, options: "
        "{max-size: 10m, max-file: '3'}}\n"
        "services:\n  app:\n    <<: *logging\n    image: test/web:1\n"
        "    x-note: anything\n",
    "deploy":
        HEAD + "    deploy:\n      replicas: 2\n      resources:\n"
        "        limits: {cpus: '0.50', memory: 50M, pids: 100}\n"
        "        reservations: {cpus: '0.25', memory: 20M}\n"
        "      restart_policy: {condition: on-failure, delay: 5s, "
        "max_attempts: 3, window: 120s}\n"
        "      update_config: {parallelism: 1, order: start-first}\n"
        "      labels: {a: b}\n",
    "healthcheck":
        HEAD + "    healthcheck:\n      test: ['CMD-SHELL', "
        "'wget -q -O- localhost || exit 1']\n      interval: 1m30s\n"
        "      timeout: 10s\n      retries: 3\n      start_period: 40s\n",
    "healthcheck disabled": HEAD + "    healthcheck: {disable: true}\n",
    "healthcheck none": HEAD + "    healthcheck: {test: [NONE]}\n",
    "short ports":
        HEAD + "    ports: [3000, '3001', '127.0.0.1:8001:8001', "
        "'49100:22/udp', '9090-9092:8080-8082', '127.0.0.1::5000', "
        "'[::1]:6001:6001']\n",
    "long ports":
        HEAD + "    ports:\n      - {target: 80, published: 8080, "
        "protocol: tcp, mode: host}\n      - {target: 81, "
        "host_ip: 127.0.0.1, published: '8083'}\n",
    "expose": HEAD + "    expose: ['3000', 8000]\n",
    "long volumes":
        HEAD + "    volumes:\n"
        "      - {type: volume, source: data, target: /data, "
        "volume: {nocopy: true}}\n"
        "      - {type: bind, source: ./static, target: /static, "
        "read_only: true, bind: {create_host_path: true}}\n"
        "      - {type: tmpfs, target: /cache, tmpfs: {size: 1000000}}\n"
        "volumes: {data: {}}\n",
    "short volumes":
        HEAD + "    volumes: ['data:/data:ro', './conf:/etc/conf:ro,z', "
        "'/anonymous', './html:/html:rw']\nvolumes: {data: null}\n",
    "volume with a name":
        HEAD + "    volumes: ['data:/data']\n"
        "volumes: {data: {name: my-data, labels: {a: b}, driver: local}}\n",
    "external volume":
        HEAD + "    volumes: ['data:/data']\n"
        "volumes: {data: {external: true, name: shared-data}}\n",
    "env_file list": HEAD + "    env_file: [.env.flatrun, ./web.env]\n",
    "environment list":
        HEAD + "    environment: [A=1, B=, C, 'D=a b', \"E='x'\"]\n",
    "environment mapping":
        HEAD + "    environment: {A: 1, B: true, C: null, D: '', E: 1.5, "
        "F: 2001-01-01, G: 0o7, H: 'no'}\n",
    "secrets and configs":
        HEAD + "    secrets: [plain, {source: s, target: t, uid: '103', "
        "gid: '103', mode: 0440}]\n    configs: [{source: c, target: /c}]\n"
        "secrets: {plain: {file: ./plain}, s: {file: ./s}}\n"
        "configs: {c: {file: ./c}}\n",
    "network aliases":
        HEAD + "    networks:\n      front: {aliases: [web, www]}\n"
        "      back: {ipv4_address: 172.28.5.10}\n"
        "networks:\n  front: {}\n"
        "  back: {ipam: {driver: default, config: [{subnet: "
        "172.28.0.0/16, gateway: 172.28.5.254}]}, internal: true}\n",
    "external network":
        HEAD + "    networks: [proxy, default]\n"
        "networks: {proxy: {external: true}}\n",
    "default network":
        HEAD + "networks: {default: {driver: bridge, name: my-net, "
        "enable_ipv6: false, labels: [a=b]}}\n",
    "ulimits":
        HEAD + "    ulimits: {nproc: 65535, nofile: {soft: 20000, "
        "hard: 40000}, memlock: -1}\n",
    "namespaced sysctls":
        HEAD + "    sysctls: {net.core.somaxconn: 1024, "
        "net.ipv4.tcp_syncookies: 0}\n",
    "namespaced sysctls in a list":
        HEAD + "    sysctls: ['net.ipv4.ip_unprivileged_port_start=0', "
        "net.ipv6.conf.all.disable_ipv6=1]\n",
    "init": HEAD + "    init: true\n    stop_grace_period: 1m30s\n"
        "    stop_signal: SIGUSR1\n    shm_size: 2gb\n    tty: true\n"
        "    stdin_open: true\n    read_only: true\n",
    "tmpfs": HEAD + "    tmpfs: ['/run:size=64m,mode=1777', /tmp]\n",
    "tmpfs text": HEAD + "    tmpfs: /run\n",
    "hosts and dns":
        HEAD + "    extra_hosts: ['host.docker.internal:host-gateway', "
        "'somehost=162.242.195.82']\n    dns: [1.1.1.1]\n"
        "    dns_search: example.com\n    dns_opt: [use-vc]\n"
        "    hostname: web\n    domainname: example.com\n",
    "user": HEAD + "    user: '1000:1000'\n    working_dir: /app\n"
        "    group_add: [mail, '1001']\n",
    "commands":
        HEAD + "    entrypoint: [sh, -c]\n    command: >\n"
        "      sleep 1000\n  two: {image: test/web:1, command: sh -c 'x', "
        "entrypoint: /entry}\n",
    "depends_on conditions":
        HEAD + "    depends_on:\n      db: {condition: service_healthy, "
        "restart: true, required: false}\n"
        "      job: {condition: service_completed_successfully}\n"
        "  db: {image: test/healthy:1}\n  job: {image: test/web:1}\n",
    "links": HEAD + "    links: ['db:database', db]\n"
        "  db: {image: test/web:1}\n",
    "own extends": HEAD + "    extends: {service: base}\n"
        "  base: {image: test/web:1, environment: {A: '1'}}\n",
    "build":
        "services:\n  app:\n    build:\n      context: ./dir\n"
        "      dockerfile: Dockerfile.prod\n      args: {A: 1, B: ''}\n"
        "      target: prod\n      labels: [a=b]\n"
        "      cache_from: ['test/web:1']\n      shm_size: 1gb\n"
        "    image: my/app:1\n    pull_policy: build\n",
    "limits of version 2":
        HEAD + "    mem_limit: 512m\n    memswap_limit: 1g\n    cpus: 1.5\n"
        "    cpu_shares: 73\n    cpuset: '0'\n    pids_limit: 100\n"
        "    mem_reservation: 64m\n    oom_score_adj: 100\n",
    "capabilities":
        HEAD + "    cap_drop: [ALL]\n    cap_add: [NET_BIND_SERVICE, "
        "CHOWN, SETUID, SETGID]\n"
        "    security_opt: ['no-new-privileges:true']\n",
    "restart": HEAD + "    restart: on-failure:5\n",
    "platform": HEAD + "    platform: linux/amd64\n",
    "labels":
        HEAD + "    labels:\n      - traefik.enable=true\n"
        "      - traefik.http.routers.web.rule=Host(`example.com`)\n",
    "variables":
        HEAD + "    environment:\n      A: ${A:-default}\n"
        "      B: ${B-}\n      C: $$HOME\n      D: ${E:+set}\n"
        "      URL: http://${HOST:-localhost}:${PORT:-80}/\n",
    "network_mode of a service":
        HEAD + "    network_mode: service:vpn\n  vpn: {image: test/web:1}\n",
    "ipc and shm": HEAD + "    ipc: shareable\n",
    "scale": HEAD + "    scale: 2\n",
    "block scalars":
        HEAD + "    command: |\n      sh -c 'one'\n"
        "    environment:\n      KEY: |\n        -----BEGIN\n"
        "        abc\n        -----END\n",
    "document marks": "---\n" + HEAD + "...\n",
    "line ends of windows": HEAD.replace("\n", "\r\n"),
    "comments and umlauts": "# Größe\n" + HEAD + "    labels: {a: 'ü 🐳'}\n",
    "a range of all ports": HEAD + "    expose: ['1-65535']\n",
    "anchors":
        "x-env: &env {A: '1', B: '2'}\nservices:\n"
        "  app: &app\n    image: test/web:1\n    environment:\n"
        "      <<: *env\n      C: '3'\n  two:\n    <<: *app\n"
        "    command: sleep 1\n",
    "annotations of attach": HEAD + "    attach: false\n",
    "hooks": None,
}
ORDINARY = {case: text for case, text in ORDINARY.items() if text}


@pytest.mark.parametrize("case", sorted(ORDINARY))
def test_what_people_write_is_accepted_by_us_and_by_compose(
        api, deployments, case):
    name = deployments.create(ORDINARY[case])
    for path in (".env.flatrun", "web.env", "plain", "s", "c"):
        write(deployments, name, path, "")
    os.makedirs(os.path.join(deployments.directory(name), "dir"))
    write(deployments, name, "dir/Dockerfile.prod", "FROM test/web:1\n")
    # Which asks Compose itself for what it makes of it, and starts nothing.
    answer = api.post(f"/deployments/{name}/start?plan=true")
    assert answer.status == 200, answer
    assert answer.json["plan"]["services"], answer
