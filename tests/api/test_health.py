"""What anybody may ask: is it up, is it set up, is there a login."""

import re


def test_health_is_public_and_says_healthy(anonymous):
    answer = anonymous.get("/health")
    assert answer.status == 200, answer
    assert answer.json["status"] == "healthy"
    assert answer.json["agent"] == "flatrun"


def test_health_has_the_version_as_an_object_with_a_plain_version(anonymous):
    version = anonymous.get("/health").json["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version["version"])
    numbers = tuple(int(part) for part in version["version"].split("."))
    assert (0, 1, 4) <= numbers < (1, 0, 0)


def test_health_tells_no_paths_and_counts(anonymous, service):
    answer = anonymous.get("/health")
    assert service.directory not in answer.text
    assert "deployments_path" not in answer.text
    assert "total_deployments" not in answer.text


def test_health_answers_a_client_with_a_bad_token_too(anonymous):
    assert anonymous.with_token("nonsense").get("/health").status == 200


def test_health_is_never_cached(anonymous):
    assert "no-store" in anonymous.get("/health").header("Cache-Control")


def test_health_is_fast(anonymous):
    assert min(anonymous.get("/health").seconds for _ in range(5)) < 0.05


def test_setup_status_is_public_and_initialized(anonymous):
    answer = anonymous.get("/setup/status")
    assert answer.status == 200, answer
    assert answer.json["initialized"] is True


def test_auth_status_is_public_and_enabled(anonymous):
    answer = anonymous.get("/auth/status")
    assert answer.status == 200, answer
    assert answer.json["enabled"] is True
    assert answer.json["data"]["enabled"] is True


def test_the_plain_and_the_tls_port_serve_the_same(anonymous):
    plain = anonymous.over_plain_http().get("/health")
    assert plain.status == 200, plain
    assert plain.json["version"] == anonymous.get("/health").json["version"]
