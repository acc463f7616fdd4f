"""Every endpoint: no token, a wrong method, the shape of errors."""

import pytest

from clients import assert_error

ROUTES = [
    ("GET", "/deployments"),
    ("POST", "/deployments"),
    ("GET", "/deployments/some-name"),
    ("PUT", "/deployments/some-name"),
    ("DELETE", "/deployments/some-name"),
    ("POST", "/deployments/some-name/start"),
    ("POST", "/deployments/some-name/stop"),
    ("POST", "/deployments/some-name/restart"),
    ("GET", "/deployments/some-name/logs"),
    ("GET", "/deployments/some-name/logs?follow=true"),
    ("GET", "/deployments/some-name/stats"),
    ("GET", "/deployments/some-name/compose"),
    ("GET", "/deployments/some-name/env"),
    ("PUT", "/deployments/some-name/env"),
    ("PUT", "/deployments/some-name/metadata"),
    ("GET", "/deployments/some-name/files"),
    ("GET", "/deployments/some-name/files/a/b"),
    ("POST", "/deployments/some-name/files"),
    ("POST", "/deployments/some-name/files/a/b"),
    ("PUT", "/deployments/some-name/files/a/b"),
    ("DELETE", "/deployments/some-name/files/a/b"),
    ("POST", "/deployments/some-name/files-push"),
    ("POST", "/deployments/some-name/extract"),
    ("POST", "/deployments/some-name/mkdir/a/b"),
    ("POST", "/deployments/some-name/touch/a/b"),
    ("PUT", "/deployments/some-name/permissions/a/b"),
    ("GET", "/deployments/some-name/files-info"),
    ("GET", "/deployments/some-name/archive"),
    ("POST", "/deployments/archive"),
    ("POST", "/deployments/some-name/copy"),
    ("PUT", "/deployments/some-name/services/some-service/image"),
    ("POST", "/compose/update"),
    ("POST", "/deployments/some-name/compose/mount"),
    ("POST", "/deployments/some-name/compose/unmount"),
    ("GET", "/deployments/some-name/diagnostics"),
    ("POST", "/deployments/some-name/rebuild"),
    ("POST", "/deployments/some-name/deploy"),
    ("POST", "/deployments/some-name/pull"),
    ("GET", "/deployments/some-name/images"),
    ("POST", "/deployments/some-name/images/cleanup"),
    ("POST", "/deployments/some-name/actions/some-action"),
    ("GET", "/deployments/some-name/services"),
    ("POST", "/deployments/some-name/services/some-service/start"),
    ("POST", "/deployments/some-name/services/some-service/stop"),
    ("POST", "/deployments/some-name/services/some-service/restart"),
    ("POST", "/deployments/some-name/services/some-service/rebuild"),
    ("POST", "/deployments/some-name/services/some-service/pull"),
    ("POST", "/deployments/some-name/services/some-service/job"),
    ("GET", "/deployments/some-name/revisions"),
    ("GET", "/deployments/some-name/revisions/1"),
    ("POST", "/deployments/some-name/rollback"),
    ("GET", "/deployments/some-name/jobs/active"),
    ("GET", "/deployments/some-name/jobs/0123456789abcdef0123"),
    ("GET", "/jobs"),
    ("GET", "/deployments/some-name/jobs/0123456789abcdef0123/stream"),
    ("GET", "/jobs/0123456789abcdef0123"),
    ("DELETE", "/jobs/0123456789abcdef0123"),
    ("GET", "/jobs/0123456789abcdef0123/stream"),
    ("GET", "/events"),
    ("GET", "/containers"),
    ("GET", "/containers/stats"),
    ("GET", "/containers/some-name"),
    ("GET", "/containers/some-name/stats"),
    ("POST", "/containers/some-name/start"),
    ("POST", "/containers/some-name/stop"),
    ("POST", "/containers/some-name/restart"),
    ("DELETE", "/containers/some-name"),
    ("POST", "/containers/some-name/exec"),
    ("GET", "/containers/some-name/resources"),
    ("PUT", "/containers/some-name/resources"),
    ("GET", "/images"),
    ("GET", "/images/some-name"),
    ("POST", "/images/pull"),
    ("POST", "/images/cleanup"),
    ("DELETE", "/images/some-name"),
    ("GET", "/credentials"),
    ("POST", "/credentials"),
    ("GET", "/credentials/0123456789ab"),
    ("PUT", "/credentials/0123456789ab"),
    ("DELETE", "/credentials/0123456789ab"),
    ("POST", "/credentials/0123456789ab/test"),
    ("GET", "/registries"),
    ("POST", "/registries"),
    ("GET", "/registries/some-slug"),
    ("PUT", "/registries/some-slug"),
    ("DELETE", "/registries/some-slug"),
    ("GET", "/networks"),
    ("GET", "/networks/some-name"),
    ("POST", "/networks"),
    ("DELETE", "/networks/some-name"),
    ("POST", "/networks/some-name/connect"),
    ("POST", "/networks/some-name/disconnect"),
    ("GET", "/templates"),
    ("GET", "/templates/categories"),
    ("POST", "/templates/refresh"),
    ("GET", "/templates/some-id"),
    ("GET", "/templates/some-id/compose"),
    ("POST", "/templates/some-id/generate"),
    ("GET", "/templates/infra/some-name"),
    ("GET", "/templates/infra/some-name/compose"),
    ("POST", "/templates/infra/some-name/generate"),
    ("GET", "/volumes"),
    ("GET", "/volumes/some-name"),
    ("POST", "/volumes"),
    ("DELETE", "/volumes/some-name"),
    ("POST", "/volumes/prune"),
    ("GET", "/containers/some-name/logs"),
    ("GET", "/containers/some-name/logs?follow=true"),
]
PUBLIC = [
    ("GET", "/health"),
    ("GET", "/auth/status"),
    ("POST", "/auth/login"),
    ("GET", "/auth/validate"),
    ("GET", "/setup/status"),
]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def methods_by_path():
    methods = {}
    for method, path in ROUTES + PUBLIC:
        methods.setdefault(path.partition("?")[0], set()).add(method)
    return sorted(methods.items())


@pytest.mark.parametrize("method, path", ROUTES)
def test_without_a_token_nothing_answers(anonymous, method, path):
    answer = anonymous.request(method, path)
    assert_error(answer, 401, "UNAUTHORIZED")
    assert answer.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.parametrize("method, path", ROUTES)
def test_without_a_token_the_body_is_not_looked_at(anonymous, method, path):
    answer = anonymous.request(
        method, path, body="{nonsense",
        headers={"Content-Type": "application/json"},
    )
    assert_error(answer, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("method, path", ROUTES)
def test_a_bad_token_opens_nothing(anonymous, method, path):
    answer = anonymous.with_token("fr_" + "A" * 43).request(method, path)
    assert_error(answer, 401, "INVALID_API_KEY")


@pytest.mark.parametrize("path", ["/", "/nothing", "/deployments/x/y/z"])
def test_an_unknown_path_is_401_before_it_is_404(anonymous, api, path):
    assert_error(anonymous.get(path), 401, "UNAUTHORIZED")
    assert_error(api.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("path, methods", methods_by_path())
def test_a_wrong_method_is_405_and_the_right_ones_are_named(
        api, path, methods):
    for method in METHODS:
        if method in methods:
            continue
        answer = api.request(method, path)
        assert_error(answer, 405, "METHOD_NOT_ALLOWED")
        allowed = {word.strip() for word in answer.header("Allow").split(",")}
        assert methods <= allowed, answer.headers
        assert method not in allowed, answer.headers


@pytest.mark.parametrize("method, path", [
    (method, path) for method, path in ROUTES
    if "/some-name" in path
])
def test_what_is_not_there_is_404(api, method, path):
    content = None
    if method == "PUT":
        content = {
            "compose_content": "services: {app: {image: x}}", "image": "x",
            "env_vars": [], "type": "web", "mode": 420,
        }
    if "mount" in path:
        content = {"id": "data", "container_path": "/data"}
    if "connect" in path:
        content = {"container": "some-name"}
    if path.endswith("/generate"):
        content = {"name": "some-name"}
    if path.endswith("/job"):
        content = {"action": "start"}
    if path.endswith("/extract"):
        content = {"path": "a.tar.gz"}
    if path.endswith("/copy"):
        content = {"name": "other-name"}
    # A file is neither JSON nor what a form of another site may send.
    headers = {"Content-Type": "application/octet-stream"} if (
        method == "POST" and "/files" in path) else None
    answer = api.request(method, path, content, headers=headers)
    # Deleting twice is no mistake; a job has an answer of its own.
    resource = path.split("/")[1]
    codes = {resource[:-1].upper() + "_NOT_FOUND"}
    if "/jobs/" in path:
        codes = {"JOB_NOT_FOUND", "NO_ACTIVE_JOB"}
    body = assert_error(answer, 404)
    assert body["code"] in codes, answer


@pytest.mark.parametrize("method, path", [
    ("POST", "/deployments"), ("PUT", "/deployments/some-name"),
    ("POST", "/auth/login"),
])
def test_a_form_is_no_request(api, method, path):
    answer = api.request(
        method, path, body="name=x&compose_content=y",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert_error(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_request_id_is_made_and_returned(api):
    first, second = api.get("/deployments"), api.get("/deployments")
    assert first.header("X-Request-Id")
    assert first.header("X-Request-Id") != second.header("X-Request-Id")


def test_a_clients_request_id_is_returned(api):
    answer = api.get("/nothing", headers={"X-Request-Id": "build-1234.a_b"})
    assert answer.header("X-Request-Id") == "build-1234.a_b"
    assert answer.json["request_id"] == "build-1234.a_b"


@pytest.mark.parametrize("value", [
    "x" * 500, "with space", "quote\"", "<script>", "a;b", "ü",
])
def test_a_request_id_of_other_letters_is_not_passed_on(api, value):
    answer = api.get("/deployments", headers={
        "X-Request-Id": value.encode("utf-8"),
    })
    assert answer.status == 200, answer
    assert answer.header("X-Request-Id") != value


def test_unknown_query_names_are_ignored(api):
    assert api.get("/deployments?colour=blue&colour=red").status == 200


def test_a_trailing_slash_is_no_other_resource(api):
    assert api.get("/deployments/").status in (200, 301, 308, 404)


def test_head_has_no_body(api):
    answer = api.request("HEAD", "/deployments")
    assert answer.status in (200, 405), answer
    assert answer.body == b""


def test_answers_are_not_sniffed_or_framed(api):
    answer = api.get("/deployments")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert "no-" in answer.header("Cache-Control")
