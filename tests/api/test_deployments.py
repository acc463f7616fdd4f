"""The main job: create, look, start, stop, restart, update, delete."""

import concurrent.futures
import os
import re
import stat
import time

import pytest

from clients import assert_error, wait_until
from conftest import STUBBORN, one_service
from engine import free_port

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def find(answer, name):
    found = [one for one in answer.json["deployments"] if one["name"] == name]
    return found[0] if found else None


# Creating


def test_create_writes_the_files_and_starts_nothing(api, deployments, engine):
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name,
        "compose_content": one_service() + "# a remark\n",
        "env_vars": [{"key": "GREETING", "value": "a b=c"}],
    })
    assert answer.status == 201, answer
    body = answer.json
    assert body["message"] == "Deployment created"
    assert body["name"] == name
    assert body["auto_started"] is False
    assert body["start_output"] == "" and body["start_error"] == ""
    assert body["proxy_result"] is None
    assert body["data"]["name"] == name
    assert body["status"] == "succeeded" and body["job_id"]

    directory = deployments.directory(name)
    with open(os.path.join(directory, "docker-compose.yml")) as compose:
        text = compose.read()
    assert "image: test/web:1" in text and "# a remark" in text
    environment = os.path.join(directory, ".env.flatrun")
    with open(environment) as file:
        assert file.read() == "GREETING=a b=c\n"
    assert stat.S_IMODE(os.stat(environment).st_mode) == 0o600
    assert os.path.exists(os.path.join(directory, "service.yml"))
    assert engine.containers(name) == []


def test_create_shows_at_once_in_list_and_detail(api, deployments):
    name = deployments.create()
    assert find(api.get("/deployments"), name)["status"] == "stopped"
    assert deployments.status(name) == "stopped"


def test_create_with_auto_start_runs_it(api, deployments, engine):
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name, "compose_content": one_service(), "auto_start": True,
    })
    assert answer.status == 201, answer
    assert answer.json["auto_started"] is True
    assert answer.json["start_error"] == ""
    assert engine.states(name) == ["running"]
    # A read after a write sees the write.
    assert find(api.get("/deployments"), name)["status"] == "running"


def test_the_container_has_the_deployments_name(deployments, engine):
    name = deployments.create(
        "services:\n"
        "  app: {image: test/web:1}\n"
        "  side:\n"
        "    image: test/web:1\n",
        start=True,
    )
    names = sorted(one["Names"][0] for one in engine.containers(name))
    assert len(names) == 2, names
    assert all(name in one for one in names)


def test_create_from_an_image_publishes_its_ports(api, deployments, service):
    name = deployments.name()
    port = free_port()
    answer = api.post("/deployments", {
        "name": name, "image": "test/web:1", "map_ports": True,
        "container_port": 80, "host_port": str(port), "auto_start": True,
    })
    assert answer.status == 201, answer
    assert answer.json["start_error"] == ""
    wait_until(lambda: service.is_listening(port), 5)
    compose = api.get(f"/deployments/{name}/compose").json["content"]
    assert "test/web:1" in compose and str(port) in compose


def test_create_from_an_image_with_several_ports(api, deployments):
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name, "image": "test/web:1",
        "ports": [{"container": 80, "host": ""}, {"container_port": 81}],
    })
    assert answer.status == 201, answer
    compose = api.get(f"/deployments/{name}/compose").json["content"]
    assert "80" in compose and "81" in compose


def test_create_of_an_existing_name_is_409_and_changes_nothing(
        api, deployments):
    name = deployments.create(one_service() + "# the first\n")
    answer = api.post("/deployments", {
        "name": name, "compose_content": one_service() + "# the second\n",
    })
    assert_error(answer, 409, "ALREADY_EXISTS")
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "# the first" in content and "# the second" not in content


def test_create_of_a_name_whose_directory_was_made_by_hand_is_409(
        api, deployments):
    name = deployments.name()
    os.mkdir(deployments.directory(name))
    try:
        answer = api.post("/deployments", {
            "name": name, "compose_content": one_service(),
        })
        assert_error(answer, 409, "ALREADY_EXISTS")
        assert os.listdir(deployments.directory(name)) == []
    finally:
        os.rmdir(deployments.directory(name))


def test_of_two_creates_at_once_one_wins(api, deployments):
    name = deployments.name()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(
            lambda i: api.post("/deployments", {
                "name": name, "compose_content": one_service() + f"# {i}\n",
            }), range(4),
        ))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201, 409, 409, 409], answers


def test_create_whose_start_fails_leaves_a_deployment_that_can_be_deleted(
        api, deployments, engine):
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name, "compose_content": one_service("test/nowhere:1"),
        "auto_start": True,
    })
    assert answer.status == 201, answer
    assert answer.json["start_error"]
    assert deployments.status(name) in ("stopped", "error")
    answer = api.delete(f"/deployments/{name}")
    assert answer.status == 200, answer
    assert engine.containers(name) == []


def test_environment_variables_are_interpolated(running, engine):
    container = engine.containers(running)[0]["Id"]
    wait_until(
        lambda: "out: started with hello" in engine.run("logs", container), 5
    )


def test_metadata_is_stored_and_returned(api, deployments):
    name = deployments.create(metadata={
        "name": "ignored", "type": "web",
        "networking": {
            "expose": False, "domain": "", "container_port": 80,
            "protocol": "http",
        },
        "healthcheck": {"path": "/health", "interval": "30s"},
    })
    metadata = api.get(f"/deployments/{name}").json["deployment"]["metadata"]
    assert metadata["type"] == "web"
    assert metadata["networking"]["container_port"] == 80
    assert metadata["healthcheck"] == {"path": "/health", "interval": "30s"}


def test_a_generated_metadata_names_service_and_port(api, deployments):
    name = deployments.create(
        "services:\n"
        "  db: {image: test/web:1}\n"
        "  web: {image: test/web:1, expose: ['8081']}\n"
    )
    metadata = api.get(f"/deployments/{name}").json["deployment"]["metadata"]
    assert metadata["networking"]["service"] == "web"
    assert metadata["networking"]["container_port"] == 8081
    assert metadata["networking"]["expose"] is False


# Looking


def test_the_list_has_all_its_keys(api, running, service):
    answer = api.get("/deployments")
    assert answer.status == 200, answer
    body = answer.json
    assert body["deployments"] == body["data"] == body["items"]
    assert body["total"] >= 1
    assert body["path"] == service.path("deployments")
    assert isinstance(body["limit"], int) and body["offset"] == 0
    one = find(answer, running)
    assert one["status"] == "running"
    assert one["path"] == service.path("deployments", running)
    assert TIME.fullmatch(one["created_at"])
    assert TIME.fullmatch(one["updated_at"])
    assert [service["name"] for service in one["services"]] == ["app"]
    assert one["services"][0]["image"] == "test/talker:1"


def test_the_list_names_deployments_in_order(api, deployments):
    for stem in ("zeta", "alpha", "mid"):
        deployments.create(name=deployments.name(stem))
    names = [one["name"] for one in api.get("/deployments").json["data"]]
    assert names == sorted(names)


def test_limit_and_offset_cut_the_list(api, deployments):
    for _ in range(3):
        deployments.create()
    everything = api.get("/deployments").json
    assert everything["total"] == len(everything["data"])
    part = api.get("/deployments?limit=2&offset=1").json
    assert part["data"] == everything["data"][1:3]
    assert part["total"] == everything["total"]
    assert part["limit"] == 2 and part["offset"] == 1
    beyond = api.get("/deployments?offset=100000").json
    assert beyond["data"] == [] and beyond["deployments"] == []


def test_the_list_can_be_filtered_by_status(api, deployments, running):
    stopped = deployments.create()
    names = {
        status: [one["name"] for one in api.get(
            f"/deployments?status={status}").json["data"]]
        for status in ("running", "stopped")
    }
    assert running in names["running"] and running not in names["stopped"]
    assert stopped in names["stopped"] and stopped not in names["running"]


@pytest.mark.parametrize("query", [
    "limit=-1", "limit=x", "limit=1.5", "limit=99999999999999999999",
    "offset=-1", "offset=x", "offset=0x10", "status=nonsense", "limit=",
    "limit=+1",
])
def test_queries_that_make_no_sense_are_400(api, query):
    assert_error(
        api.get(f"/deployments?{query}"), 400,
        field=query.partition("=")[0],
    )


@pytest.mark.parametrize("query", [
    "x=%00", "x=%0a", "x=%", "x=%2", "x=%zz", "x=%ff", "x=%c0%ae", "%00=x",
    "&".join(f"x{i}=1" for i in range(300)),
])
def test_queries_that_are_no_text_are_400(api, query):
    assert_error(api.get(f"/deployments?{query}"), 400, "INVALID_QUERY")


def test_the_list_has_an_etag_and_answers_304(api, deployments):
    deployments.create()
    first = api.get("/deployments")
    tag = first.header("ETag")
    assert re.fullmatch(r'(W/)?"[^"]+"', tag), tag
    again = api.get("/deployments", headers={"If-None-Match": tag})
    assert again.status == 304, again
    assert again.body == b"" and again.header("ETag") == tag
    for other in (f'"x", {tag}', "*"):
        answer = api.get("/deployments", headers={"If-None-Match": other})
        assert answer.status == 304, answer
    answer = api.get("/deployments", headers={"If-None-Match": '"x"'})
    assert answer.status == 200, answer


def test_a_change_changes_the_etag(api, deployments):
    tag = api.get("/deployments").header("ETag")
    name = deployments.create()
    answer = api.get("/deployments", headers={"If-None-Match": tag})
    assert answer.status == 200, answer
    assert find(answer, name)


def test_one_deployment_has_all_its_keys(api, running, engine):
    answer = api.get(f"/deployments/{running}")
    assert answer.status == 200, answer
    body = answer.json
    one = body["deployment"]
    assert body["data"] == one or body["data"]["deployment"] == one
    assert "test/talker:1" in body["compose_content"]
    assert body["compose_filename"] == "docker-compose.yml"
    assert body["proxy_status"] is None
    assert one["name"] == running and one["status"] == "running"
    container = engine.containers(running)[0]
    service = one["services"][0]
    assert service["container_id"] == container["Id"][:12]
    assert service["status"] == "running"
    assert service["image"] == "test/talker:1"
    assert TIME.fullmatch(service["created_at"])


def test_the_compose_file_can_be_read_alone(api, running):
    answer = api.get(f"/deployments/{running}/compose")
    assert answer.status == 200, answer
    assert answer.json["name"] == running
    assert "test/talker:1" in answer.json["content"]
    assert answer.json["filename"] == "docker-compose.yml"


def test_health_of_containers_is_shown(api, deployments):
    name = deployments.create(
        "services:\n"
        "  good: {image: test/healthy:1}\n"
        "  bad: {image: test/sick:1}\n"
        "  none: {image: test/web:1}\n",
        start=True,
    )

    def healths():
        services = api.get(f"/deployments/{name}").json["deployment"]
        return {
            one["name"]: one.get("health") for one in services["services"]
        }

    expected = {"good": "healthy", "bad": "unhealthy", "none": None}
    wait_until(lambda: healths() == expected, 15)


def test_infrastructure_is_left_out_of_the_list(api, deployments):
    name = deployments.create(metadata={"type": "infrastructure"})
    assert find(api.get("/deployments"), name) is None
    assert api.get(f"/deployments/{name}").status == 200


def test_a_container_that_ends_by_itself_is_noticed(api, deployments):
    name = deployments.create(one_service("test/quitter:1"), start=True)
    wait_until(lambda: deployments.status(name) == "stopped", 5)


# Starting, stopping, restarting


@pytest.mark.parametrize("action, past", [
    ("start", "started"), ("stop", "stopped"), ("restart", "restarted"),
])
def test_actions_answer_with_job_and_message(
        api, deployments, action, past):
    name = deployments.create(start=action != "start")
    answer = api.post(f"/deployments/{name}/{action}")
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == f"Deployment {past}"
    assert body["name"] == body["deployment"] == name
    assert body["action"] == action
    assert body["status"] == "succeeded"
    assert isinstance(body["output"], str)
    assert body["data"]["job_id"] == body["job_id"]


def test_start_stop_start_is_seen_by_the_next_read(api, deployments, engine):
    name = deployments.create()
    for action, status in (("start", "running"), ("stop", "stopped"),
                           ("start", "running")):
        answer = api.post(f"/deployments/{name}/{action}")
        assert answer.status == 200, answer
        assert deployments.status(name) == status
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize("action", ["start", "stop"])
def test_start_and_stop_may_be_repeated(api, deployments, action):
    name = deployments.create(start=True)
    for _ in range(2):
        answer = api.post(f"/deployments/{name}/{action}")
        assert answer.status == 200, answer


def test_stop_of_what_never_ran_succeeds(api, deployments):
    name = deployments.create()
    assert api.post(f"/deployments/{name}/stop").status == 200


def test_stop_keeps_the_containers(deployments, api, engine):
    name = deployments.create(start=True)
    api.post(f"/deployments/{name}/stop")
    assert engine.states(name) == ["exited"]


def test_restart_restarts_the_same_container(api, deployments, engine):
    name = deployments.create(start=True)
    before = engine.containers(name)[0]["Id"]
    started = engine.api(f"/containers/{before}/json")["State"]["StartedAt"]
    answer = api.post(f"/deployments/{name}/restart")
    assert answer.status == 200, answer
    after = engine.containers(name)[0]["Id"]
    assert after == before
    again = engine.api(f"/containers/{before}/json")["State"]["StartedAt"]
    assert again > started


def test_restart_starts_what_was_stopped(api, deployments):
    name = deployments.create(start=True)
    api.post(f"/deployments/{name}/stop")
    assert api.post(f"/deployments/{name}/restart").status == 200
    assert deployments.status(name) == "running"


def test_force_recreate_makes_a_new_container(api, deployments, engine):
    name = deployments.create(start=True)
    for action in ("start", "restart"):
        before = engine.containers(name)[0]["Id"]
        answer = api.post(
            f"/deployments/{name}/{action}", {"force_recreate": True}
        )
        assert answer.status == 200, answer
        assert engine.containers(name)[0]["Id"] != before


def test_start_pulls_an_image_that_is_not_there(
        api, deployments, engine, registry):
    engine.run("rmi", registry.image, check=False)
    name = deployments.create(one_service(registry.image))
    answer = api.post(f"/deployments/{name}/start")
    assert answer.status == 200, answer
    assert engine.states(name) == ["running"]


def test_fresh_pull_asks_the_registry_again(
        api, deployments, engine, registry):
    name = deployments.create(one_service(registry.image), start=True)
    answer = api.post(f"/deployments/{name}/start", {"fresh_pull": True})
    assert answer.status == 200, answer


def test_fresh_pull_of_an_image_no_registry_has_fails(api, deployments):
    name = deployments.create(one_service("127.0.0.1:1/none/web:1"))
    answer = api.post(f"/deployments/{name}/start", {"fresh_pull": True})
    assert answer.status in (502, 503, 504), answer
    assert answer.json["job_id"]


def test_an_image_that_does_not_exist_is_called_so(
        api, deployments, registry):
    missing = f"127.0.0.1:{registry.port}/team/missing:1"
    name = deployments.create(one_service(missing))
    answer = api.post(f"/deployments/{name}/start")
    body = assert_error(answer, 502, "IMAGE_NOT_FOUND")
    assert body["job_id"] and isinstance(body["output"], str)


def test_a_registry_that_does_not_answer_is_called_so(api, deployments):
    name = deployments.create(one_service("127.0.0.1:1/none/web:1"))
    answer = api.post(f"/deployments/{name}/start")
    assert_error(answer, 502, "REGISTRY_UNAVAILABLE")


def test_a_port_that_is_taken_is_called_so(api, deployments, service):
    name = deployments.create(
        "services:\n  app:\n    image: test/web:1\n"
        f"    ports: ['127.0.0.1:{service.port}:80']\n"
    )
    answer = api.post(f"/deployments/{name}/start")
    body = assert_error(answer, 409, "PORT_IN_USE")
    assert body["job_id"]
    assert deployments.status(name) != "running"


def test_a_container_name_that_is_taken_is_called_so(
        api, deployments, engine):
    name = deployments.create(
        one_service(container_name="already-there")
    )
    engine.run("create", "--name", "already-there", "test/web:1")
    try:
        answer = api.post(f"/deployments/{name}/start")
        assert_error(answer, 409, "NAME_IN_USE")
    finally:
        engine.run("rm", "-f", "already-there")


def test_actions_take_no_body_or_an_empty_one_or_an_object(api, deployments):
    name = deployments.create()
    path = f"/deployments/{name}/stop"
    assert api.post(path).status == 200
    assert api.post(path, {}).status == 200
    assert api.post(path, {"unknown": [1]}).status == 200
    answer = api.post(
        path, body="", headers={"Content-Type": "application/json"}
    )
    assert answer.status == 200, answer


@pytest.mark.parametrize("field", ["force_recreate", "fresh_pull", "no_cache"])
@pytest.mark.parametrize("value", ["yes", 1, [], {}, "true"])
def test_options_of_actions_are_booleans(api, deployments, field, value):
    name = deployments.create()
    for action in ("start", "restart"):
        answer = api.post(f"/deployments/{name}/{action}", {field: value})
        assert_error(answer, 400, field=field)


# Updating


def test_update_replaces_the_file_and_says_what_has_to_follow(
        api, deployments, engine):
    name = deployments.create(start=True)
    answer = api.put(
        f"/deployments/{name}", {"compose_content": one_service("test/web:2")}
    )
    assert answer.status == 200, answer
    body = answer.json
    assert body["message"] == "Deployment updated"
    assert body["name"] == name
    assert body["needs_apply"] is True
    assert isinstance(body["revision"], int)
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "test/web:2" in content
    # Nothing was restarted.
    assert engine.containers(name)[0]["Image"] == "test/web:1"


def test_update_with_apply_brings_it_up(api, deployments, engine):
    name = deployments.create(start=True)
    answer = api.put(f"/deployments/{name}", {
        "compose_content": one_service("test/web:2"), "apply": True,
    })
    assert answer.status == 200, answer
    assert answer.json["needs_apply"] is False
    assert [one["Image"] for one in engine.containers(name)] == ["test/web:2"]


def test_update_of_what_does_not_run_needs_no_apply(api, deployments):
    name = deployments.create()
    answer = api.put(
        f"/deployments/{name}", {"compose_content": one_service("test/web:2")}
    )
    assert answer.status == 200, answer
    assert answer.json["needs_apply"] is False


def test_update_keeps_what_was_before_as_a_revision(
        api, deployments, service):
    name = deployments.create(one_service() + "# version one\n")
    numbers = [
        api.put(f"/deployments/{name}", {
            "compose_content": one_service() + f"# version {word}\n",
        }).json["revision"] for word in ("two", "three")
    ]
    assert numbers[1] == numbers[0] + 1
    rows = service.database().execute(
        "SELECT compose FROM revisions WHERE deployment = ? ORDER BY number",
        (name,),
    ).fetchall()
    assert "# version one" in rows[0][0]
    assert "# version two" in rows[1][0]
    leftovers = os.listdir(deployments.directory(name))
    assert not [one for one in leftovers if ".bak" in one or ".tmp" in one]


def test_update_with_a_service_less_removes_its_container(
        api, deployments, engine):
    two = "services:\n  a: {image: test/web:1}\n  b: {image: test/web:1}\n"
    one = "services:\n  a: {image: test/web:1}\n"
    name = deployments.create(two, start=True)
    assert len(engine.containers(name)) == 2
    answer = api.put(
        f"/deployments/{name}", {"compose_content": one, "apply": True}
    )
    assert answer.status == 200, answer
    assert len(engine.containers(name)) == 1


def test_an_update_that_is_refused_changes_nothing(api, deployments):
    name = deployments.create(one_service() + "# kept\n")
    for text in ("services: [", one_service(privileged="true"), "{}"):
        answer = api.put(f"/deployments/{name}", {"compose_content": text})
        assert answer.status in (400, 403), answer
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert "# kept" in content


@pytest.mark.parametrize("body, field", [
    ({}, "compose_content"),
    ({"compose_content": ""}, "compose_content"),
    ({"compose_content": 5}, "compose_content"),
    ({"compose_content": None}, "compose_content"),
    ({"compose_content": ["x"]}, "compose_content"),
    ({"compose_content": one_service(), "apply": "yes"}, "apply"),
])
def test_bad_input_of_an_update_names_the_field(
        api, deployments, body, field):
    name = deployments.create()
    assert_error(api.put(f"/deployments/{name}", body), 400, field=field)


# Deleting


def test_delete_takes_it_down_and_keeps_the_files_in_the_trash(
        api, deployments, engine, service):
    name = deployments.create(one_service() + "# to the trash\n", start=True)
    answer = api.delete(f"/deployments/{name}")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Deployment deleted"
    assert answer.json["name"] == name
    assert engine.containers(name) == []
    assert not os.path.exists(deployments.directory(name))
    trash = service.path("deployments", ".flatrun", "trash")
    kept = [one for one in os.listdir(trash) if one.startswith(name + ".")]
    assert len(kept) == 1, os.listdir(trash)
    with open(os.path.join(trash, kept[0], "docker-compose.yml")) as compose:
        assert "# to the trash" in compose.read()
    assert_error(
        api.get(f"/deployments/{name}"), 404, "DEPLOYMENT_NOT_FOUND"
    )
    assert find(api.get("/deployments"), name) is None


def test_delete_accepts_the_flags_clients_send(api, deployments):
    name = deployments.create()
    answer = api.delete(
        f"/deployments/{name}"
        "?delete_ssl=true&delete_database=false&delete_vhost=true"
    )
    assert answer.status == 200, answer
    assert answer.json["deleted_items"] == []


def test_delete_keeps_named_volumes(api, deployments, engine):
    name = deployments.create(
        "services:\n  app:\n    image: test/web:1\n"
        "    volumes: ['kept:/data']\n"
        "volumes: {kept: {}}\n",
        start=True,
    )
    assert api.delete(f"/deployments/{name}").status == 200
    volumes = engine.api("/volumes")["Volumes"]
    assert [one for one in volumes if one["Name"].startswith(name)]
    for one in volumes:
        engine.run("volume", "rm", one["Name"], check=False)


def test_the_name_is_free_after_a_delete(api, deployments):
    name = deployments.create(start=True)
    assert api.delete(f"/deployments/{name}").status == 200
    deployments.create(name=name)
    assert deployments.status(name) == "stopped"


def test_delete_does_not_follow_links(api, deployments, service):
    outside = service.path("shared", "precious")
    os.makedirs(outside, exist_ok=True)
    with open(os.path.join(outside, "file"), "w") as out:
        out.write("precious")
    name = deployments.create()
    os.symlink(outside, os.path.join(deployments.directory(name), "link"))
    assert api.delete(f"/deployments/{name}").status == 200
    assert os.path.exists(os.path.join(outside, "file"))


def test_a_linked_directory_is_no_deployment(api, deployments, service):
    outside = service.path("shared", "outside-deployment")
    os.makedirs(outside, exist_ok=True)
    with open(os.path.join(outside, "docker-compose.yml"), "w") as out:
        out.write(one_service())
    name = deployments.name()
    os.symlink(outside, deployments.directory(name))
    try:
        for answer in (
            api.get(f"/deployments/{name}"),
            api.get(f"/deployments/{name}/compose"),
            api.post(f"/deployments/{name}/start"),
            api.put(f"/deployments/{name}",
                    {"compose_content": one_service()}),
            api.delete(f"/deployments/{name}"),
        ):
            assert answer.status in (400, 404), answer
        assert os.path.exists(os.path.join(outside, "docker-compose.yml"))
    finally:
        os.unlink(deployments.directory(name))


# Waiting


def test_an_answer_does_not_wait_when_the_client_prefers_so(
        api, deployments):
    name = deployments.create(STUBBORN, start=True)
    answer = api.post(
        f"/deployments/{name}/stop", headers={"Prefer": "respond-async"}
    )
    assert answer.status == 202, answer
    assert answer.seconds < 1
    body = answer.json
    assert body["status"] in ("pending", "running")
    assert body["action"] == "stop" and body["deployment"] == name
    assert body["message"] and body["name"] == name
    assert answer.header("Location") == f"/api/jobs/{body['job_id']}"
    assert deployments.job(body["job_id"])["status"] == "succeeded"
    assert deployments.status(name) == "stopped"


def test_an_answer_waits_no_longer_than_the_client_prefers(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    answer = api.post(
        f"/deployments/{name}/stop", headers={"Prefer": "wait=1"}
    )
    assert answer.status == 202, answer
    assert 0.9 < answer.seconds < 3
    assert deployments.job(answer.json["job_id"])["status"] == "succeeded"


def test_create_and_delete_can_be_asynchronous_too(api, deployments):
    name = deployments.name()
    answer = api.post(
        "/deployments",
        {"name": name, "compose_content": one_service(), "auto_start": True},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status == 202, answer
    assert deployments.job(answer.json["job_id"])["status"] == "succeeded"
    assert deployments.status(name) == "running"
    answer = api.delete(
        f"/deployments/{name}", headers={"Prefer": "respond-async"}
    )
    assert answer.status == 202, answer
    assert deployments.job(answer.json["job_id"])["status"] == "succeeded"
    assert api.get(f"/deployments/{name}").status == 404


@pytest.mark.parametrize("prefer", [
    "wait=x", "wait=-1", "nonsense", "wait=99999999999999999999", ",,;",
    "handling=lenient",
])
def test_other_preferences_are_ignored(api, deployments, prefer):
    name = deployments.create()
    answer = api.post(
        f"/deployments/{name}/stop", headers={"Prefer": prefer}
    )
    assert answer.status == 200, answer


# Two clients


def test_a_second_change_while_one_runs_is_409(api, deployments):
    name = deployments.create(STUBBORN, start=True)
    first = api.post(
        f"/deployments/{name}/stop", headers={"Prefer": "respond-async"}
    )
    assert first.status == 202, first
    for answer in (
        api.post(f"/deployments/{name}/start"),
        api.post(f"/deployments/{name}/stop"),
        api.post(f"/deployments/{name}/restart"),
        api.put(f"/deployments/{name}", {"compose_content": one_service()}),
        api.delete(f"/deployments/{name}"),
    ):
        body = assert_error(answer, 409, "DEPLOYMENT_BUSY")
        assert body["active_job_id"] == first.json["job_id"]
    assert deployments.job(first.json["job_id"])["status"] == "succeeded"


def test_of_two_changes_at_once_both_end_well_or_one_is_told(
        api, deployments, engine):
    name = deployments.create()
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(
                lambda action: api.post(f"/deployments/{name}/{action}"),
                ["start", "stop", "start", "stop"],
            ))
        for answer in answers:
            assert answer.status in (200, 409), answer
            if answer.status == 409:
                assert answer.json["code"] == "DEPLOYMENT_BUSY"
        assert [one for one in answers if one.status == 200]
    assert api.post(f"/deployments/{name}/start").status == 200
    assert engine.states(name) == ["running"]


def test_changes_of_different_deployments_run_side_by_side(api, deployments):
    slow = deployments.create(STUBBORN, start=True)
    quick = deployments.create()
    first = api.post(
        f"/deployments/{slow}/stop", headers={"Prefer": "respond-async"}
    )
    started = time.monotonic()
    assert api.post(f"/deployments/{quick}/start").status == 200
    assert time.monotonic() - started < 4
    job = api.get(f"/jobs/{first.json['job_id']}").json["data"]
    assert job["status"] == "running"
    deployments.job(first.json["job_id"])


# The directory is the truth


def write_by_hand(deployments, name, text, filename="docker-compose.yml"):
    os.makedirs(deployments.directory(name), exist_ok=True)
    path = os.path.join(deployments.directory(name), filename)
    with open(path, "w") as out:
        out.write(text)


def test_a_directory_made_by_hand_appears(api, deployments, engine):
    name = deployments.name()
    write_by_hand(deployments, name, one_service())
    wait_until(lambda: find(api.get("/deployments"), name), 2)
    assert api.post(f"/deployments/{name}/start").status == 200
    assert engine.states(name) == ["running"]


@pytest.mark.parametrize("filename", [
    "docker-compose.yaml", "compose.yml", "compose.yaml", "my-compose.yml",
])
def test_other_names_of_compose_files_are_found(api, deployments, filename):
    name = deployments.name()
    write_by_hand(deployments, name, one_service(), filename)
    wait_until(lambda: find(api.get("/deployments"), name), 2)
    answer = api.get(f"/deployments/{name}/compose")
    assert answer.json["filename"] == filename


def test_a_hand_edited_file_is_picked_up(api, deployments):
    name = deployments.create()
    write_by_hand(
        deployments, name, "services:\n  edited: {image: test/web:2}\n"
    )

    def services():
        one = find(api.get("/deployments"), name)
        return [service["name"] for service in one["services"]] == ["edited"]

    wait_until(services, 2)
    answer = api.get(f"/deployments/{name}")
    assert "edited" in answer.json["compose_content"]


def test_a_file_edited_into_nonsense_is_shown_and_not_started(
        api, deployments):
    name = deployments.create()
    write_by_hand(deployments, name, "services: [\n")
    answer = wait_until(
        lambda: (lambda one: one if "services: [" in
                 one.json["compose_content"] else None)(
                     api.get(f"/deployments/{name}")), 2)
    assert answer.status == 200, answer
    assert find(api.get("/deployments"), name)
    assert_error(
        api.post(f"/deployments/{name}/start"), 400, "INVALID_COMPOSE"
    )


def test_a_file_edited_against_the_policy_is_not_started(
        api, deployments, engine):
    name = deployments.create()
    write_by_hand(deployments, name, one_service(privileged="true"))
    answer = api.post(f"/deployments/{name}/start")
    assert_error(answer, 403, "COMPOSE_POLICY")
    assert engine.containers(name) == []


def test_a_directory_removed_by_hand_vanishes(api, deployments):
    name = deployments.create()
    directory = deployments.directory(name)
    for entry in os.listdir(directory):
        os.unlink(os.path.join(directory, entry))
    os.rmdir(directory)
    wait_until(lambda: not find(api.get("/deployments"), name), 2)
    assert_error(
        api.post(f"/deployments/{name}/start"), 404, "DEPLOYMENT_NOT_FOUND"
    )


def test_directories_that_are_no_deployments_are_left_alone(
        api, deployments, service):
    os.makedirs(service.path("deployments", "Not A Name"), exist_ok=True)
    os.makedirs(service.path("deployments", "empty"), exist_ok=True)
    with open(service.path("deployments", "file.yml"), "w") as out:
        out.write("services: {}")
    deployments.create()
    names = [one["name"] for one in api.get("/deployments").json["data"]]
    assert "empty" not in names and "Not A Name" not in names
    assert "file.yml" not in names and ".flatrun" not in names
