"""Clients of the API: one that speaks HTTP, one that sends what it is told."""

import contextlib
import http.client
import itertools
import json
import socket
import ssl
import time


class Response:
    """An answer; printed in full when an assertion about it fails."""

    def __init__(self, status, headers, body, seconds):
        self.status = status
        self.headers = headers
        self.body = body
        self.seconds = seconds

    def header(self, name):
        return self.headers.get(name.lower())

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return read_json(self.text)

    def __repr__(self):
        return f"{self.status} in {self.seconds:.2f} s: {self.body[:2000]!r}"


def read_json(text):
    """Strict JSON: no NaN, and no object says one thing twice."""

    def refuse_constant(word):
        raise ValueError(f"{word} is no JSON")

    def refuse_duplicates(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), f"duplicate keys in {names}"
        return dict(pairs)

    return json.loads(
        text,
        parse_constant=refuse_constant,
        object_pairs_hook=refuse_duplicates,
    )


def insecure_tls():
    """The certificate is self-signed until somebody sets a real one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """Speaks to the service from one address, as one user."""

    def __init__(self, service, token=None, source="127.0.0.1", tls=True):
        self.service = service
        self.token = token
        self.source = source
        self.tls = tls

    def with_token(self, token):
        return Client(self.service, token, self.source, self.tls)

    def from_address(self, source):
        return Client(self.service, self.token, source, self.tls)

    def over_plain_http(self):
        return Client(self.service, self.token, self.source, tls=False)

    def connect(self, timeout=90):
        if self.tls:
            return http.client.HTTPSConnection(
                "127.0.0.1",
                self.service.tls_port,
                timeout=timeout,
                source_address=(self.source, 0),
                context=insecure_tls(),
            )
        return http.client.HTTPConnection(
            "127.0.0.1",
            self.service.port,
            timeout=timeout,
            source_address=(self.source, 0),
        )

    def open(self, method, path, content=None, body=None, headers=None,
             timeout=90):
        """Sends a request; returns the connection and the answer's head."""
        sent = {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if content is not None:
            body = json.dumps(content)
            sent["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode()
        for name, value in (headers or {}).items():
            sent[name] = value
        connection = self.connect(timeout)
        connection.request(method, "/api" + path, body, {
            name: value for name, value in sent.items() if value is not None
        })
        return connection, connection.getresponse()

    def request(self, method, path, *arguments, **options):
        started = time.monotonic()
        connection, answer = self.open(method, path, *arguments, **options)
        try:
            body = answer.read()
        finally:
            connection.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Response(
            answer.status, headers, body, time.monotonic() - started
        )

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, content=None, **options):
        return self.request("POST", path, content, **options)

    def put(self, path, content=None, **options):
        return self.request("PUT", path, content, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def raw(self, data, timeout=15):
        """Sends bytes over plain HTTP and reads until the end."""
        started = time.monotonic()
        with socket.create_connection(
            ("127.0.0.1", self.service.port),
            timeout,
            source_address=(self.source, 0),
        ) as connection:
            connection.sendall(data)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Response(
            answer.status, headers, body, time.monotonic() - started
        )

    def raw_request(self, method, target, headers=(), body=b""):
        """Sends a request whose target and headers are bytes, unchanged."""
        lines = [
            method + b" " + target + b" HTTP/1.1",
            b"Host: 127.0.0.1:%d" % self.service.port,
            b"Connection: close",
        ]
        if self.token is not None:
            lines.append(b"Authorization: Bearer " + self.token.encode())
        lines.extend(headers)
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        return self.raw(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    @contextlib.contextmanager
    def follow(self, path, timeout=30, headers=None):
        """(event, data) of each server-sent event, as they come."""
        connection, answer = self.open(
            "GET", path, timeout=timeout, headers=headers
        )
        try:
            assert answer.status == 200, answer.read()
            kind = answer.getheader("Content-Type")
            assert kind.startswith("text/event-stream"), kind
            yield read_events(answer)
        finally:
            # Else the end of the answer would be waited for.
            connection.sock.shutdown(socket.SHUT_RDWR)
            answer.close()
            connection.close()

    def events(self, path, wanted, **options):
        """The first events of a stream."""
        with self.follow(path, **options) as events:
            return list(itertools.islice(events, wanted))


def read_events(answer):
    name, data = "message", []
    while line := answer.readline():
        line = line.decode("utf-8").rstrip("\r\n")
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line == "" and data:
            yield name, "\n".join(data)
            name, data = "message", []


def wait_until(condition, timeout=10, step=0.05, what="the condition"):
    """What condition() gives once it is true; fails after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} was not met in {timeout} s")
        time.sleep(step)


def assert_error(answer, status, code=None, field=None):
    """The one shape of errors, which tells nothing about the host."""
    assert answer.status == status, answer
    assert answer.header("Content-Type").startswith("application/json"), (
        answer.headers
    )
    body = answer.json
    assert isinstance(body["error"], str) and body["error"], answer
    assert body["code"].isupper(), answer
    assert body["request_id"] == answer.header("X-Request-Id"), answer
    if code is not None:
        assert body["code"] == code, answer
    if field is not None:
        assert body["field"] == field, answer
    assert "/tmp/" not in answer.text and "errno" not in answer.text, answer
    return body
