"""Forged tokens. The forger knows the secret, which is the worst case."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from clients import assert_error

SAMPLE_SECRETS = [
    b"", b"secret", b"default-secret-change-me", b"change-me", b"your-secret",
    b"your-256-bit-secret", b"jwt-secret", b"\0" * 32,
]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(header, claims, secret, digest=hashlib.sha256):
    """A token over header and claims, each an object or JSON text."""
    parts = [
        part if isinstance(part, str) else json.dumps(part)
        for part in (header, claims)
    ]
    signed = ".".join(encode(part.encode()) for part in parts)
    mac = hmac.new(secret, signed.encode(), digest).digest()
    return f"{signed}.{encode(mac)}"


HEADER = {"alg": "HS256", "typ": "JWT"}


@pytest.fixture(scope="module")
def genuine(service):
    client = service.client(source="127.8.0.1")
    answer = client.post("/auth/login", {"api_key": service.admin_key})
    assert answer.status == 200, answer
    return answer.json["token"]


@pytest.fixture
def claims(genuine):
    return json.loads(decode(genuine.split(".")[1]))


@pytest.fixture
def secret(service):
    return service.secret_of_tokens()


def ask(client, token):
    return client.with_token(token).get("/deployments")


def refuse(client, token, code="UNAUTHORIZED"):
    # What has no two dots is taken for a key.
    if token.count(".") < 2 and code == "UNAUTHORIZED":
        code = "INVALID_API_KEY"
    return assert_error(ask(client, token), 401, code)


def test_what_the_forger_signs_rightly_is_accepted(anonymous, claims, secret):
    # Else all the tests below would pass for the wrong reason.
    assert ask(anonymous, sign(HEADER, claims, secret)).status == 200


def test_the_token_says_what_the_contract_says(claims, genuine):
    assert json.loads(decode(genuine.split(".")[0]))["alg"] == "HS256"
    assert claims["iss"] == "flatrun-agent"
    assert claims["exp"] - claims["iat"] == 86400
    assert claims["nbf"] <= time.time() + 1
    assert "username" in claims


@pytest.mark.parametrize("algorithm", [
    "none", "None", "NONE", "nOnE", "", None, 0, [], {"alg": "HS256"},
    "HS256 ", "HS1", "unknown",
])
@pytest.mark.parametrize("signed", [True, False])
def test_another_algorithm_in_the_header_is_refused(
        anonymous, claims, secret, algorithm, signed):
    token = sign({"alg": algorithm, "typ": "JWT"}, claims, secret)
    if not signed:
        token = token.rsplit(".", 1)[0] + "."
    refuse(anonymous, token)


def test_a_header_without_an_algorithm_is_refused(anonymous, claims, secret):
    refuse(anonymous, sign({"typ": "JWT"}, claims, secret))


@pytest.mark.parametrize("name, digest", [
    ("HS384", hashlib.sha384), ("HS512", hashlib.sha512),
    ("RS256", hashlib.sha256), ("ES256", hashlib.sha256),
    ("PS256", hashlib.sha256), ("EdDSA", hashlib.sha256),
])
def test_only_hs256_is_accepted_even_with_the_right_secret(
        anonymous, claims, secret, name, digest):
    header = {"alg": name, "typ": "JWT"}
    refuse(anonymous, sign(header, claims, secret, digest))


@pytest.mark.parametrize("guess", SAMPLE_SECRETS)
def test_a_guessed_secret_is_refused(anonymous, claims, guess):
    refuse(anonymous, sign(HEADER, claims, guess))


@pytest.mark.parametrize("extra", [
    {"kid": "../../../../dev/null"}, {"kid": "0"},
    {"jku": "http://127.0.0.1/keys"}, {"x5u": "http://127.0.0.1/"},
    {"jwk": {"kty": "oct", "k": encode(b"0" * 32)}},
])
def test_a_header_does_not_choose_the_key(anonymous, claims, extra):
    refuse(anonymous, sign({**HEADER, **extra}, claims, b"0" * 32))


def test_critical_extensions_that_nobody_knows_are_refused(
        anonymous, claims, secret):
    header = {**HEADER, "crit": ["b64"], "b64": False}
    refuse(anonymous, sign(header, claims, secret))


def test_a_changed_payload_is_refused(anonymous, genuine, claims):
    header, _, signature = genuine.split(".")
    for change in ({"exp": claims["exp"] + 1}, {"role": "admin"},
                   {"username": "root"}):
        payload = encode(json.dumps({**claims, **change}).encode())
        refuse(anonymous, f"{header}.{payload}.{signature}")


def test_a_changed_signature_is_refused(anonymous, genuine):
    head, signature = genuine.rsplit(".", 1)
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for other in ("", flipped, signature[:-2], signature[:10], "AAAA",
                  signature + signature, signature.upper()):
        refuse(anonymous, f"{head}.{other}")


def test_a_token_has_three_parts(anonymous, genuine):
    header, payload, signature = genuine.split(".")
    for token in (header, f"{header}.{payload}", f"{header}.{payload}.",
                  f".{payload}.{signature}", f"{header}..{signature}",
                  "..", ".", f"{genuine}.{signature}", f"{genuine}.",
                  f"{header}.{payload}.{signature}.{signature}"):
        refuse(anonymous, token)


def test_parts_that_are_no_json_objects_are_refused(anonymous, claims, secret):
    for header in ("[]", "null", '"HS256"', "{", "", "\xff"):
        refuse(anonymous, sign(header, claims, secret))
    for payload in ("[]", "null", "1", "{", ""):
        refuse(anonymous, sign(HEADER, payload, secret))


def test_a_huge_token_is_refused(anonymous, claims, secret):
    token = sign(HEADER, {**claims, "x": "y" * 20000}, secret)
    answer = ask(anonymous, token)
    assert answer.status in (400, 401, 431), answer


def test_an_expired_token_is_called_expired(anonymous, claims, secret):
    past = {**claims, "iat": 1000, "nbf": 1000, "exp": int(time.time()) - 120}
    refuse(anonymous, sign(HEADER, past, secret), "TOKEN_EXPIRED")


def test_an_expired_token_with_a_wrong_signature_is_not(anonymous, claims):
    past = {**claims, "exp": int(time.time()) - 120}
    refuse(anonymous, sign(HEADER, past, b"x" * 32), "UNAUTHORIZED")


def test_a_token_without_an_end_is_refused(anonymous, claims, secret):
    del claims["exp"]
    refuse(anonymous, sign(HEADER, claims, secret))


FUTURE = int(time.time()) + 3600


@pytest.mark.parametrize("end", [
    str(FUTURE), FUTURE + 0.5, float(FUTURE), True, None, [FUTURE],
    {"exp": FUTURE}, "never", "",
])
def test_the_end_of_a_token_is_an_integer(anonymous, claims, secret, end):
    refuse(anonymous, sign(HEADER, {**claims, "exp": end}, secret))


@pytest.mark.parametrize("end", [
    "0", "-1", "18446744073709551616", "9223372036854775808", "1e99",
    "99999999999999999999999999",
])
def test_extreme_ends_do_not_last_for_ever(anonymous, claims, secret, end):
    claims["exp"] = "END"
    text = json.dumps(claims).replace('"END"', end)
    answer = ask(anonymous, sign(HEADER, text, secret))
    assert_error(answer, 401)


def test_an_end_given_twice_is_refused(anonymous, claims, secret):
    claims["exp"] = int(time.time()) - 120
    text = json.dumps(claims)[:-1] + ', "exp": %d}' % FUTURE
    refuse(anonymous, sign(HEADER, text, secret))


def test_a_token_of_the_future_is_refused(anonymous, claims, secret):
    for name in ("nbf", "iat"):
        future = {**claims, name: int(time.time()) + 600}
        refuse(anonymous, sign(HEADER, future, secret))


def test_clocks_may_differ_by_less_than_a_minute(anonymous, claims, secret):
    soon = {**claims, "nbf": int(time.time()) + 20}
    assert ask(anonymous, sign(HEADER, soon, secret)).status == 200


def test_a_token_of_a_key_that_never_was_is_refused(
        anonymous, claims, secret, service):
    text = json.dumps(claims)
    row = service.database().execute(
        "SELECT id FROM api_keys WHERE name NOT LIKE 'test-%'"
    ).fetchall()
    ids = [one[0] for one in row if one[0] in text]
    assert ids, "the token does not name its key: revoking cannot end it"
    forged = text.replace(ids[0], "0123456789ab")
    refuse(anonymous, sign(HEADER, forged, secret))


def test_a_viewers_token_with_a_better_role_is_no_better(
        anonymous, keys, secret):
    answer = anonymous.post("/auth/login", {"api_key": keys["viewer"][1]})
    claims = json.loads(decode(answer.json["token"].split(".")[1]))
    forged = sign(HEADER, {**claims, "role": "admin"}, b"x" * 32)
    answer = anonymous.with_token(forged).post("/deployments", {})
    assert_error(answer, 401, "UNAUTHORIZED")


def test_all_causes_have_one_message(anonymous, claims, secret, genuine):
    messages = {
        refuse(anonymous, token)["error"] for token in (
            "non.sen.se", genuine[:-3], sign(HEADER, claims, b"x" * 32),
            sign({"alg": "none"}, claims, secret),
            sign(HEADER, {**claims, "exp": "x"}, secret),
        )
    }
    assert len(messages) == 1, messages
