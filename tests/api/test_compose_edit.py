"""Edits of Compose texts that keep what they are not about."""

from clients import assert_error
from conftest import one_service

TWO = """\
# The shop, by hand.
services:
  web:   # what people see
    image:   "test/web:1"   # pinned
    ports:
      - "8080:80" # for nginx

  # Does the work.
  worker:
    image: test/web:1
x-notes: [ keep, me ]
"""


def content(api, name):
    return api.get(f"/deployments/{name}/compose").json["content"]


def update(api, text, **more):
    answer = api.post("/compose/update", {"content": text, **more})
    assert answer.status == 200, answer
    return answer.json["content"]


def test_an_image_changes_and_nothing_else(api, deployments):
    name = deployments.create(TWO)
    before = content(api, name)
    assert before.count("container_name:") == 2
    answer = api.put(
        f"/deployments/{name}/services/web/image",
        {"image": "test/web:2", "reason": "newer"},
    )
    assert answer.status == 200, answer
    assert answer.json["message"] == "Image set"
    assert answer.json["action"] == "set_image"
    assert content(api, name) == before.replace(
        '"test/web:1"   # pinned', "test/web:2   # pinned"
    )


def test_an_image_is_applied_to_its_service_alone(api, deployments, engine):
    name = deployments.create(TWO.replace('"8080:80"', '"80"'), start=True)
    before = {one["Service"]: one["Id"] for one in services(engine, name)}
    answer = api.put(
        f"/deployments/{name}/services/worker/image",
        {"image": "test/web:2", "apply": True, "settle_seconds": 0},
    )
    assert answer.status == 200, answer
    assert answer.json["applied"] is True
    after = {one["Service"]: one for one in services(engine, name)}
    assert after["web"]["Id"] == before["web"]
    assert after["worker"]["Id"] != before["worker"]
    assert after["worker"]["Image"] == "test/web:2"


def services(engine, name):
    return [
        {
            "Id": one["Id"],
            "Image": one["Image"],
            "Service": one["Labels"]["com.docker.compose.service"],
        }
        for one in engine.containers(name)
    ]


def test_an_image_that_cannot_be_set_changes_nothing(api, deployments):
    aliased = (
        "x-app: &app\n  image: test/web:1\nservices:\n  web: *app\n"
    )
    name = deployments.create(aliased)
    path = f"/deployments/{name}/services"
    before = content(api, name)
    assert_error(
        api.put(f"{path}/web/image", {"image": "test/web:2"}),
        409, "EDIT_NOT_POSSIBLE",
    )
    assert_error(
        api.put(f"{path}/nobody/image", {"image": "test/web:2"}),
        404, "SERVICE_NOT_FOUND",
    )
    assert_error(
        api.put(f"{path}/web/image", {"image": "test web"}),
        400, "INVALID_IMAGE", "image",
    )
    assert_error(
        api.put(f"{path}/web/image", {}), 400, "INVALID_IMAGE", "image"
    )
    assert_error(
        api.put("/deployments/nobody/services/web/image",
                {"image": "test/web:2"}),
        404, "DEPLOYMENT_NOT_FOUND",
    )
    assert content(api, name) == before


def test_ports_of_the_primary_service_are_rewritten(api):
    text = update(api, TWO, ports=[
        {"container_port": 80, "host_port": "9090"},
        {"container_port": 81, "host_port": ""},
        {"container_port": 82},
    ])
    assert text == TWO.replace(
        '      - "8080:80" # for nginx\n',
        '      - "9090:80"\n    expose:\n      - "81"\n      - "82"\n',
    )
    assert update(api, text, ports=[{"container_port": 82}]) == TWO.replace(
        '    ports:\n      - "8080:80" # for nginx\n',
        '    expose:\n      - "82"\n',
    )


def test_nothing_asked_is_nothing_changed(api):
    assert update(api, TWO) == TWO
    assert update(api, TWO, ports=[], mounts=[], database={}) == TWO


def test_mounts_are_switched_on_off_and_over(api):
    text = one_service(volumes='["./data:/data:ro", "./logs:/logs"]')
    assert update(api, text, mounts=[
        {"id": "data", "enabled": True, "type": "volume"},
        {"id": "logs", "enabled": False, "type": "file"},
        {"id": "more", "enabled": True, "type": "file",
         "container_path": "/more"},
        {"id": "unknown", "enabled": True, "type": "file"},
    ]) == (
        "services:\n  app:\n    image: test/web:1\n    volumes:\n"
        "      - data:/data:ro\n      - \"./more:/more\"\n"
        "volumes:\n  data:\n"
    )


def test_a_database_is_added_and_runs_with_its_password(api, deployments):
    database = {
        "type": "postgresql", "mode": "create", "name": "shop",
        "user": "shop", "password": "a$b\"c: #d",
    }
    text = update(api, TWO, database=database)
    assert text.startswith(TWO[:TWO.index("\n  # Does")])
    assert '"a$$b\\"c: #d"' in text
    assert "image: postgres:15" in text
    assert "\nvolumes:\n  db_data:\nnetworks:\n  database:\n" in text
    assert text.count("- database\n") == 2 and text.count("- default\n") == 1
    # It is a document that the service accepts, and stays as it is.
    name = deployments.create(text)
    services = api.get(f"/deployments/{name}").json["deployment"]["services"]
    assert [one["name"] for one in services] == ["web", "worker", "db"]
    assert services[0]["is_primary"]
    assert update(api, text, database=database) == text


def test_other_ways_to_a_database_add_nothing(api):
    for mode in ("existing", "external", "shared", "none"):
        assert update(
            api, TWO, database={"type": "mysql", "mode": mode}
        ) == TWO
    for broken, field in (
        ({"type": "oracle", "mode": "create"}, "type"),
        ({"mode": "create"}, "database.type"),
        ({"type": "postgres", "mode": "create"}, "database.password"),
        ({"type": "mysql", "mode": "whatever"}, "mode"),
    ):
        answer = api.post(
            "/compose/update", {"content": TWO, "database": broken}
        )
        assert_error(answer, 400, "INVALID_REQUEST", field)


def test_a_text_that_is_none_is_refused(api, viewer):
    for text in ("services:\n\tapp:\n", "services: {}\n", "a: *b\n"):
        answer = api.post(
            "/compose/update",
            {"content": text, "ports": [{"container_port": 80}]},
        )
        assert_error(answer, 400, "INVALID_COMPOSE")
    assert_error(
        api.post("/compose/update", {
            "content": TWO,
            "ports": [{"container_port": 80, "host_port": "99999"}],
        }), 400, "INVALID_PORT",
    )
    assert_error(
        viewer.post("/compose/update", {"content": TWO}), 403, "FORBIDDEN"
    )


def test_mounts_are_added_and_removed(api, deployments, engine):
    name = deployments.create(TWO.replace('"8080:80"', '"80"'), start=True)
    before, ids = content(api, name), {
        one["Service"]: one["Id"] for one in services(engine, name)
    }
    path = f"/deployments/{name}/compose"
    body = {
        "id": "data", "type": "volume", "container_path": "/data",
        "service": "worker", "read_only": True, "apply": True,
        "settle_seconds": 0,
    }
    answer = api.post(f"{path}/mount", body)
    assert answer.status == 200, answer
    assert answer.json["message"] == "Mount added"
    assert content(api, name) == before.replace(
        "x-notes:",
        "    volumes:\n      - data:/data:ro\nx-notes:",
    ) + "volumes:\n  data:\n"
    after = {one["Service"]: one["Id"] for one in services(engine, name)}
    assert after["web"] == ids["web"]
    assert after["worker"] != ids["worker"]
    [mounts] = [
        one["Mounts"] for one in engine.containers(name)
        if one["Id"] == after["worker"]
    ]
    assert [(one["Destination"], one["RW"]) for one in mounts] == [
        ("/data", False)]
    assert_error(api.post(f"{path}/mount", body), 409, "ALREADY_MOUNTED")
    answer = api.post(
        f"{path}/unmount", {"service": "worker", "container_path": "/data"}
    )
    assert answer.status == 200, answer
    assert answer.json["needs_apply"] is True
    assert content(api, name) == before + "volumes:\n  data:\n"
    assert_error(api.post(
        f"{path}/unmount", {"container_path": "/data"}
    ), 404, "MOUNT_NOT_FOUND")
    for broken, field in (
        ({"id": "data", "container_path": "data"}, "container_path"),
        ({"id": "../x", "container_path": "/data"}, "id"),
        ({"container_path": "/data"}, "id"),
    ):
        assert_error(
            api.post(f"{path}/mount", broken), 400, "INVALID_REQUEST", field
        )
    engine.run("rm", "-f", *[one["Id"] for one in services(engine, name)])
    engine.run("volume", "rm", f"{name}_data")
