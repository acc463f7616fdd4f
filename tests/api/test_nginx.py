"""What nginx answers by itself: TLS, CORS, limits, malformed requests."""

import concurrent.futures
import contextlib
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from clients import assert_error, insecure_tls
from service import BINARIES, CONFIG_KEY, JWT_SECRET, ORIGIN


# TLS


def test_the_self_signed_certificate_is_served(service):
    context = insecure_tls()
    with socket.create_connection(("127.0.0.1", service.tls_port)) as plain:
        with context.wrap_socket(plain) as connection:
            assert connection.version() in ("TLSv1.2", "TLSv1.3")
            assert connection.getpeercert(binary_form=True)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(service):
    context = insecure_tls()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", service.tls_port)) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain)


def test_the_key_of_the_certificate_is_private(service):
    keys = []
    for where, _, files in os.walk(service.path("state")):
        for name in files:
            path = os.path.join(where, name)
            with open(path, "rb") as file:
                if b"PRIVATE KEY" in file.read(4096):
                    keys.append(path)
    assert keys, "no key of the self-signed certificate"
    for path in keys:
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_plain_http_to_the_tls_port_is_told_so(service, anonymous):
    with socket.create_connection(("127.0.0.1", service.tls_port)) as plain:
        plain.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = plain.recv(4096)
    assert b" 400 " in answer.splitlines()[0], answer


# Only the API


@pytest.mark.parametrize("target", [
    b"/", b"/index.html", b"/apix", b"/api.", b"/.git/config",
    b"/etc/passwd", b"/../etc/passwd", b"/api/../etc/passwd",
    b"/api/..%2f..%2fetc/passwd", b"//api/health",
])
def test_nothing_but_the_api_is_served(anonymous, target):
    answer = anonymous.raw_request(b"GET", target)
    assert answer.status in (400, 401, 404, 200), answer
    if target == b"//api/health":
        return
    assert_error(answer, answer.status)
    assert answer.status != 200


def test_the_neighbours_site_is_undisturbed(service):
    with socket.create_connection(
        ("127.0.0.1", service.neighbour_port)
    ) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"neighbour" in connection.recv(4096)


def test_the_version_of_nginx_is_not_told(anonymous):
    for answer in (anonymous.get("/health"), anonymous.get("/nothing")):
        assert not re.search(r"\d", answer.header("Server") or "")


# CORS


def preflight(client, origin, method="POST", headers="authorization"):
    return client.request("OPTIONS", "/deployments", headers={
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    })


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_preflight_of_a_listed_origin_is_allowed(anonymous, method):
    answer = preflight(anonymous, ORIGIN, method)
    assert answer.status == 204, answer
    assert answer.body == b""
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN
    assert answer.header("Access-Control-Allow-Credentials") == "true"
    assert method in answer.header("Access-Control-Allow-Methods")
    allowed = answer.header("Access-Control-Allow-Headers").lower()
    for header in ("authorization", "content-type", "x-requested-with",
                   "cache-control", "accept"):
        assert header in allowed
    assert "Origin" in answer.header("Vary")
    assert int(answer.header("Access-Control-Max-Age")) >= 3600


@pytest.mark.parametrize("origin", [
    "https://evil.example", "null", "http://panel.example",
    "https://panel.example.evil.example", "https://panel.example:8443",
    "https://evilpanel.example", "https://panelXexample",
    "https://PANEL.example.", "file://", "*", "",
])
def test_a_preflight_of_another_origin_is_not_allowed(anonymous, origin):
    answer = preflight(anonymous, origin)
    for name in ("Access-Control-Allow-Origin",
                 "Access-Control-Allow-Credentials"):
        assert answer.header(name) is None, answer.headers


def test_answers_name_the_listed_origin_only(api):
    answer = api.get("/deployments", headers={"Origin": ORIGIN})
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN
    assert answer.header("Access-Control-Allow-Credentials") == "true"
    assert "Origin" in answer.header("Vary")
    evil = {"Origin": "https://evil.example"}
    answer = api.get("/deployments", headers=evil)
    assert answer.status == 200
    assert answer.header("Access-Control-Allow-Origin") is None
    assert "Origin" in answer.header("Vary")


def test_errors_can_be_read_by_the_listed_origin(anonymous):
    answer = anonymous.get("/deployments", headers={"Origin": ORIGIN})
    assert_error(answer, 401)
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN
    answer = anonymous.post(
        "/deployments", body="x" * (3 * 1024 * 1024),
        headers={"Origin": ORIGIN, "Content-Type": "application/json"},
    )
    assert_error(answer, 413)
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN


def test_no_cookie_is_ever_set(api):
    for path in ("/deployments", "/health", "/nothing"):
        assert api.get(path).header("Set-Cookie") is None


# Sizes


def test_a_body_over_two_mebibytes_is_413(api):
    answer = api.post(
        "/deployments", body="x" * (2 * 1024 * 1024 + 1),
        headers={"Content-Type": "application/json"},
    )
    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")


def test_a_body_that_is_said_to_be_huge_is_413_at_once(api):
    answer = api.raw_request(b"POST", b"/api/deployments", [
        b"Content-Type: application/json", b"Content-Length: 100000000000",
    ])
    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")
    assert answer.seconds < 2


def test_a_chunked_body_over_the_limit_is_413(api):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(
        ("127.0.0.1", api.service.port), 15, (api.source, 0)
    ) as connection:
        connection.sendall(
            b"POST /api/deployments HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
            b"Authorization: Bearer " + api.token.encode() + b"\r\n\r\n"
        )
        try:
            for _ in range(64):
                connection.sendall(chunk)
        except OSError:
            pass
        head = connection.recv(4096)
    assert b" 413 " in head.splitlines()[0], head


def test_a_chunked_body_is_a_body(api):
    body = b'{"name": "Bad Name"}'
    answer = api.raw(
        b"POST /api/deployments HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n"
        b"Authorization: Bearer " + api.token.encode() + b"\r\n\r\n"
        + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    )
    assert_error(answer, 400, "INVALID_NAME")


def test_a_long_target_is_414(api):
    answer = api.raw_request(b"GET", b"/api/deployments?x=" + b"y" * 100000)
    assert_error(answer, 414, "URI_TOO_LONG")


def test_large_headers_are_refused(api):
    answer = api.raw_request(
        b"GET", b"/api/deployments", [b"X-Large: " + b"y" * 100000]
    )
    assert answer.status in (400, 431), answer
    assert_error(answer, answer.status, "HEADERS_TOO_LARGE")


# Malformed requests


@pytest.mark.parametrize("request_bytes", [
    b"NONSENSE\r\n\r\n",
    b"GET /api/health HTTP/1.1\r\n\r\n",
    b"GET /api/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /api/health HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /api/a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/health HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n"
    b"Content-Length: -1\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nhello",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: gzip\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
], ids=["line", "no host", "two hosts", "version", "nul", "length -1",
        "two lengths", "length and chunked", "gzip", "chunk", "length x"])
def test_malformed_http_is_refused_in_json(anonymous, request_bytes):
    answer = anonymous.raw(request_bytes)
    assert answer.status in (400, 404, 501, 505), answer
    assert answer.header("Content-Type").startswith("application/json"), answer
    assert answer.json["code"].isupper() and answer.json["error"]


def test_unknown_methods_are_refused_in_json(anonymous):
    for method in (b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"XYZZY"):
        answer = anonymous.raw_request(method, b"/api/deployments")
        assert answer.status in (400, 401, 405, 501), answer
        assert answer.header("Content-Type").startswith("application/json")


def test_the_method_cannot_be_overridden(api, deployments):
    name = deployments.create()
    answer = api.get(f"/deployments/{name}", headers={
        "X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE",
    })
    assert answer.status == 200, answer
    assert deployments.status(name) == "stopped"


def test_no_line_break_reaches_a_header(api):
    for target in (b"/api/deployments/a%0d%0aX-Evil:%20yes",
                   b"/api/jobs/x%0d%0aX-Evil:%20yes",
                   b"/api/deployments?status=x%0d%0aX-Evil:%20yes"):
        answer = api.raw_request(b"GET", target)
        assert answer.status in (400, 404), answer
        assert answer.header("X-Evil") is None


# Rates


def test_too_many_requests_are_429_with_a_time_to_come_back(api):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(
            lambda _: api.over_plain_http().get("/auth/status"), range(400)
        ))
    statuses = {answer.status for answer in answers}
    assert statuses == {200, 429}, statuses
    refused = [answer for answer in answers if answer.status == 429][0]
    assert_error(refused, 429, "RATE_LIMITED")
    assert int(refused.header("Retry-After")) >= 1


def test_another_address_is_not_limited_by_it(api, anonymous):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(
            lambda _: api.over_plain_http().get("/auth/status"), range(300)
        ))
    assert anonymous.from_address("127.9.9.8").get("/health").status == 200


def test_logins_have_a_stricter_limit(anonymous, service):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(
            lambda _: anonymous.post(
                "/auth/login", {"api_key": service.admin_key}), range(60)
        ))
    assert {answer.status for answer in answers} == {200, 429}
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 10
    assert_error(refused[0], 429, "RATE_LIMITED")
    assert int(refused[0].header("Retry-After")) >= 1


def test_a_forwarded_address_does_not_get_around_a_limit(anonymous):
    statuses = set()
    for number in range(14):
        answer = anonymous.post("/auth/login", {"api_key": "guess"}, headers={
            "X-Forwarded-For": f"10.0.0.{number}",
            "X-Real-IP": f"10.0.0.{number}",
            "CF-Connecting-IP": f"10.0.0.{number}",
            "Forwarded": f"for=10.0.0.{number}",
        })
        statuses.add(answer.status)
    assert statuses == {401, 429}


# Slow clients


def test_a_slow_client_is_cut_off_and_nobody_notices(service, anonymous):
    half = (b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 99\r\n")
    slow = [
        socket.create_connection(
            ("127.0.0.1", service.port), 5, ("127.9.1.1", 0))
        for _ in range(30)
    ]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(half + (b"\r\nx" if number % 2 else b""))
        assert anonymous.get("/health").seconds < 0.5
        end = time.monotonic() + 20
        for connection in slow:
            connection.settimeout(max(0.1, end - time.monotonic()))
            # The connection ends by itself, with or without an answer.
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    finally:
        for connection in slow:
            connection.close()


# Compression and caching


def test_a_long_list_is_compressed_when_asked(api, deployments):
    for _ in range(5):
        deployments.create()
    answer = api.get("/deployments", headers={"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip", answer.headers
    assert answer.body[:2] == b"\x1f\x8b"


# Configuration


def test_the_rendered_site_passes_nginx_and_is_rendered_again(service):
    again = service.path("nginx", "site-again.conf")
    service.render_site("site-again.conf")
    with open(again) as one, open(service.path("nginx", "site.conf")) as two:
        assert one.read() == two.read()
    subprocess.run(
        ["nginx", "-t", "-q", "-c", service.path("nginx", "nginx.conf")],
        check=True,
    )


def test_check_config_accepts_ours_and_names_line_and_key_of_a_bad_one(
        service):
    assert service.run_admin("check-config").returncode == 0
    with open(service.config) as config:
        lines = config.read().splitlines()
    number = next(
        i for i, line in enumerate(lines) if line.strip().startswith("port:")
    )
    lines[number] = "  port: 65536"
    bad = service.path("bad.yml")
    with open(bad, "w") as out:
        out.write("\n".join(lines) + "\n")
    result = subprocess.run(
        [os.path.join(BINARIES, "flatrun-admin"),
         "-c", bad, "check-config"],
        capture_output=True, text=True, env=service.environment(),
    )
    assert result.returncode != 0
    assert f"{bad}:{number + 1}: api.port:" in result.stderr + result.stdout


@pytest.mark.parametrize("change", [
    ("jwt_secret: {secret}", "jwt_secret: short"),
    ("jwt_secret: {secret}", "jwt_secret: default-secret-change-me"),
    ("jwt_secret: {secret}", "jwt_secret: {key}"),
    ("deployments_path: ", "deployments_path: relative/"),
    ("api_keys: [\"{key}\"]", "api_keys: [short]"),
])
def test_weak_secrets_and_wrong_values_are_refused(service, change):
    old, new = (
        part.replace("{secret}", JWT_SECRET).replace("{key}", CONFIG_KEY)
        for part in change
    )
    with open(service.config) as config:
        text = config.read()
    assert old in text
    bad = service.path("weak.yml")
    with open(bad, "w") as out:
        out.write(text.replace(old, new))
    os.chmod(bad, 0o600)
    for program in ("flatrun-admin", "flatrun-agent", "flatrun-fcgi"):
        arguments = ["check-config"] if program == "flatrun-admin" else []
        result = subprocess.run(
            [os.path.join(BINARIES, program),
             "-c", bad, *arguments],
            capture_output=True, text=True, timeout=20,
            env=service.environment(), stdin=subprocess.DEVNULL,
        )
        assert result.returncode != 0, program
        assert JWT_SECRET not in result.stderr + result.stdout
        assert CONFIG_KEY not in result.stderr + result.stdout
