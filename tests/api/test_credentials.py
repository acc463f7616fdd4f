"""Registries and who we are there; the password is nowhere to be seen."""

import os
import stat
import time

import pytest

from clients import assert_error
from engine import Registry, free_port

SECRET = "a password that is unlike all else 5521"


@pytest.fixture
def credentials(api):
    made = []

    def create(**more):
        answer = api.post("/credentials", {
            "name": f"credential {time.monotonic_ns()}",
            "registry_type_slug": "ghcr",
            "username": "me",
            "password": SECRET,
            **more,
        })
        if answer.status == 201:
            made.append(answer.json["credential"]["id"])
        return answer

    yield create
    for one in made:
        assert api.delete(f"/credentials/{one}").status in (200, 404)


@pytest.fixture
def private(credentials, private_registry):
    """A credential for the registry with a password."""

    def create(**more):
        answer = credentials(**{
            "registry_type_slug": "generic",
            "registry_url": f"http://{private_registry.host}/v2/",
            "username": Registry.USER,
            "password": private_registry.password,
            **more,
        })
        assert answer.status == 201, answer
        return answer.json["credential"]["id"]

    return create


def password_files(service):
    directory = service.path("state", "secrets", "credentials")
    return {name: os.path.join(directory, name)
            for name in os.listdir(directory)}


def test_a_credential_has_all_its_keys_but_the_password(api, credentials):
    answer = credentials(name="all keys", email="me@example.com")
    assert answer.status == 201, answer
    assert answer.json["message"] == "Credential created"
    one = answer.json["credential"]
    assert set(one) == {
        "id", "name", "registry_type_slug", "registry_url", "username",
        "email", "is_default", "created_at", "updated_at",
    }
    assert one["name"] == "all keys"
    assert one["registry_url"] == "ghcr.io"
    assert one["is_default"] is False
    assert api.get(f"/credentials/{one['id']}").json["credential"] == one
    body = api.get("/credentials").json
    assert one in body["credentials"]
    assert body["credentials"] == body["data"] == body["items"]


def test_the_list_changes_its_etag(api, credentials):
    before = api.get("/credentials")
    credentials()
    after = api.get("/credentials", headers={
        "If-None-Match": before.header("ETag"),
    })
    assert after.status == 200, after


def test_the_password_is_in_one_file_of_roots(api, service, credentials):
    created = credentials()
    identity = created.json["credential"]["id"]
    files = password_files(service)
    mine = [path for name, path in files.items() if name.startswith(identity)]
    assert len(mine) == 1
    with open(mine[0]) as content:
        assert content.read() == SECRET
    for path, mode in ((mine[0], 0o600), (os.path.dirname(mine[0]), 0o700)):
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == mode
        assert status.st_uid == status.st_gid == 0


def test_the_password_is_nowhere_else(api, service, credentials):
    created = credentials()
    identity = created.json["credential"]["id"]
    changed = api.put(f"/credentials/{identity}", {"password": SECRET + "2"})
    assert changed.status == 200, changed
    job = api.get(f"/jobs/{changed.json['job_id']}")
    assert job.status == 200, job
    for answer in (created, changed, job, api.get("/credentials"),
                   api.get(f"/credentials/{identity}"), api.get("/jobs")):
        assert SECRET not in answer.text
    found = []
    for top in ("state", "run", "log", "nginx", "deployments"):
        for directory, _, names in os.walk(service.path(top)):
            for name in names:
                path = os.path.join(directory, name)
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as content:
                    if SECRET.encode() in content.read():
                        found.append(path)
    assert found == [path for name, path in password_files(service).items()
                     if name.startswith(identity)]


def test_another_password_takes_its_place(api, service, credentials):
    identity = credentials().json["credential"]["id"]
    answer = api.put(f"/credentials/{identity}", {
        "password": "another", "username": "you", "name": "renamed it",
    })
    assert answer.status == 200, answer
    assert answer.json["credential"]["username"] == "you"
    assert answer.json["credential"]["name"] == "renamed it"
    mine = [path for name, path in password_files(service).items()
            if name.startswith(identity)]
    assert len(mine) == 1
    with open(mine[0]) as content:
        assert content.read() == "another"


def test_without_a_password_the_old_one_stays(api, private):
    identity = private()
    answer = api.put(f"/credentials/{identity}", {"name": "only its name"})
    assert answer.status == 200, answer
    answer = api.post(f"/credentials/{identity}/test")
    assert answer.json["success"] is True, answer


def test_another_registry_needs_the_password(api, credentials):
    identity = credentials().json["credential"]["id"]
    answer = api.put(f"/credentials/{identity}", {
        "registry_type_slug": "generic", "registry_url": "evil.example",
    })
    assert_error(answer, 400, field="password")


def test_a_deleted_credential_leaves_no_file(api, service, credentials):
    identity = credentials().json["credential"]["id"]
    answer = api.delete(f"/credentials/{identity}")
    assert answer.status == 200, answer
    assert answer.json["id"] == identity
    assert not [name for name in password_files(service)
                if name.startswith(identity)]
    assert_error(
        api.get(f"/credentials/{identity}"), 404, "CREDENTIAL_NOT_FOUND"
    )
    assert_error(
        api.delete(f"/credentials/{identity}"), 404, "CREDENTIAL_NOT_FOUND"
    )


def test_a_start_removes_files_without_a_row(api, service, credentials):
    kept = credentials().json["credential"]["id"]
    directory = service.path("state", "secrets", "credentials")
    for name in ("0123456789ab-1", f"{kept}-7", ".tmp-of-a-crash"):
        with open(os.path.join(directory, name), "w") as out:
            out.write(SECRET)
    service.restart_agent()
    assert [name for name in password_files(service)
            if name.startswith((kept, "0123", ".tmp"))] == [f"{kept}-1"]


def test_the_right_password_is_accepted(api, private):
    answer = api.post(f"/credentials/{private()}/test")
    assert answer.status == 200, answer
    assert answer.json["success"] is True
    assert answer.json["message"] == "The registry accepts the credentials"


def test_a_wrong_password_is_no_success(api, private):
    answer = api.post(f"/credentials/{private(password='wrong')}/test")
    assert answer.status == 200, answer
    assert answer.json["success"] is False
    assert answer.json["code"] == "REGISTRY_DENIED"
    assert answer.json["message"] == "The registry refuses the credentials"


def test_a_registry_that_is_down_is_503(api, private):
    identity = private(registry_url=f"127.0.0.1:{free_port()}")
    answer = api.post(f"/credentials/{identity}/test")
    body = assert_error(answer, 503, "REGISTRY_UNAVAILABLE")
    assert body["success"] is False


@pytest.mark.parametrize("host", ["169.254.169.254", "http://[fe80::1]/",
                                  "0.0.0.0:5000"])
def test_hosts_of_the_machine_alone_are_403(api, private, host):
    identity = private(registry_url=host)
    answer = api.post(f"/credentials/{identity}/test")
    assert_error(answer, 403, "HOST_NOT_ALLOWED")


def test_a_lost_password_is_409(api, service, private):
    identity = private()
    for name, path in password_files(service).items():
        if name.startswith(identity):
            os.unlink(path)
    answer = api.post(f"/credentials/{identity}/test")
    assert_error(answer, 409, "NO_PASSWORD")
    answer = api.put(f"/credentials/{identity}", {"password": "new"})
    assert answer.status == 200, answer


@pytest.mark.parametrize("field, value", [
    ("name", ""), ("name", "a\nb"), ("name", 7), ("username", ""),
    ("username", "a:b"), ("username", "a\r\nb"), ("password", ""),
    ("password", "x" * 20000), ("password", 7), ("registry_type_slug", ""),
    ("registry_type_slug", "no-such-type"), ("registry_type_slug", "../x"),
    ("registry_url", "a b"), ("registry_url", "user:pass@host"),
    ("registry_url", "host\r\nX: y"), ("email", "a\nb"),
    ("is_default", "yes"),
])
def test_a_bad_field_is_named(credentials, field, value):
    assert_error(credentials(**{field: value}), 400, field=field)


def test_a_generic_registry_needs_its_host(credentials):
    answer = credentials(registry_type_slug="generic")
    assert_error(answer, 400, field="registry_url")


def test_a_name_is_taken_once(credentials):
    assert credentials(name="one of a kind").status == 201
    assert_error(credentials(name="one of a kind"), 409, "ALREADY_EXISTS")


def test_a_host_has_one_default(api, credentials):
    first = credentials(is_default=True).json["credential"]["id"]
    credentials(is_default=True)
    one = api.get(f"/credentials/{first}").json["credential"]
    assert one["is_default"] is False


@pytest.mark.parametrize("identity", ["x", "..%2Fx", "0123456789AB", "0" * 13])
def test_what_is_no_id_is_400(api, identity):
    assert_error(api.get(f"/credentials/{identity}"), 400, "INVALID_ID")


def test_roles(viewer, operator, api, credentials):
    identity = credentials().json["credential"]["id"]
    assert_error(viewer.get("/credentials"), 403, "FORBIDDEN")
    assert operator.get("/credentials").status == 200
    assert_error(
        operator.delete(f"/credentials/{identity}"), 403, "FORBIDDEN"
    )
    assert_error(operator.post("/credentials", {}), 403, "FORBIDDEN")
    assert viewer.get("/registries").status == 200
    assert_error(operator.post("/registries", {}), 403, "FORBIDDEN")


# Kinds of registries


def test_built_in_registries_are_listed(api):
    body = api.get("/registries").json
    assert body["registry_types"] == body["data"]
    by_slug = {one["slug"]: one for one in body["registry_types"]}
    assert {"dockerhub", "ghcr", "gitlab", "quay", "generic"} <= set(by_slug)
    assert by_slug["dockerhub"]["source"] == "builtin"
    assert "docker.io" in by_slug["dockerhub"]["url_patterns"]


def test_built_in_registries_are_protected(api):
    answer = api.put("/registries/dockerhub", {"name": "Mine"})
    assert_error(answer, 403, "PROTECTED")
    assert_error(api.delete("/registries/dockerhub"), 403, "PROTECTED")
    answer = api.post("/registries", {"slug": "dockerhub", "name": "Mine"})
    assert_error(answer, 409, "ALREADY_EXISTS")


def test_a_registry_of_ours_is_made_changed_and_deleted(api, credentials):
    answer = api.post("/registries", {
        "slug": "ours", "name": "Our registry", "auth_type": "token",
        "url_patterns": ["registry.example", "*.registry.example"],
    })
    assert answer.status == 201, answer
    one = answer.json["registry_type"]
    assert one["source"] == "local" and one["is_official"] is False
    assert one["auth_type"] == "token"
    assert api.get("/registries/ours").json["registry_type"] == one
    answer = api.put("/registries/ours", {"name": "Renamed"})
    assert answer.status == 200, answer
    assert answer.json["registry_type"]["name"] == "Renamed"
    assert answer.json["registry_type"]["url_patterns"] == (
        one["url_patterns"]
    )
    made = credentials(
        registry_type_slug="ours", registry_url="registry.example"
    )
    body = assert_error(api.delete("/registries/ours"), 409, "IN_USE")
    assert body["used_by"] == [made.json["credential"]["name"]]
    identity = made.json["credential"]["id"]
    assert api.delete(f"/credentials/{identity}").status == 200
    answer = api.delete("/registries/ours")
    assert answer.status == 200, answer
    assert_error(api.get("/registries/ours"), 404, "REGISTRY_NOT_FOUND")


@pytest.mark.parametrize("field, value", [
    ("slug", "UPPER"), ("slug", "a/b"), ("slug", "-a"), ("name", ""),
    ("auth_type", "none"), ("url_patterns", "x"), ("url_patterns", [1]),
    ("url_patterns", ["x"] * 21), ("docs_url", "a\nb"),
])
def test_a_bad_field_of_a_registry_is_named(api, field, value):
    answer = api.post("/registries", {
        "slug": "bad", "name": "Bad", **{field: value},
    })
    assert_error(answer, 400, field=field)
