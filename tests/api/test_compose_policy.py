"""What a Compose file may not ask of the host, on create, update and start."""

import os

import pytest

from clients import assert_error
from conftest import one_service

HEAD = "services:\n  app:\n    image: test/web:1\n"

REFUSED = {
    "privileged": "    privileged: true\n",
    "privileged_as_yaml_1_1": "    privileged: yes\n",
    "privileged_as_text": "    privileged: 'true'\n",
    "network_mode_host": "    network_mode: host\n",
    "network_mode_container": "    network_mode: container:other\n",
    "pid": "    pid: host\n",
    "pid_of_container": "    pid: container:other\n",
    "ipc": "    ipc: host\n",
    "uts": "    uts: host\n",
    "userns_mode": "    userns_mode: host\n",
    "cgroup": "    cgroup: host\n",
    "cgroup_parent": "    cgroup_parent: /\n",
    "cap_add": "    cap_add: [SYS_ADMIN]\n",
    "cap_add_all": "    cap_add: [ALL]\n",
    "devices": "    devices: ['/dev/sda:/dev/sda']\n",
    "device_cgroup_rules": "    device_cgroup_rules: ['a *:* rwm']\n",
    "security_opt": "    security_opt: ['seccomp:unconfined']\n",
    "security_opt_apparmor": "    security_opt: ['apparmor=unconfined']\n",
    "sysctls": "    sysctls: {kernel.msgmax: 1}\n",
    "root_of_the_host": "    volumes: ['/:/host']\n",
    "etc": "    volumes: ['/etc:/etc:ro']\n",
    "docker_socket": "    volumes: ['/var/run/docker.sock:/d.sock']\n",
    "docker_socket_in_run": "    volumes: ['/run/docker.sock:/d.sock']\n",
    "parent_directory": "    volumes: ['../:/up']\n",
    "hidden_parent_directory": "    volumes: ['./a/../../b:/up']\n",
    "home_directory": "    volumes: ['~/x:/home']\n",
    "long_bind":
        "    volumes: [{type: bind, source: /etc, target: /x}]\n",
    "interpolated_bind": "    volumes: ['${WHERE:-/etc}:/x']\n",
    "interpolated_privileged": "    privileged: ${P:-true}\n",
    "volume_driver_options":
        "    volumes: ['vol:/x']\n"
        "volumes:\n  vol:\n    driver_opts:\n"
        "      {type: none, o: bind, device: /etc}\n",
    "volume_driver":
        "    volumes: ['vol:/x']\nvolumes: {vol: {driver: sshfs}}\n",
    "env_file_outside": "    env_file: /etc/passwd\n",
    "env_file_above": "    env_file: ['../../secret']\n",
    "extends_file":
        "    extends: {file: ../other/docker-compose.yml, service: x}\n",
    "include_outside": "include: ['../other/docker-compose.yml']\n",
    "include_remote":
        "include: ['https://example.org/x/compose.yml']\n",
    "include_oci": "include: ['oci://example.org/x:1']\n",
    "configs_file": "    configs: [c]\nconfigs: {c: {file: /etc/shadow}}\n",
    "secrets_file": "    secrets: [s]\nsecrets: {s: {file: ../../key}}\n",
    "build_outside": "    build: /etc\n",
    "build_above": "    build: {context: ../..}\n",
    "build_remote": "    build: https://example.org/x.git\n",
    "provider": "    provider: {type: x}\n",
    "volumes_from": "    volumes_from: ['container:other']\n",
    "external_links": "    external_links: ['other']\n",
    "oom_score_adj": "    oom_score_adj: -1000\n",
    "runtime": "    runtime: other\n",
    "post_start_hook":
        "    post_start: [{command: x, privileged: true}]\n",
    "credential_spec": "    credential_spec: {file: x.json}\n",
    "label_file": "    label_file: /etc/passwd\n",
    "gpu": "    gpus: all\n",
    "logging_driver": "    logging: {driver: syslog}\n",
}
REFUSED = {case: HEAD + rest for case, rest in REFUSED.items()}
# Anchors have to stand before their use.
REFUSED["merged_in"] = (
    "x-host: &host {privileged: true}\n"
    "services:\n  app:\n    <<: *host\n    image: test/web:1\n"
)


# Refused too, but as something Compose does not know or cannot read.
ALSO_INVALID = {
    "privileged_as_text", "privileged_as_yaml_1_1", "provider", "label_file",
    "gpu", "post_start_hook", "interpolated_privileged",
}


def assert_refused(answer, case):
    if case in ALSO_INVALID and answer.status == 400:
        assert_error(answer, 400, "INVALID_COMPOSE")
        return
    body = assert_error(answer, 403, "COMPOSE_POLICY")
    assert body["field"] == "compose_content", answer


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_create_refuses(api, service, case):
    answer = api.post("/deployments", {
        "name": "refused", "compose_content": REFUSED[case],
    })
    assert_refused(answer, case)
    assert not os.path.exists(service.path("deployments", "refused"))


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_update_and_start_refuse_too(api, deployments, engine, case):
    name = deployments.create()
    answer = api.put(
        f"/deployments/{name}", {"compose_content": REFUSED[case]}
    )
    assert_refused(answer, case)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path, "w") as out:
        out.write(REFUSED[case])
    assert_refused(api.post(f"/deployments/{name}/start"), case)
    assert engine.containers(name) == []


@pytest.mark.parametrize("case, words", [
    ("privileged", ("app", "privileged")),
    ("cap_add", ("app", "cap_add")),
    ("etc", ("app", "volumes")),
    ("pid", ("app", "pid")),
])
def test_the_refusal_names_service_and_key(api, case, words):
    answer = api.post("/deployments", {
        "name": "refused", "compose_content": REFUSED[case],
    })
    body = assert_error(answer, 403, "COMPOSE_POLICY")
    assert all(word in body["error"] for word in words), answer


def test_what_an_environment_variable_smuggles_in_is_refused(api, service):
    answer = api.post("/deployments", {
        "name": "smuggled",
        "compose_content": HEAD + "    volumes: ['${WHERE}:/x']\n",
        "env_vars": [{"key": "WHERE", "value": "/etc"}],
    })
    assert_error(answer, 403, "COMPOSE_POLICY")
    assert not os.path.exists(service.path("deployments", "smuggled"))


ALLOWED = {
    "named volume": "    volumes: ['vol:/x']\nvolumes: {vol: {}}\n",
    "anonymous volume": "    volumes: ['/x']\n",
    "directory of its own": "    volumes: ['./data:/data']\n",
    "tmpfs": "    tmpfs: [/t]\n",
    "ports": "    ports: ['127.0.0.1::80']\n",
    "networks": "    networks: [n]\nnetworks: {n: {}}\n",
    "cap_drop": "    cap_drop: [ALL]\n",
    "no_new_privileges": "    security_opt: ['no-new-privileges:true']\n",
    "limits": "    mem_limit: 64m\n    cpus: 0.5\n",
    "healthcheck": "    healthcheck: {test: [CMD, 'true'], interval: 1s}\n",
    "merge":
        "    <<: {labels: {a: b}}\n    environment: {A: '1', B: 'yes'}\n",
    "extension": "x-anything: {privileged: true}\n",
    "read_only": "    read_only: true\n    user: '1000'\n",
    "dollars": "    environment: {PRICE: '$$5'}\n",
}


@pytest.mark.parametrize("case", sorted(ALLOWED))
def test_what_harms_nobody_is_accepted_and_starts(deployments, case):
    name = deployments.create(HEAD + ALLOWED[case], start=True)
    assert deployments.status(name) == "running"


def test_a_directory_that_the_operator_allowed_can_be_mounted(
        deployments, service, engine):
    os.makedirs(service.path("shared", "data"), exist_ok=True)
    with open(service.path("shared", "data", "file"), "w") as out:
        out.write("shared words\n")
    name = deployments.create(
        HEAD + f"    volumes: ['{service.path('shared', 'data')}:/data:ro']\n",
        start=True,
    )
    container = engine.containers(name)[0]["Id"]
    assert "shared words" in engine.run("exec", container, "cat", "/data/file")


def test_a_path_that_only_begins_like_an_allowed_one_is_refused(api, service):
    for path in (service.path("shared-not"),
                 service.path("shared", "..", "state")):
        answer = api.post("/deployments", {
            "name": "alike",
            "compose_content": HEAD + f"    volumes: ['{path}:/x']\n",
        })
        # The answer may say what the client said, a path included.
        assert answer.status == 403, answer
        assert answer.json["code"] == "COMPOSE_POLICY"


def test_a_link_planted_in_the_directory_is_not_mounted(
        api, deployments, engine):
    name = deployments.create(HEAD + "    volumes: ['./data:/data']\n")
    os.symlink("/etc", os.path.join(deployments.directory(name), "data"))
    answer = api.post(f"/deployments/{name}/start")
    assert_error(answer, 400, "UNSAFE_PATH")
    assert engine.containers(name) == []


def test_dollars_reach_the_container_as_written(deployments, engine):
    name = deployments.create(
        HEAD + "    environment: {PRICE: '$$5', NAME: '${WHO:-nobody}'}\n",
        start=True,
    )
    container = engine.containers(name)[0]["Id"]
    environment = engine.api(f"/containers/{container}/json")["Config"]["Env"]
    assert "PRICE=$5" in environment and "NAME=nobody" in environment


def test_the_services_own_environment_does_not_leak_into_compose(
        deployments, engine):
    name = deployments.create(
        HEAD + "    environment: {P: '${PATH:-none}', H: '${HOME:-none}'}\n",
        start=True,
    )
    container = engine.containers(name)[0]["Id"]
    environment = engine.api(f"/containers/{container}/json")["Config"]["Env"]
    assert "P=none" in environment and "H=none" in environment


def test_what_the_file_says_is_what_runs(deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app:\n"
        "    image: test/web:1\n"
        "    environment: [A=1, 'B=two words']\n"
        "    labels: {octal: '0755', 'on': 'off', version: '1.10'}\n"
        "    command: ['sh', '-c', 'sleep 1000']\n"
        "    init: true\n",
        start=True,
    )
    container = engine.containers(name)[0]["Id"]
    config = engine.api(f"/containers/{container}/json")["Config"]
    assert {"A=1", "B=two words"} <= set(config["Env"])
    assert config["Labels"]["octal"] == "0755"
    assert config["Labels"]["on"] == "off"
    assert config["Labels"]["version"] == "1.10"
    assert config["Cmd"] == ["sh", "-c", "sleep 1000"]


def test_no_other_projects_containers_are_taken_over(
        api, deployments, engine):
    victim = deployments.create(start=True)
    before = engine.containers(victim)[0]["Id"]
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name, "compose_content": f"name: {victim}\n" + one_service(),
        "auto_start": True,
    })
    # Refused, or run under another project: the victim stays what it is.
    assert answer.status in (201, 400, 403, 409), answer
    api.delete(f"/deployments/{name}")
    assert [one["Id"] for one in engine.containers(victim)] == [before]
    assert engine.states(victim) == ["running"]
