"""Looked at last: what the whole run left behind."""

import glob
import json
import os
import re
import stat

from clients import wait_until
from service import CONFIG_KEY, JWT_SECRET, processes_of_jobs

SUPERVISORS = ("Child[", "Spawning child[", "multiwatch", "spawn-fcgi")


def test_the_sanitizers_found_nothing(service):
    # Leaks are reported when a program ends.
    service.stop_agent()
    service.start_agent()
    service.wait_until_ready()
    for worker in (*service.workers(), *service.workers("streams")):
        os.kill(worker, 15)
    wait_until(lambda: service.health(), 10)
    reports = glob.glob(service.path("sanitizer", "report*"))
    text = ""
    for report in reports:
        with open(report, errors="replace") as file:
            text += file.read()
    assert not reports, text[:6000]


def test_nobody_crashed(service):
    for name in ("agent", "workers", "streams"):
        log = service.log(name)
        for words in ("Sanitizer", "runtime error", "Assertion", "out of mem",
                      "double free", "stack smashing", "buffer overflow"):
            assert words not in log, f"{words} in the log of {name}"
        # multiwatch says how its children died; ours were killed by signal 9.
        crashes = re.findall(r"signal:? ?(\d+)|signal \((\d+)\)", log)
        assert {number for pair in crashes for number in pair if number} <= {
            "9", "15"
        }, crashes


def program_lines(service, name):
    # Supervisors write plain text into the same file.
    return [line for line in service.log(name).splitlines()
            if line.startswith("{") or not line.startswith(SUPERVISORS)]


def is_json_object(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def test_logs_are_one_json_object_a_line(service):
    for name in ("agent", "workers", "streams"):
        lines = program_lines(service, name)
        for line in lines:
            assert is_json_object(line), f"{name}: {line!r}"
    assert program_lines(service, "workers")


def test_a_request_is_logged_with_id_actor_route_status_and_duration(
        service, api):
    api.get("/jobs?limit=1", headers={"X-Request-Id": "find-me-in-the-log"})
    lines = wait_until(lambda: [
        line for line in service.log_lines("workers")
        if line.get("request_id") == "find-me-in-the-log"
    ], 2)
    line = lines[-1]
    assert line["status"] == 200, line
    assert line["actor"].startswith("key:"), line
    assert "/jobs" in line["route"], line
    assert any(name.startswith("duration") for name in line), line


def test_no_secret_is_in_a_log_or_the_database(service, keys):
    secrets = [service.admin_key, CONFIG_KEY, JWT_SECRET]
    secrets += [text for _, text in keys.values()]
    files = glob.glob(service.path("log", "*"))
    files += glob.glob(service.path("nginx", "*.log"))
    files += glob.glob(service.path("state", "database", "flatrun.db*"))
    for path in files:
        with open(path, "rb") as file:
            content = file.read()
        for secret in secrets:
            assert secret.encode() not in content, path
        assert b"eyJhbGciOi" not in content, f"a token in {path}"


def test_no_secret_is_in_a_command_line_or_foreign_environment(service):
    for process in (service.agent.pid, *service.workers()):
        for file in ("cmdline", "environ"):
            with open(f"/proc/{process}/{file}", "rb") as content:
                text = content.read()
            assert service.admin_key.encode() not in text
            assert JWT_SECRET.encode() not in text


def test_secrets_on_disk_are_for_nobody_else(service):
    secrets = service.path("state", "secrets")
    assert stat.S_IMODE(os.stat(secrets).st_mode) & 0o027 == 0
    for name in os.listdir(secrets):
        mode = stat.S_IMODE(os.stat(os.path.join(secrets, name)).st_mode)
        assert mode & 0o027 == 0, name
    key = os.stat(os.path.join(secrets, "admin-key"))
    assert key.st_uid == 0 and stat.S_IMODE(key.st_mode) & 0o077 == 0
    database = os.stat(service.path("state", "database", "flatrun.db"))
    assert stat.S_IMODE(database.st_mode) & 0o007 == 0


def test_sockets_are_for_their_peers_only(service):
    found = 0
    for where, _, files in os.walk(service.path("run")):
        for name in files:
            path = os.path.join(where, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISSOCK(mode):
                found += 1
                closed = stat.S_IMODE(mode) & 0o007 == 0
                shut = any(
                    os.stat(parent).st_mode & 0o007 == 0
                    for parent in (where, service.path("run"))
                )
                assert closed or shut, path
    assert found >= 3


def test_workers_are_unprivileged_and_cannot_reach_docker(service):
    worker = service.workers()[0]
    with open(f"/proc/{worker}/status") as status:
        fields = dict(
            line.split(":", 1) for line in status.read().splitlines()
        )
    assert "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == 0
    user = os.stat(f"/proc/{worker}").st_uid
    socket = os.stat(service.engine.socket)
    groups = {int(group) for group in fields["Groups"].split()}
    groups |= {int(group) for group in fields["Gid"].split()}
    assert socket.st_uid != user and socket.st_mode & 0o006 == 0
    assert socket.st_gid not in groups


def test_no_process_of_a_job_is_left(service):
    assert processes_of_jobs() == []


def test_the_database_is_sound(service):
    with service.database() as database:
        assert database.execute(
            "PRAGMA integrity_check").fetchone()[0] == "ok"
        unfinished = database.execute(
            "SELECT count(*) FROM jobs "
            "WHERE status IN ('pending', 'running')").fetchone()[0]
    assert unfinished == 0


def test_the_error_log_of_nginx_has_no_surprises(service):
    with open(service.path("nginx", "error.log"), errors="replace") as log:
        alerts = [line for line in log
                  if re.search(r"\[(alert|emerg|crit)\]", line)]
    assert alerts == []
