"""The whole way once with each Compose program."""

from clients import assert_error, wait_until
from conftest import one_service


def test_a_deployment_lives_and_dies(
        compose_program, api, deployments, engine, registry):
    name = deployments.create(
        "services:\n"
        "  app:\n"
        "    image: test/web:1\n"
        "    ports: ['127.0.0.1::80']\n"
        "    volumes: ['data:/data']\n"
        "    environment: {PRICE: '$$5'}\n"
        "    depends_on: [side]\n"
        "  side: {image: test/talker:1}\n"
        "volumes: {data: {}}\n",
        start=True,
    )
    assert engine.states(name) == ["running", "running"]
    assert deployments.status(name) == "running"

    answer = api.post(f"/deployments/{name}/restart")
    assert answer.status == 200, answer
    assert engine.states(name) == ["running", "running"]
    wait_until(
        lambda: "out: " in api.get(f"/deployments/{name}/logs").json["logs"],
        5,
    )

    answer = api.put(f"/deployments/{name}", {
        "compose_content": one_service("test/web:2"), "apply": True,
    })
    assert answer.status == 200, answer
    assert [one["Image"] for one in engine.containers(name)] == ["test/web:2"]

    answer = api.post(f"/deployments/{name}/stop")
    assert answer.status == 200, answer
    assert deployments.status(name) == "stopped"
    answer = api.post(
        f"/deployments/{name}/start",
        {"force_recreate": True, "no_cache": True},
    )
    assert answer.status == 200, answer
    answer = api.delete(f"/deployments/{name}")
    assert answer.status == 200, answer
    assert engine.containers(name) == []


def test_what_goes_wrong_has_the_same_names(
        compose_program, api, deployments, engine, registry, service):
    taken = (
        "services:\n  app:\n    image: test/web:1\n"
        f"    ports: ['127.0.0.1:{service.port}:80']\n"
    )
    missing = one_service(f"127.0.0.1:{registry.port}/team/missing:1")
    unreachable = one_service("127.0.0.1:1/none/web:1")
    for compose, status, code in (
        (taken, 409, "PORT_IN_USE"),
        (missing, 502, "IMAGE_NOT_FOUND"),
        (unreachable, 502, "REGISTRY_UNAVAILABLE"),
    ):
        name = deployments.create(compose)
        answer = api.post(f"/deployments/{name}/start")
        assert_error(answer, status, code)
        assert answer.json["output"]


def test_a_pull_is_done(compose_program, api, deployments, engine, registry):
    engine.run("rmi", "-f", registry.image, check=False)
    name = deployments.create(one_service(registry.image))
    answer = api.post(f"/deployments/{name}/start", {"fresh_pull": True})
    assert answer.status == 200, answer
    assert engine.states(name) == ["running"]
