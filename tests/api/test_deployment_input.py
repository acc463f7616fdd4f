"""Bad input for every field of the endpoints of deployments."""

import os

import pytest

from clients import assert_error
from conftest import one_service

BAD_NAMES = [
    "", ".", "..", "../x", "a/b", "/etc", "a\\b", "-x", "_x", "A", "ümlaut",
    "a b", "a.b", "a" * 64, "x;id", "x$(id)", "x`id`", "x|id", "x\nid",
    "x\r\nHost: y", "x\0y", "%2e%2e", "..%2fx", "x'", 'x"', "{x}", "x*",
    ".flatrun", "\u202ex", "x\u200b",
]
WRONG_FOR_A_STRING = [5, 1.5, True, None, [], {}, ["x"]]


def everything_beneath(directory):
    return sorted(
        os.path.join(where, name)
        for where, directories, files in os.walk(directory)
        for name in directories + files
        if "/trash/" not in where
    )


@pytest.fixture
def untouched(service):
    """Refused requests leave no trace on disk and no job."""
    def trace():
        jobs = service.database().execute(
            "SELECT count(*) FROM jobs").fetchone()
        return everything_beneath(service.path("deployments")), jobs

    before = trace()
    yield
    assert trace() == before


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused(api, untouched, name):
    answer = api.post("/deployments", {
        "name": name, "compose_content": one_service(),
    })
    # No text may hold a NUL: that is refused before it is a name.
    if "\0" in name:
        assert_error(answer, 400)
    else:
        assert_error(answer, 400, "INVALID_NAME" if name else None, "name")


@pytest.mark.parametrize("name", ["a", "0", "a-b_c9", "a" * 63])
def test_a_good_name_is_accepted(api, deployments, name):
    deployments.create(name=name)


@pytest.mark.parametrize("field, values", [
    ("name", WRONG_FOR_A_STRING),
    ("compose_content", [5, True, [], {}]),
    ("image", [5, True, [], {}]),
    ("template_id", [5, True, [], {}]),
    ("auto_start", ["yes", "true", 1, 0, [], {}]),
    ("map_ports", ["yes", 1, [], {}]),
    ("env_vars", ["x", 5, True, {}, [5], ["A=b"], [[]]]),
    ("metadata", ["x", 5, True, []]),
    ("container_port", ["x", "80", 1.5, True, [], {}, 0, -1, 65536,
                        2**31, 2**32 + 80, 2**62]),
    ("ports", ["x", 5, {}, [5], ["80"], [{"container": "80"}],
               [{"container": 0}], [{"container": 65536}],
               [{"container": 80, "host": 8080.5}]]),
])
def test_a_wrong_type_or_range_names_the_field(api, untouched, field, values):
    for value in values:
        content = {
            "name": "wrong-type", "image": "test/web:1", "map_ports": True,
        }
        if field == "compose_content":
            content = {"name": "wrong-type"}
        content[field] = value
        answer = api.post("/deployments", content)
        body = assert_error(answer, 400)
        assert body["field"].startswith(field), (value, answer)


def test_a_number_that_no_integer_holds_is_refused(api, untouched):
    answer = api.post("/deployments", {
        "name": "huge", "image": "test/web:1", "container_port": 2**64 + 80,
    })
    assert_error(answer, 400)


@pytest.mark.parametrize("host", [
    "x", "0", "-1", "65536", "80;id", " 80", "8080\n", "4294967376", "1e3",
])
def test_a_host_port_is_a_port(api, untouched, host):
    for content in (
        {"container_port": 80, "host_port": host},
        {"ports": [{"container": 80, "host": host}]},
    ):
        answer = api.post("/deployments", {
            "name": "bad-port", "image": "test/web:1", "map_ports": True,
            **content,
        })
        assert_error(answer, 400)


@pytest.mark.parametrize("image", [
    " ", "-x", "--privileged", "a b", "a\nb", "a;b", "$(id)", "UPPER/Case",
    "a//b", "a:b:c", "a@sha256:12", "x" * 256, "a\0b", "/a", "a/", ":tag",
    "a:", "a:" + "t" * 129, "http://a/b", "../a",
])
def test_a_bad_image_is_refused(api, untouched, image):
    answer = api.post("/deployments", {
        "name": "bad-image", "image": image, "container_port": 80,
    })
    assert_error(answer, 400, field=None if "\0" in image else "image")


@pytest.mark.parametrize("entry", [
    {}, {"value": "x"}, {"key": "", "value": "x"},
    {"key": "1A", "value": "x"}, {"key": "A B", "value": "x"},
    {"key": "A=B", "value": "x"}, {"key": "A\n", "value": "x"},
    {"key": "a-b", "value": "x"}, {"key": "A" * 129, "value": "x"},
    {"key": "ä", "value": "x"}, {"key": "A\0", "value": "x"},
    {"key": "A", "value": "x\ny"}, {"key": "A", "value": "x\ry"},
    {"key": "A", "value": "x\0y"}, {"key": "A", "value": 5},
    {"key": None, "value": "x"}, {"key": 5, "value": "x"},
    {"key": "A", "value": "x" * 70000},
])
def test_a_bad_environment_variable_is_refused(api, untouched, entry):
    answer = api.post("/deployments", {
        "name": "bad-env", "compose_content": one_service(),
        "env_vars": [entry],
    })
    body = assert_error(answer, 400)
    if not any("\0" in str(text) for text in entry.values()):
        assert body["field"].startswith("env_vars"), answer


def test_an_environment_variable_may_be_empty(api, deployments):
    name = deployments.create(env_vars=[{"key": "A", "value": ""}])
    path = os.path.join(deployments.directory(name), ".env.flatrun")
    with open(path) as file:
        assert file.read() == "A=\n"


def test_too_many_environment_variables_are_refused(api, untouched):
    answer = api.post("/deployments", {
        "name": "many-env", "compose_content": one_service(),
        "env_vars": [
            {"key": f"A{i}", "value": "x"} for i in range(20000)
        ],
    })
    assert answer.status in (400, 413), answer
    assert_error(answer, answer.status)


def test_something_to_run_has_to_be_named(api, untouched):
    answer = api.post("/deployments", {"name": "nothing-to-run"})
    assert_error(answer, 400, field="compose_content")


def test_unknown_members_are_ignored_and_not_stored(api, deployments, service):
    name = deployments.create(colour="mauve-4711", nested={"deep": [1, 2]})
    answer = api.get(f"/deployments/{name}")
    assert "mauve-4711" not in answer.text
    for where, _, files in os.walk(deployments.directory(name)):
        for file in files:
            with open(os.path.join(where, file)) as text:
                assert "mauve-4711" not in text.read()


@pytest.mark.parametrize("body, code", [
    ('{"name": "a", "name": "b"}', "DUPLICATE_KEY"),
    ('{"name": "a", "metadata": {"type": "x", "type": "y"}}', "DUPLICATE_KEY"),
    (b'{"name": "a", "compose_content": "\xff\xfe"}', "INVALID_JSON"),
    ('{"name": "a", "x": ' + '{"a":' * 33 + "1" + "}" * 33 + "}",
     "INVALID_JSON"),
    ('{"name": "a"} x', "INVALID_JSON"),
    ("[]", None), ("null", None), ("5", None), ("", None), (" ", None),
])
def test_a_body_has_to_be_one_sound_object(api, untouched, body, code):
    answer = api.post(
        "/deployments", body=body, headers={"Content-Type": "application/json"}
    )
    assert_error(answer, 400, code)
    assert answer.seconds < 1


@pytest.mark.parametrize("text", [
    "services: [", "services:\n\tapp: x\n", "a: b: c", "\"unclosed",
    "services: {app: {image: test/web:1}}\nservices: {}\n",
    "services: {app: {image: test/web:1, image: test/web:2}}",
    "services: {app: {image: test/web:1}}\n---\nservices: {}\n",
    "%TAG ! tag:x,2000:\n---\nservices: {app: !x {image: test/web:1}}",
    "services: {app: !!python/object:os.system {image: test/web:1}}",
    "services: &a {app: *a}",
    "\ufeffservices: {app: {image: test/web:1}}",
    "services: {}", "services:", "{}", "[]", "text", "5", "null", "#only",
    "version: '3'", "services: []", "services: x", "services: {app: x}",
    "services: {app: {}}", "services: {app: {image: ''}}",
    "services: {app: {image: [x]}}", "services: {App Upper: {image: x}}",
    "services: {app: {image: test/web:1, imagee: x}}",
    "services: {app: {image: test/web:1, prvileged: true}}",
    "services: {app: {image: test/web:1, ports: {a: b}}}",
    "services: {1: {image: test/web:1}, [x]: {image: x}}",
    "unknown_top: {}\nservices: {app: {image: test/web:1}}",
    "services: {app: {image: '${UNCLOSED'}}",
    "services: {app: {image: '${MISSING?is needed}'}}",
])
def test_a_bad_compose_file_is_refused(api, untouched, text):
    answer = api.post("/deployments", {
        "name": "bad-compose", "compose_content": text,
    })
    assert_error(answer, 400, "INVALID_COMPOSE", "compose_content")


def test_a_mistake_in_a_compose_file_is_located(api, untouched):
    answer = api.post("/deployments", {
        "name": "located",
        "compose_content": "services:\n  app:\n    image: test/web:1\n"
                           "    imagee: x\n",
    })
    body = assert_error(answer, 400, "INVALID_COMPOSE")
    assert "line 4" in body["error"] and "column 5" in body["error"], answer


LAUGHS = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{i}: &x{i} [" + ", ".join([f"*x{i - 1}"] * 10) + "]\n"
    for i in range(1, 10)
) + "services: {app: {image: test/web:1}}\n"


@pytest.mark.parametrize("text", [
    "[" * 20000,
    "[" * 200000,
    "services: " + "{a: " * 100 + "1" + "}" * 100,
    LAUGHS,
    "services:\n" + "".join(
        f"  s{i}: {{image: test/web:1}}\n" for i in range(12000)
    ),
    "services: {app: {image: test/web:1, labels: {x: '" + "y" * 70000 + "'}}}",
    "- " * 5000,
    "? " * 5000,
], ids=["flow", "long flow", "nesting", "laughs", "nodes", "scalar",
        "sequence", "keys"])
def test_a_yaml_bomb_is_refused_within_a_second(api, untouched, text):
    answer = api.post("/deployments", {
        "name": "bomb", "compose_content": text,
    })
    assert answer.status in (400, 413), answer
    assert_error(answer, answer.status)
    assert answer.seconds < 1.5


def test_a_compose_file_over_a_mebibyte_is_refused(api, untouched):
    answer = api.post("/deployments", {
        "name": "large",
        "compose_content": one_service() + "# " + "x" * (1024 * 1024),
    })
    assert answer.status in (400, 413), answer
    assert_error(answer, answer.status)


BAD_SEGMENTS = [
    b"..", b"%2e%2e", b"%2E%2e%2f", b"..%2fetc", b"%252e%252e", b"a%00b",
    b"a%0d%0ab", b"a%20b", b"A", b"a.b", b"-a", b"%c0%ae%c0%ae", b"a%5cb",
    b"%ff", b"a;b", b"a" * 64, b"%", b"%z", b"%2", b"a'b", b"a%22b",
    b".flatrun", b"%2eflatrun", b"..;",
]


@pytest.mark.parametrize("segment", BAD_SEGMENTS)
@pytest.mark.parametrize("method, rest", [
    (b"GET", b""), (b"GET", b"/compose"), (b"GET", b"/logs"),
    (b"GET", b"/stats"), (b"GET", b"/jobs/active"), (b"POST", b"/start"),
    (b"POST", b"/stop"), (b"POST", b"/restart"), (b"DELETE", b""),
])
def test_a_bad_name_in_a_path_touches_nothing(
        api, untouched, segment, method, rest):
    answer = api.raw_request(
        method, b"/api/deployments/" + segment + rest,
        [b"Content-Length: 0"] if method == b"POST" else [],
    )
    assert answer.status in (400, 404, 405), answer
    assert_error(answer, answer.status)


def test_a_name_is_decoded_once(api, deployments):
    name = deployments.create()
    encoded = b"".join(b"%%%02x" % byte for byte in name.encode())
    answer = api.raw_request(b"GET", b"/api/deployments/" + encoded)
    assert answer.status == 200, answer
    twice = encoded.replace(b"%", b"%25")
    answer = api.raw_request(b"GET", b"/api/deployments/" + twice)
    assert answer.status in (400, 404), answer


@pytest.mark.parametrize("job", [
    "x", "0", "..", "%2e%2e", "0123456789ABCDEF0123", "0" * 21, "a%00b", "*",
    "0123456789abcdef012'", "-1",
])
def test_a_bad_job_id_is_refused(api, deployments, job):
    name = deployments.create()
    for path in (f"/jobs/{job}", f"/deployments/{name}/jobs/{job}"):
        answer = api.get(path)
        assert answer.status in (400, 404), answer
        assert_error(answer, answer.status)
