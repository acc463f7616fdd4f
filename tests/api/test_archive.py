"""Archives of deployments: packed, unpacked, and hostile ones; copies."""

import gzip
import io
import os
import stat
import tarfile
import threading
import time

import pytest

from clients import assert_error, wait_until
from conftest import one_service

MIB = 1024 * 1024
GZIP = {"Content-Type": "application/gzip"}


def entry(name, data=b"", kind=tarfile.REGTYPE, mode=0o644, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size = (
        kind, mode, link, len(data))
    return info, data


def archive(*entries, compress=True):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if compress else "w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


COMPOSE = entry("docker-compose.yml", one_service().encode())
DIRECTORY = tarfile.DIRTYPE


def send(client, name, data, query=""):
    return client.post(
        f"/deployments/archive?name={name}{query}", body=data, headers=GZIP)


def staged(service):
    return os.listdir(service.path("deployments", ".flatrun", "staging"))


def tree(top):
    """Path: (permissions, contents or target) of all beneath."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            what = None
            if stat.S_ISLNK(status.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as one:
                    what = one.read()
            found[os.path.relpath(path, top)] = (
                stat.S_IMODE(status.st_mode), what)
    return found


@pytest.fixture
def site(deployments):
    deployments.create(
        one_service(environment='{GREETING: "${GREETING}"}'),
        env_vars=[{"key": "GREETING", "value": "a secret moin"}],
        name=(name := deployments.name("site")),
        metadata={"name": name, "type": "web"},
    )
    top = deployments.directory(name)
    os.makedirs(os.path.join(top, "html", "ä b"))
    with open(os.path.join(top, "html", "ä b", "ü.bin"), "wb") as out:
        out.write(bytes(range(256)) * 500)
    os.chmod(os.path.join(top, "html", "ä b", "ü.bin"), 0o640)
    os.makedirs(os.path.join(top, "empty"), 0o700)
    with open(os.path.join(top, "run.sh"), "w") as out:
        out.write("#!/bin/sh\n")
    os.chmod(os.path.join(top, "run.sh"), 0o4755)
    os.symlink("/etc/passwd", os.path.join(top, "passwd"))
    os.mkfifo(os.path.join(top, "fifo"))
    return name


# Packing


def members(body):
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        return {one.name: (one, tar.extractfile(one).read()
                           if one.isreg() else None) for one in tar}


def test_an_archive_has_what_is_in_the_directory(api, site):
    answer = api.get(f"/deployments/{site}/archive")
    assert answer.status == 200, answer
    assert answer.header("Content-Type") == "application/gzip"
    assert answer.header("Content-Disposition").startswith(
        f'attachment; filename="{site}.tar.gz"')
    assert int(answer.header("Content-Length")) == len(answer.body)
    found = members(answer.body)
    assert set(found) == {
        "docker-compose.yml", "service.yml", ".env.flatrun", "html",
        "html/ä b", "html/ä b/ü.bin", "empty", "run.sh", "passwd"}
    assert found["html/ä b/ü.bin"][1] == bytes(range(256)) * 500
    assert found["html/ä b/ü.bin"][0].mode == 0o640
    assert found["run.sh"][0].mode == 0o755
    assert found["passwd"][0].issym()
    assert b"a secret moin" in found[".env.flatrun"][1]
    assert {one.uname for one, _ in found.values()} == {""}


def test_only_administrators_get_secrets_in_it(operator, site):
    answer = operator.get(f"/deployments/{site}/archive")
    assert answer.status == 200, answer
    found = members(answer.body)
    assert ".env.flatrun" not in found
    assert not any(b"a secret moin" in (data or b"")
                   for _, data in found.values())


def test_what_is_too_much_for_an_archive_is_413(api, deployments, service):
    name = deployments.create()
    with open(os.path.join(deployments.directory(name), "hole"), "wb") as out:
        out.truncate(2 * 1024 * MIB)
    assert_error(
        api.get(f"/deployments/{name}/archive"), 413, "ARCHIVE_TOO_LARGE")
    assert staged(service) == []


def test_packing_leaves_nothing_behind(api, site, service):
    assert api.get(f"/deployments/{site}/archive").status == 200
    assert staged(service) == []


def programs():
    """What the running processes are called."""
    names = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/comm") as name:
                names.append(name.read().strip())
        except OSError:
            pass  # it has ended
    return names


def test_packing_does_not_keep_the_agent_from_ending(
        api, deployments, service):
    name = deployments.create()
    with open(os.path.join(deployments.directory(name), "hole"), "wb") as out:
        out.truncate(1000 * MIB)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        api.get(f"/deployments/{name}/archive")))
    thread.start()
    wait_until(lambda: "flatrun-archive" in programs(), 5)
    started = time.monotonic()
    service.stop_agent()
    assert time.monotonic() - started < 3
    thread.join(10)
    service.start_agent()
    service.wait_until_ready()
    assert answers[0].status == 503, answers
    assert staged(service) == []


# Unpacking


def test_a_round_trip_gives_the_same_deployment(
        api, site, deployments, service):
    packed = api.get(f"/deployments/{site}/archive").body
    name = deployments.name("trip")
    answer = send(api, name, packed)
    assert answer.status == 201, answer
    assert answer.json["name"] == name
    assert answer.json["auto_started"] is False
    assert answer.json["skipped"] == 1
    before = tree(deployments.directory(site))
    after = tree(deployments.directory(name))
    for gone in ("passwd", "fifo"):
        before.pop(gone)
    before["run.sh"] = (0o755, before["run.sh"][1])
    # These have the name of their deployment.
    for one in ("docker-compose.yml", "service.yml"):
        assert before[one] != after[one]
        del before[one], after[one]
    assert after == before
    assert after[".env.flatrun"][0] == 0o600
    listed = api.get(f"/deployments/{name}")
    assert listed.status == 200, listed
    assert listed.json["deployment"]["metadata"]["type"] == "web"
    assert f"container_name: {name}" in listed.json["compose_content"]
    assert site not in listed.json["compose_content"]
    # Both can run.
    for one in (site, name):
        assert api.post(f"/deployments/{one}/start").status == 200
    assert staged(service) == []


def test_it_may_be_started_and_sent_by_a_form(
        operator, deployments, engine):
    name = deployments.name("form")
    boundary = "xyz"
    data = archive(COMPOSE, entry("html/index.html", b"hello"))
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; '
        f'filename="a.tgz"\r\nContent-Type: application/gzip\r\n\r\n'
    ).encode() + data + (
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="name"'
        f'\r\n\r\n{name}\r\n--{boundary}\r\nContent-Disposition: form-data; '
        f'name="auto_start"\r\n\r\ntrue\r\n--{boundary}--\r\n'
    ).encode()
    answer = operator.post("/deployments/archive", body=body, headers={
        "Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status == 201, answer
    assert answer.json["auto_started"] is True, answer
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize("data", [
    archive(COMPOSE, compress=False),
    archive(entry("blog", kind=DIRECTORY, mode=0o755),
            entry("blog/docker-compose.yml", one_service().encode()),
            entry("blog/x", b"x")),
    archive(entry("./", kind=DIRECTORY, mode=0o755),
            entry("./docker-compose.yml", one_service().encode())),
    archive(entry("compose.yaml", one_service().encode())),
    archive(COMPOSE, COMPOSE),
])
def test_archives_as_people_make_them(operator, deployments, data, api):
    name = deployments.name("made")
    answer = send(operator, name, data)
    assert answer.status == 201, answer
    assert api.get(f"/deployments/{name}").status == 200
    assert not os.path.exists(
        os.path.join(deployments.directory(name), "blog"))
    assert os.path.exists(
        os.path.join(deployments.directory(name), "service.yml"))


PRIVILEGED = entry("docker-compose.yml", (
    one_service() + "    privileged: true\n").encode())

HOSTILE = {
    "up": [entry("../evil", b"x")],
    "up deeper": [entry("a/../../evil", b"x")],
    "up in a directory": [entry("a/..", kind=DIRECTORY)],
    "absolute": [entry("/var/flatrun-evil", b"x")],
    "control": [entry("a\x01b", b"x")],
    "file and directory": [entry("a", b"x"), entry("a/b", b"x")],
    "directory and file": [entry("a", kind=DIRECTORY, mode=0o755),
                           entry("a/b", b"x"), entry("a", b"x")],
    "too deep": [entry("/".join("d" * 100), b"x")],
    "no compose": None,
    "no yaml": [entry("docker-compose.yml", b"a: [b\n")],
    "metadata": [entry("service.yml", b"networking: 5\n")],
    "environment": [entry(".env.flatrun", b"\xff=1\n")],
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_hostile_archive_makes_nothing(
        operator, deployments, service, kind):
    before = set(os.listdir(service.path("deployments")))
    name = deployments.name("evil")
    entries = HOSTILE[kind]
    data = archive(entry("x", b"x")) if entries is None else archive(
        COMPOSE, *entries)
    answer = send(operator, name, data)
    assert_error(answer, 400)
    assert set(os.listdir(service.path("deployments"))) == before
    assert not os.path.exists("/var/flatrun-evil")
    assert not os.path.exists(service.path("evil"))
    assert staged(service) == []
    # The same, with its name free again.
    assert send(operator, name, archive(COMPOSE)).status == 201


def test_policy_holds_for_archives(operator, deployments, service):
    name = deployments.name("evil")
    answer = send(operator, name, archive(PRIVILEGED))
    assert_error(answer, 403)
    assert not os.path.exists(deployments.directory(name))
    assert staged(service) == []


@pytest.mark.parametrize("kind", [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE,
    tarfile.BLKTYPE,
])
def test_links_and_devices_are_left_out(
        operator, deployments, kind):
    name = deployments.name("links")
    answer = send(operator, name, archive(
        COMPOSE, entry("etc", kind=kind, link="/etc"),
        entry("real", b"real")))
    assert answer.status == 201, answer
    assert answer.json["skipped"] == 1
    assert not os.path.lexists(
        os.path.join(deployments.directory(name), "etc"))
    # Nothing is written through one, for there is none.
    other = deployments.name("links")
    answer = send(operator, other, archive(
        COMPOSE, entry("etc", kind=kind, link="/etc"),
        entry("etc/flatrun-evil", b"x")))
    assert answer.status == 201, answer
    assert not os.path.exists("/etc/flatrun-evil")


def test_special_bits_and_owners_are_not_taken_over(operator, deployments):
    name = deployments.name("bits")
    info, data = entry("tool", b"x", mode=0o6777)
    info.uid = info.gid = 12345
    assert send(operator, name, archive(COMPOSE, (info, data))).status == 201
    status = os.stat(os.path.join(deployments.directory(name), "tool"))
    assert stat.S_IMODE(status.st_mode) == 0o777
    assert (status.st_uid, status.st_gid) == (0, 0)


@pytest.mark.parametrize("data", [
    b"", b"x", b"\x1f\x8b", b"PK\x03\x04" + b"\0" * 100, os.urandom(100_000),
    gzip.compress(b"no tar in it" * 1000),
    archive(COMPOSE)[:100],
])
def test_what_is_no_archive_is_refused(operator, deployments, service, data):
    name = deployments.name("none")
    assert_error(send(operator, name, data), 400)
    assert not os.path.exists(deployments.directory(name))
    assert staged(service) == []


def agent_memory(service):
    with open(f"/proc/{service.agent.pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024


def test_a_bomb_ends_early(operator, deployments, service):
    """About 10 MiB that unpack to 10 GiB."""
    name = deployments.name("bomb")
    info, _ = entry("zeros")
    info.size = 10 * 1024 * MIB
    head = archive(COMPOSE, compress=False)[:1024] + info.tobuf()
    # gzip takes one stream after the other.
    data = gzip.compress(head) + gzip.compress(b"\0" * (64 * MIB), 9) * 160
    before = agent_memory(service)
    started = time.monotonic()
    answer = send(operator, name, data)
    assert_error(answer, 413)
    assert time.monotonic() - started < 20
    assert agent_memory(service) - before < 64 * MIB
    assert not os.path.exists(deployments.directory(name))
    assert staged(service) == []


def test_a_bomb_of_many_files_ends_early(operator, deployments, service):
    name = deployments.name("bomb")
    data = archive(COMPOSE, *(
        entry(f"d{number}", kind=DIRECTORY, mode=0o755)
        for number in range(50_050)))
    answer = send(operator, name, data)
    assert_error(answer, 413)
    assert answer.seconds < 10
    assert not os.path.exists(deployments.directory(name))
    assert staged(service) == []


def test_a_name_that_is_taken_or_none(
        operator, site, deployments, service, viewer):
    before = tree(deployments.directory(site))
    assert_error(send(operator, site, archive(COMPOSE)), 409,
                 "ALREADY_EXISTS")
    assert tree(deployments.directory(site)) == before
    for name in ("..", "%2e%2e", "A", "a%2fb", ".flatrun", ""):
        assert_error(send(operator, name, archive(COMPOSE)), 400,
                     "INVALID_NAME")
    assert_error(
        operator.post("/deployments/archive", body=archive(COMPOSE),
                      headers=GZIP), 400, "INVALID_NAME")
    assert_error(send(viewer, "new", archive(COMPOSE)), 403)
    assert staged(service) == []


def test_an_agent_killed_while_it_unpacks_leaves_all_or_nothing(
        operator, deployments, service):
    data = archive(COMPOSE, *(
        entry(f"d{number % 50}/f{number}", os.urandom(2000))
        for number in range(3000)))
    for delay in (0.05, 0.3):
        name = deployments.name("torn")
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(send(operator, name, data)))
        thread.start()
        time.sleep(delay)
        service.kill_agent()
        thread.join(60)
        service.start_agent()
        service.wait_until_ready()
        assert staged(service) == []
        if os.path.exists(deployments.directory(name)):
            assert len(tree(deployments.directory(name))) >= 3052
        else:
            assert answers[0].status >= 400


# Pushing files


def push(client, name, data, query=""):
    return client.post(
        f"/deployments/{name}/files-push{query}", body=data, headers=GZIP)


def test_files_are_pushed_into_a_directory(operator, site, deployments):
    top = deployments.directory(site)
    data = archive(entry("html/index.html", b"new"),
                   entry("html/css/a.css", b"css"))
    answer = push(operator, site, data)
    assert answer.status == 200, answer
    assert answer.json["written"] == 2
    assert answer.json["deleted"] == 0
    now = tree(top)
    assert now["html/index.html"] == (0o644, b"new")
    assert "html/ä b/ü.bin" in now
    answer = push(operator, site, archive(entry("a.txt", b"a")),
                  "?destination=/new/place/")
    assert answer.status == 200, answer
    assert tree(top)["new/place/a.txt"] == (0o644, b"a")


def test_with_delete_nothing_else_stays(operator, site, deployments):
    top = deployments.directory(site)
    answer = push(operator, site, archive(
        entry("index.html", b"only")), "?destination=html&delete=true")
    assert answer.status == 200, answer
    assert answer.json["deleted"] >= 1
    assert set(tree(os.path.join(top, "html"))) == {"index.html"}
    # What makes the deployment stays in any case.
    assert push(operator, site, archive(entry("one", b"1")),
                "?delete=true").status == 200
    assert set(tree(top)) == {
        "docker-compose.yml", "service.yml", ".env.flatrun", "one"}
    assert os.path.exists("/etc/passwd")


def test_pushing_changes_nothing_when_it_is_refused(
        operator, site, deployments, service):
    top = deployments.directory(site)
    before = tree(top)
    for data, query, status in (
        (archive(entry("docker-compose.yml", b"x")), "", 403),
        (archive(entry("a", b"1"), entry(".env.flatrun", b"A=1")), "", 403),
        (archive(entry("a", b"1"), entry("../x", b"x")), "", 400),
        (archive(entry("a", b"1"), entry("html", b"x")), "", 409),
        (archive(entry("a", b"1"), entry("passwd", b"x")), "", 409),
        (archive(entry("a", b"1")), "?destination=../x", 400),
        (archive(entry("a", b"1")), "?destination=passwd", 400),
        (archive(entry("a", b"1")), "?destination=service.yml", 403),
        (b"none", "", 400),
    ):
        assert_error(push(operator, site, data, query), status)
        assert tree(top) == before
    assert staged(service) == []


def test_an_archive_among_the_files_is_unpacked(
        operator, site, deployments, viewer):
    top = deployments.directory(site)
    data = archive(entry("one/a", b"1"), entry("b", b"2"),
                   entry("l", kind=tarfile.SYMTYPE, link="/etc"))
    for place in ("", "html/"):
        with open(os.path.join(top, f"{place}it.tgz"), "wb") as out:
            out.write(data)
    path = f"/deployments/{site}/extract"
    answer = operator.post(path, {"path": "/html/it.tgz"})
    assert answer.status == 200, answer
    assert (answer.json["written"], answer.json["skipped"]) == (2, 1)
    assert tree(top)["html/one/a"] == (0o644, b"1")
    answer = operator.post(
        path, {"path": "it.tgz", "destination": "/deep/er"})
    assert answer.status == 200, answer
    assert tree(top)["deep/er/b"] == (0o644, b"2")
    before = tree(top)
    for body, status in (
        ({"path": "../it.tgz"}, 400), ({"path": "passwd"}, 400),
        ({"path": "fifo"}, 400), ({"path": "gone"}, 404),
        ({"path": "html"}, 409), ({"path": "service.yml"}, 400),
        ({"path": "it.tgz", "destination": "../x"}, 400),
        ({"path": "it.tgz", "destination": "passwd"}, 400), ({}, 400),
    ):
        assert_error(operator.post(path, body), status)
    assert_error(viewer.post(path, {"path": "it.tgz"}), 403)
    assert tree(top) == before


# Copies


def test_a_copy_has_the_files_and_names_of_its_own(
        api, operator, site, deployments, service):
    name = deployments.name("copy")
    answer = operator.post(f"/deployments/{site}/copy", {"name": name})
    assert answer.status == 201, answer
    assert answer.json["name"] == name
    assert answer.json["source"] == site
    assert answer.json["volumes_copied"] is False
    assert "volumes" in answer.json["message"]
    assert answer.json["conflicts"] == []
    before = tree(deployments.directory(site))
    after = tree(deployments.directory(name))
    assert after.pop("docker-compose.yml") != before.pop(
        "docker-compose.yml")
    assert after.pop("service.yml")[1] != before.pop("service.yml")[1]
    before.pop("fifo")
    before["run.sh"] = (0o755, before["run.sh"][1])
    assert after == before
    got = api.get(f"/deployments/{name}").json
    assert got["deployment"]["metadata"]["name"] == name
    assert f"container_name: {name}" in got["compose_content"]
    assert site not in got["compose_content"]
    assert staged(service) == []


def test_both_can_run_and_conflicts_are_told(
        operator, deployments, engine):
    source = deployments.create(
        "name: NAME\nservices:\n"
        "  app:\n    image: test/web:1\n    volumes: [data:/data]\n"
        "  side:\n    image: test/web:1\n    container_name: own-name\n"
        "    ports: ['18467:80']\n"
        "volumes: {data: {}, old: {name: of-both}}\n"
        .replace("NAME", "flatrun-twin-a"),
        name="twin-a",
        metadata={"name": "twin-a", "networking": {
            "expose": True, "domain": "twin.example.org"},
            "domains": [{"id": "x", "domain": "more.example.org"}]},
    )
    answer = operator.post(f"/deployments/{source}/copy", {"name": "twin-b"})
    deployments.made.append("twin-b")
    assert answer.status == 201, answer
    assert answer.json["conflicts"] == [
        {"type": "port", "service": "side", "port": 18467, "protocol": "tcp"},
        {"type": "volume", "volume": "of-both"},
    ]
    assert answer.json["dropped"] == ["domains", "networking.domain"]
    got = operator.get("/deployments/twin-b").json
    assert got["deployment"]["metadata"]["networking"]["expose"] is False
    assert "domains" not in got["deployment"]["metadata"]
    assert "own-name" not in got["compose_content"]
    assert "flatrun-twin-a" not in got["compose_content"]
    assert operator.post(f"/deployments/{source}/start").status == 200
    blocked = operator.post("/deployments/twin-b/start")
    assert_error(blocked, 409, "PORT_IN_USE")


def test_a_copy_never_takes_a_place(operator, site, deployments, viewer):
    other = deployments.create()
    before = tree(deployments.directory(other))
    for name, status in ((other, 409), (site, 409), ("..", 400), ("", 400),
                         ("A b", 400)):
        assert_error(
            operator.post(f"/deployments/{site}/copy", {"name": name}),
            status)
    assert tree(deployments.directory(other)) == before
    assert_error(
        viewer.post(f"/deployments/{site}/copy", {"name": "x"}), 403)
    assert_error(
        operator.post("/deployments/nobody/copy", {"name": "x"}), 404)
