"""Logging in, the three ways to show a key, roles, revoking."""

import datetime
import json

import pytest

from clients import assert_error, wait_until
from service import CONFIG_KEY


def log_in(api, key):
    answer = api.post("/auth/login", {"api_key": key})
    assert answer.status == 200, answer
    return answer.json["token"]


def test_login_gives_a_token_for_a_day(anonymous, service):
    answer = anonymous.post("/auth/login", {"api_key": service.admin_key})
    assert answer.status == 200, answer
    body = answer.json
    assert body["token"].count(".") == 2
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 86400
    assert body["data"]["token"] == body["token"]
    expires = datetime.datetime.fromisoformat(body["expires_at"])
    left = expires - datetime.datetime.now(datetime.timezone.utc)
    assert 86300 < left.total_seconds() < 86500
    assert "no-store" in answer.header("Cache-Control")


def test_a_token_opens_what_its_key_opens(anonymous, service):
    token = log_in(anonymous, service.admin_key)
    assert anonymous.with_token(token).get("/deployments").status == 200


def test_a_key_of_the_configuration_file_logs_in(anonymous):
    token = log_in(anonymous, CONFIG_KEY)
    assert anonymous.with_token(token).get("/deployments").status == 200


def test_unknown_members_of_a_login_are_ignored(anonymous, service):
    answer = anonymous.post("/auth/login", {
        "api_key": service.admin_key, "remember": {"me": [True]},
    })
    assert answer.status == 200, answer


@pytest.mark.parametrize("header", [
    "Bearer {}", "bearer {}", "BEARER {}", "ApiKey {}", "apikey {}",
])
def test_a_key_is_accepted_in_the_authorization_header(
        anonymous, service, header):
    answer = anonymous.get("/deployments", headers={
        "Authorization": header.format(service.admin_key),
    })
    assert answer.status == 200, answer


def test_a_key_is_accepted_as_x_api_key(anonymous, service):
    answer = anonymous.get(
        "/deployments", headers={"X-API-Key": service.admin_key}
    )
    assert answer.status == 200, answer


@pytest.mark.parametrize("headers", [
    {"Authorization": "Basic dXNlcjpwYXNz"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": "{key}"},
    {"Authorization": "Bearer {key} {key}"},
    {"Authorization": "Bearer {key}x"},
    {"Authorization": "Token {key}"},
    {"X-API-Key": ""},
    {"X-Token": "{key}"},
    {"Cookie": "token={key}; Authorization=Bearer {key}"},
    {"Remote-User": "admin"},
    {"X-Remote-User": "admin"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"CF-Connecting-IP": "127.0.0.1"},
    {"X-Original-URL": "/api/health"},
    {"X-Rewrite-URL": "/api/health"},
    {"Proxy-Authorization": "Bearer {key}"},
])
def test_nothing_else_identifies_a_client(anonymous, service, headers):
    answer = anonymous.get("/deployments", headers={
        name: value.format(key=service.admin_key)
        for name, value in headers.items()
    })
    body = assert_error(answer, 401)
    assert body["code"] in ("UNAUTHORIZED", "INVALID_API_KEY")
    assert answer.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.parametrize("query", [
    "token={key}", "access_token={key}", "api_key={key}",
    "Authorization=Bearer%20{key}",
])
def test_a_key_in_the_query_is_ignored(anonymous, service, query):
    answer = anonymous.get(
        "/deployments?" + query.format(key=service.admin_key)
    )
    assert_error(answer, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("key", [
    "wrong", "fr_" + "A" * 43, "", " ", "x" * 10000, "ключ", "' OR 1=1 --",
])
def test_a_wrong_key_does_not_log_in(anonymous, key):
    answer = anonymous.post("/auth/login", {"api_key": key})
    assert answer.status in (400, 401), answer
    if key == "wrong" or key.startswith("fr_"):
        assert_error(answer, 401, "INVALID_API_KEY")


def test_a_key_with_something_behind_it_does_not_log_in(anonymous, service):
    longer = service.admin_key + "x"
    answer = anonymous.post("/auth/login", {"api_key": longer})
    assert_error(answer, 401, "INVALID_API_KEY")
    answer = anonymous.post(
        "/auth/login",
        body='{"api_key": "%s\\u0000x"}' % service.admin_key,
        headers={"Content-Type": "application/json"},
    )
    assert_error(answer, 400)


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}, ["x"]])
def test_a_key_has_to_be_a_string(anonymous, value):
    answer = anonymous.post("/auth/login", {"api_key": value})
    assert_error(answer, 400, field="api_key")


def test_a_login_without_a_key_names_the_field(anonymous):
    assert_error(anonymous.post("/auth/login", {}), 400, field="api_key")


@pytest.mark.parametrize("body, code", [
    ("", None),
    ("{", "INVALID_JSON"),
    ("nonsense", "INVALID_JSON"),
    ("[]", None),
    ('"text"', None),
    ("null", None),
    ("{} {}", "INVALID_JSON"),
    ('{"api_key": "a", "api_key": "b"}', "DUPLICATE_KEY"),
    ('{"api_key": "a", "api\\u005fkey": "b"}', "DUPLICATE_KEY"),
    ('{"other": {"x": 1, "x": 2}, "api_key": "a"}', "DUPLICATE_KEY"),
    ('{"api_key": NaN}', "INVALID_JSON"),
    ('{"api_key": Infinity}', "INVALID_JSON"),
    ("{'api_key': 'a'}", "INVALID_JSON"),
    ('{"api_key": "a",}', "INVALID_JSON"),
    ('{"api_key": "a"} // comment', "INVALID_JSON"),
    ('{"api_key": "line\nbreak"}', "INVALID_JSON"),
    (b'{"api_key": "\xff"}', "INVALID_JSON"),
    (b'{"api_key": "\xc0\xaf"}', "INVALID_JSON"),
    (b'{"api_key": "\xed\xa0\x80"}', "INVALID_JSON"),
    (b'\xef\xbb\xbf{"api_key": "a"}', "INVALID_JSON"),
    ('{"api_key": "\\ud800"}', None),
    ('{"a\\u0000b": 1, "api_key": "a"}', None),
    ('{"x": ' + "[" * 40 + "]" * 40 + "}", "INVALID_JSON"),
    ("[" * 100000, "INVALID_JSON"),
    ('{"x": ' + "[" * 100000, "INVALID_JSON"),
    ('{"api_key": 007}', "INVALID_JSON"),
    ("{" + ",".join('"k%d": 1' % i for i in range(1100)) + "}", None),
])
def test_a_login_body_has_to_be_sound_json(anonymous, body, code):
    answer = anonymous.post(
        "/auth/login", body=body, headers={"Content-Type": "application/json"}
    )
    assert_error(answer, 400, code)
    assert answer.seconds < 0.5


@pytest.mark.parametrize("content_type", [
    None, "text/plain", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "application/jsonx", "text/json",
])
def test_a_body_that_is_not_called_json_is_refused(
        anonymous, service, content_type):
    answer = anonymous.post(
        "/auth/login",
        body=json.dumps({"api_key": service.admin_key}),
        headers={"Content-Type": content_type},
    )
    assert_error(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("content_type", [
    "application/json; charset=utf-8", "Application/JSON",
    "application/json;charset=UTF-8",
])
def test_the_usual_spellings_of_json_are_accepted(
        anonymous, service, content_type):
    answer = anonymous.post(
        "/auth/login",
        body=json.dumps({"api_key": service.admin_key}),
        headers={"Content-Type": content_type},
    )
    assert answer.status == 200, answer


def test_ten_failures_close_the_door_for_that_address_alone(
        anonymous, service):
    for _ in range(10):
        assert_error(
            anonymous.post("/auth/login", {"api_key": "guess"}), 401
        )
    answer = anonymous.post("/auth/login", {"api_key": "guess"})
    assert_error(answer, 429, "RATE_LIMITED")
    assert 0 < int(answer.header("Retry-After")) <= 60
    # The right key does not get around it, but elsewhere nobody notices.
    assert_error(
        anonymous.post("/auth/login", {"api_key": service.admin_key}), 429
    )
    assert log_in(anonymous.from_address("127.9.9.9"), service.admin_key)


def test_who_is_locked_out_of_login_keeps_working_with_a_token(
        anonymous, service):
    token = log_in(anonymous, service.admin_key)
    for _ in range(11):
        anonymous.post("/auth/login", {"api_key": "guess"})
    answer = anonymous.with_token(token).get("/deployments")
    assert answer.status == 200, answer


def test_guessing_keys_in_headers_is_limited_as_logins_are(anonymous):
    statuses = [
        anonymous.with_token(f"fr_{number}" + "A" * 40).get("/jobs").status
        for number in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2


def test_validate_accepts_a_key_and_a_token(anonymous, service):
    token = log_in(anonymous, service.admin_key)
    for text in (token, service.admin_key):
        answer = anonymous.with_token(text).get("/auth/validate")
        assert answer.status == 200, answer
        assert answer.json["valid"] is True


def test_validate_refuses_what_is_not_valid(anonymous):
    for client in (anonymous, anonymous.with_token("nonsense")):
        answer = client.get("/auth/validate")
        assert answer.status == 401, answer
        assert answer.json["valid"] is False
        assert answer.json["error"]


def test_a_viewer_reads_and_does_not_change(viewer, deployments):
    name = deployments.create()
    assert viewer.get("/deployments").status == 200
    assert viewer.get(f"/deployments/{name}").status == 200
    assert viewer.get("/jobs").status == 200
    assert viewer.get("/containers").status == 200
    for answer in (
        viewer.post("/deployments", {"name": "x", "compose_content": "x"}),
        viewer.put(f"/deployments/{name}", {"compose_content": "x"}),
        viewer.delete(f"/deployments/{name}"),
        viewer.post(f"/deployments/{name}/start"),
        viewer.post(f"/deployments/{name}/stop"),
        viewer.post(f"/deployments/{name}/restart"),
    ):
        assert_error(answer, 403, "FORBIDDEN")
    assert deployments.status(name) == "stopped"


def test_a_viewers_token_is_no_more_than_the_viewer(viewer, keys):
    token = log_in(viewer.with_token(None), keys["viewer"][1])
    answer = viewer.with_token(token).post(
        "/deployments", {"name": "viewers", "compose_content": "x"}
    )
    assert_error(answer, 403, "FORBIDDEN")


def test_an_operator_starts_and_stops(operator, deployments):
    name = deployments.create()
    answer = operator.post(f"/deployments/{name}/start")
    assert answer.status == 200, answer
    answer = operator.post(f"/deployments/{name}/stop")
    assert answer.status == 200, answer


def test_revoking_a_key_ends_it_and_its_tokens_at_once(anonymous, service):
    key_id, key = service.make_key("to-be-revoked", "admin")
    token = log_in(anonymous, key)
    for text in (key, token):
        assert anonymous.with_token(text).get("/deployments").status == 200
    service.run_admin("key", "revoke", key_id)
    for text, code in ((key, "INVALID_API_KEY"), (token, "UNAUTHORIZED")):
        answer = anonymous.with_token(text).get("/deployments")
        assert_error(answer, 401, code)
    answer = anonymous.post("/auth/login", {"api_key": key})
    assert_error(answer, 401, "INVALID_API_KEY")


def test_a_new_key_works_without_a_restart(anonymous, service):
    _, key = service.make_key("fresh", "viewer")
    wait_until(
        lambda: anonymous.with_token(key).get("/deployments").status == 200,
        2, what="acceptance of a new key",
    )


def test_listing_keys_shows_neither_keys_nor_hashes(service, keys):
    output = service.run_admin("key", "list").stdout
    assert "test-viewer" in output
    for _, text in keys.values():
        assert text not in output
