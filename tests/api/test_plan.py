"""Plans: what a change would do, and that it is done only if that holds."""

import os
import socket

from clients import assert_error, wait_until
from conftest import one_service

APPLY = {"apply": True, "settle_seconds": 0}
SHOP = """\
services:
  web:
    image: test/web:1
  worker:
    image: test/web:1
  idle:
    image: test/web:1
"""


def planned(answer):
    assert answer.status == 200, answer
    assert answer.json["action"] == "plan"
    plan = answer.json["plan"]
    assert len(plan["plan_id"]) == 32
    assert isinstance(plan["generation"], int)
    return plan


def plan_update(api, name, text, **more):
    return planned(api.put(
        f"/deployments/{name}?plan=true",
        {"compose_content": text, **APPLY, **more},
    ))


def actions(plan):
    return {one["service"]: one["action"] for one in plan["services"]}


def reasons(plan):
    return {one["service"]: one["reason"] for one in plan["services"]}


def ids(engine, name):
    return {
        one["Labels"]["com.docker.compose.service"]: one["Id"]
        for one in engine.containers(name)
    }


def content(api, name):
    return api.get(f"/deployments/{name}/compose").json["content"]


def change_web(api, name):
    """The deployment's text with another image for one of its services."""
    return content(api, name).replace("test/web:1", "test/web:2", 1)


def test_what_is_planned_is_what_happens(api, deployments, engine,
                                         compose_program):
    name = deployments.create(SHOP, start=True)
    text, before = content(api, name), ids(engine, name)
    plan = plan_update(api, name, change_web(api, name))
    assert plan["action"] == "update"
    assert plan["deployment"] == name
    assert actions(plan) == {
        "web": "recreate", "worker": "none", "idle": "none",
    }
    assert plan["ports"] == [] and plan["images_to_pull"] == []
    [web] = [one for one in plan["services"] if one["service"] == "web"]
    assert web["image"] == "test/web:2" and web["container"] == name
    [file] = plan["files"]
    assert file["path"] == "docker-compose.yml"
    assert "-    image: test/web:1\n" in file["diff"]
    assert "+    image: test/web:2\n" in file["diff"]
    # Nothing happened yet.
    assert content(api, name) == text and ids(engine, name) == before

    answer = api.put(
        f"/deployments/{name}?plan_id={plan['plan_id']}",
        {"compose_content": change_web(api, name), **APPLY},
    )
    assert answer.status == 200, answer
    after = ids(engine, name)
    assert after["web"] != before["web"]
    assert after["worker"] == before["worker"]
    assert after["idle"] == before["idle"]
    # What was done once is another change by now.
    answer = api.put(
        f"/deployments/{name}?plan_id={plan['plan_id']}",
        {"compose_content": content(api, name), **APPLY},
    )
    assert_error(answer, 412, "PLAN_OUTDATED")


def test_what_depends_on_others_follows_them(api, deployments, engine,
                                              compose_program):
    name = deployments.create(
        SHOP.replace("  worker:\n", "  worker:\n    depends_on: [web]\n")
        + "    links: [worker]\n"
        "  last:\n    image: test/web:1\n    depends_on: [web]\n",
        start=True,
    )
    engine.run("stop", "-t", "0", ids(engine, name)["worker"])
    text = change_web(api, name)
    plan = plan_update(api, name, text)
    assert actions(plan) == {
        "web": "recreate", "worker": "recreate", "idle": "recreate",
        "last": "recreate" if compose_program == 2 else "none",
    }
    assert "'web'" in reasons(plan)["worker"]
    before = ids(engine, name)
    answer = api.put(f"/deployments/{name}?plan_id={plan['plan_id']}",
                     {"compose_content": text, **APPLY})
    assert answer.status == 200, answer
    after = ids(engine, name)
    assert {one for one in after if after[one] != before[one]} == {
        one for one, what in actions(plan).items() if what == "recreate"
    }


def test_services_come_and_go(api, deployments, engine):
    name = deployments.create(SHOP, start=True)
    engine.run("stop", "-t", "0", ids(engine, name)["worker"])
    text = content(api, name)
    text = text[:text.index("  idle:")] + (
        "  new:\n    image: test/web:1\n"
        "  rare:\n    image: test/web:1\n    profiles: [rare]\n"
    )
    plan = plan_update(api, name, text)
    assert actions(plan) == {
        "web": "none", "worker": "start", "new": "create", "rare": "none",
        "idle": "remove",
    }
    assert any("idle" in one for one in plan["warnings"])
    before = ids(engine, name)
    answer = api.put(f"/deployments/{name}?plan_id={plan['plan_id']}",
                     {"compose_content": text, **APPLY})
    assert answer.status == 200, answer
    after = ids(engine, name)
    assert set(after) == {"web", "worker", "new"}
    assert after["web"] == before["web"]
    assert after["worker"] == before["worker"]


def test_files_alone_touch_no_container(api, deployments):
    name = deployments.create(SHOP, start=True)
    plan = planned(api.put(
        f"/deployments/{name}?plan=true",
        {"compose_content": change_web(api, name)},
    ))
    assert set(actions(plan).values()) == {"none"}
    assert reasons(plan)["web"].startswith("recreated at the next start")
    assert reasons(plan)["idle"] == "containers are not touched"


def test_stop_start_restart_and_delete_are_planned(api, deployments, engine):
    name = deployments.create(
        one_service(volumes='["data:/data"]') + "volumes:\n  data:\n",
        start=True,
    )
    path = f"/deployments/{name}"
    assert actions(planned(api.post(f"{path}/start?plan=true"))) == {
        "app": "none"}
    assert actions(planned(api.post(
        f"{path}/start?plan=true", {"force_recreate": True}
    ))) == {"app": "recreate"}
    assert actions(planned(api.post(f"{path}/restart?plan=true"))) == {
        "app": "restart"}
    stop = planned(api.post(f"{path}/stop?plan=true"))
    assert stop["action"] == "stop" and actions(stop) == {"app": "stop"}
    assert stop["files"] == [] and stop["volumes_kept"] == []

    plan = planned(api.delete(f"{path}?plan=true"))
    assert plan["action"] == "delete" and actions(plan) == {"app": "remove"}
    assert plan["volumes_kept"] == [f"{name}_data"]
    assert {one["path"] for one in plan["files"]} == {
        "docker-compose.yml", "service.yml"}
    assert all("+++ /dev/null" in one["diff"] for one in plan["files"])
    assert deployments.status(name) == "running"

    assert api.post(f"{path}/stop?plan_id={stop['plan_id']}").status == 200
    assert actions(planned(api.post(f"{path}/start?plan=true"))) == {
        "app": "start"}
    assert actions(planned(api.post(f"{path}/stop?plan=true"))) == {
        "app": "none"}
    # It was made while the container ran.
    assert_error(
        api.delete(f"{path}?plan_id={plan['plan_id']}"), 412, "PLAN_OUTDATED"
    )
    plan = planned(api.delete(f"{path}?plan=true"))
    assert api.delete(f"{path}?plan_id={plan['plan_id']}").status == 200
    engine.run("volume", "rm", f"{name}_data")


def test_a_creation_is_planned(api, deployments):
    name = deployments.name()
    body = {
        "name": name, "compose_content": one_service(), "auto_start": True,
        "env_vars": [{"key": "PASSWORD", "value": "geheim"}],
    }
    answer = api.post("/deployments?plan=true", body)
    plan = planned(answer)
    assert actions(plan) == {"app": "create"}
    diffs = {one["path"]: one["diff"] for one in plan["files"]}
    assert set(diffs) == {"docker-compose.yml", "service.yml", ".env.flatrun"}
    assert f"+    container_name: {name}\n" in diffs["docker-compose.yml"]
    assert "+PASSWORD=********\n" in diffs[".env.flatrun"]
    assert "geheim" not in answer.text
    assert api.get(f"/deployments/{name}").status == 404
    answer = api.post(f"/deployments?plan_id={plan['plan_id']}", body)
    assert answer.status == 201, answer
    assert_error(
        api.post("/deployments?plan=true", body), 409, "ALREADY_EXISTS"
    )


def test_a_template_is_planned_and_made(api, deployments):
    name = deployments.name()
    body = {"name": name, "template_id": "umami", "auto_start": False}
    answer = api.post("/deployments?plan=true", body)
    plan = planned(answer)
    assert set(actions(plan).values()) == {"none"}
    [diff] = [
        one["diff"] for one in plan["files"] if one["path"] == ".env.flatrun"
    ]
    # Secrets are made when the deployment is, and are no part of the plan.
    assert all(
        line.endswith("=********") for line in diff.splitlines()[3:]
    )
    answer = api.post(f"/deployments?plan_id={plan['plan_id']}", body)
    assert answer.status == 201, answer


def test_an_image_of_one_service_is_planned(api, deployments):
    name = deployments.create(SHOP, start=True)
    path = f"/deployments/{name}/services/worker/image"
    body = {"image": "test/web:2", "apply": True, "settle_seconds": 0}
    plan = planned(api.put(f"{path}?plan=true", body))
    assert plan["action"] == "set_image"
    assert actions(plan) == {
        "web": "none", "worker": "recreate", "idle": "none",
    }
    # The same plan is not one of another image.
    answer = api.put(
        f"{path}?plan_id={plan['plan_id']}", {**body, "image": "test/web:3"}
    )
    assert_error(answer, 412, "PLAN_OUTDATED")
    answer = api.put(f"{path}?plan_id={plan['plan_id']}", body)
    assert answer.status == 200, answer


def test_images_to_pull_are_named(api, deployments, registry):
    name = deployments.create(SHOP, start=True)
    wanted = f"{registry.host}/team/not-here:1"
    text = content(api, name).replace("test/web:1", wanted, 1)
    plan = plan_update(api, name, text)
    assert plan["images_to_pull"] == [wanted]
    assert actions(plan)["web"] == "recreate"
    assert reasons(plan)["web"] in (
        "its configuration changed", "its image is pulled",
    )
    plan = planned(api.post(
        f"/deployments/{name}/start?plan=true", {"fresh_pull": True}
    ))
    assert plan["images_to_pull"] == ["test/web:1"]


def test_an_image_under_the_same_name_is_seen(api, deployments, engine):
    engine.run("tag", "test/web:1", "test/moving:1")
    name = deployments.create(one_service("test/moving:1"), start=True)
    path = f"/deployments/{name}/start"
    plan = planned(api.post(f"{path}?plan=true"))
    assert actions(plan) == {"app": "none"}
    engine.run("tag", "test/web:2", "test/moving:1")
    try:
        # The plan is about the image, not about its name.
        assert_error(
            api.post(f"{path}?plan_id={plan['plan_id']}"),
            412, "PLAN_OUTDATED",
        )
        before = ids(engine, name)
        plan = planned(api.post(f"{path}?plan=true"))
        assert actions(plan) == {"app": "recreate"}
        answer = api.post(f"{path}?plan_id={plan['plan_id']}")
        assert answer.status == 200, answer
        assert ids(engine, name) != before
    finally:
        assert api.delete(f"/deployments/{name}").status == 200
        engine.run("rmi", "test/moving:1")


def test_ports_of_others_are_named(api, deployments):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        listening = taken.getsockname()[1]
        holder = deployments.create(
            one_service(ports='["127.0.0.1:18099:80"]'), start=True
        )
        name = deployments.create(one_service(ports=(
            f'["127.0.0.1:18099:80", "{listening}:81"]'
        )))
        plan = planned(api.post(f"/deployments/{name}/start?plan=true"))
    assert actions(plan) == {"app": "create"}
    ports = {one["port"]: one for one in plan["ports"]}
    assert ports[18099] == {
        "port": 18099, "protocol": "tcp", "address": "127.0.0.1",
        "service": "app", "used_by": holder,
    }
    assert ports[listening]["used_by"] == "a program of this host"
    # The holder itself is in nobody's way.
    assert planned(
        api.post(f"/deployments/{holder}/start?plan=true")
    )["ports"] == []


def test_a_hand_edit_makes_a_plan_outdated(api, deployments):
    name = deployments.create()
    plan = planned(api.delete(f"/deployments/{name}?plan=true"))
    path = os.path.join(deployments.directory(name), ".env.flatrun")
    with open(path, "w") as out:
        out.write("A=1\n")
    answer = api.delete(f"/deployments/{name}?plan_id={plan['plan_id']}")
    assert_error(answer, 412, "PLAN_OUTDATED")
    assert api.get(f"/deployments/{name}").status == 200


def test_a_container_made_anew_makes_a_plan_outdated(api, deployments,
                                                     engine):
    name = deployments.create(start=True)
    path = f"/deployments/{name}"
    plan = planned(api.post(f"{path}/stop?plan=true"))
    before = ids(engine, name)
    answer = api.post(f"{path}/start", {"force_recreate": True})
    assert answer.status == 200, answer
    assert ids(engine, name) != before
    assert_error(
        api.post(f"{path}/stop?plan_id={plan['plan_id']}"),
        412, "PLAN_OUTDATED",
    )
    assert deployments.status(name) == "running"


def test_a_plan_answers_as_the_change_would(api, deployments, viewer):
    name = deployments.create()
    path = f"/deployments/{name}"
    assert_error(
        api.put(f"{path}?plan=true", {"compose_content": "services: {}"}),
        400, "INVALID_COMPOSE",
    )
    assert_error(
        api.put(f"{path}?plan=true", {
            "compose_content": one_service(privileged="true"),
        }), 403, "COMPOSE_POLICY",
    )
    assert_error(
        api.post("/deployments/nobody/start?plan=true"),
        404, "DEPLOYMENT_NOT_FOUND",
    )
    assert_error(viewer.post(f"{path}/start?plan=true"), 403, "FORBIDDEN")
    answer = api.delete(
        f"{path}?plan=true", headers={"If-Match": '"other.1"'}
    )
    assert_error(answer, 412, "PRECONDITION_FAILED")


def test_what_has_no_plans_is_not_done(api, deployments, engine):
    answer = api.post("/volumes?plan=true", {"name": "planned-volume"})
    assert_error(answer, 400, "PLAN_NOT_SUPPORTED", "plan")
    answer = api.post(
        f"/volumes?plan_id={'0' * 32}", {"name": "planned-volume"}
    )
    assert_error(answer, 400, "PLAN_NOT_SUPPORTED", "plan_id")
    assert api.get("/volumes/planned-volume").status == 404
    name = deployments.create()
    path = f"/deployments/{name}"
    assert_error(
        api.delete(f"{path}?plan_id=x"), 400, "INVALID_REQUEST", "plan_id"
    )
    assert_error(
        api.delete(f"{path}?plan=maybe"), 400, "INVALID_REQUEST", "plan"
    )
    assert_error(
        api.delete(f"{path}?plan=true&plan_id={'0' * 32}"),
        400, "INVALID_REQUEST", "plan_id",
    )
    assert api.get(path).status == 200


def test_an_environment_is_planned_and_masked(api, deployments, engine):
    name = deployments.create(
        SHOP + "    environment:\n      WHAT: ${A}\n", start=True,
        env_vars=[{"key": "A", "value": "first-secret"},
                  {"key": "B", "value": "second-secret"}],
    )
    body = {"apply": True, "env_vars": [
        {"key": "A", "value": "third-secret"},
        {"key": "B", "value": "second-secret"},
        {"key": "C", "value": "fourth-secret"},
    ]}
    answer = api.put(f"/deployments/{name}/env?plan=true", body)
    plan = planned(answer)
    assert plan["action"] == "environment"
    assert actions(plan) == {
        "web": "none", "worker": "none", "idle": "recreate",
    }
    [file] = plan["files"]
    assert file["path"] == ".env.flatrun"
    assert file["diff"].splitlines()[3:] == [
        "-A=********", "+A=******** (changed)", " B=********",
        "+C=********",
    ]
    assert "-secret" not in answer.text
    # Neither are the values in what is kept of the job.
    answer = api.get(f"/jobs/{answer.json['job_id']}")
    assert answer.status == 200 and "-secret" not in answer.text
    other = {**body, "env_vars": body["env_vars"][:2]}
    path = f"/deployments/{name}/env?plan_id={plan['plan_id']}"
    assert_error(api.put(path, other), 412, "PLAN_OUTDATED")
    before = ids(engine, name)
    answer = api.put(path, body)
    assert answer.status == 200, answer
    after = ids(engine, name)
    assert after["idle"] != before.pop("idle")
    assert before.items() <= after.items()


def test_metadata_is_planned(api, deployments):
    name = deployments.create(start=True)
    plan = planned(api.put(
        f"/deployments/{name}/metadata?plan=true", {"type": "tool"}
    ))
    assert plan["action"] == "metadata" and actions(plan) == {"app": "none"}
    [file] = plan["files"]
    assert file["path"] == "service.yml"
    assert any(
        line.startswith("+type:") for line in file["diff"].splitlines()
    )
    metadata = api.get(f"/deployments/{name}").json["deployment"]["metadata"]
    assert metadata.get("type") != "tool"


def test_a_rollback_is_planned(api, deployments, engine):
    name = deployments.create(SHOP, start=True)
    text = content(api, name)
    answer = api.put(f"/deployments/{name}", {
        "compose_content": change_web(api, name), **APPLY,
    })
    assert answer.status == 200, answer
    path = f"/deployments/{name}/rollback"
    body = {"settle_seconds": 0}
    plan = planned(api.post(f"{path}?plan=true", body))
    assert actions(plan) == {
        "web": "recreate", "worker": "none", "idle": "none",
    }
    assert [one["path"] for one in plan["files"]] == ["docker-compose.yml"]
    before = ids(engine, name)
    answer = api.post(f"{path}?plan_id={plan['plan_id']}", body)
    assert answer.status == 200, answer
    assert content(api, name) == text
    after = ids(engine, name)
    assert {one for one in after if after[one] != before[one]} == {"web"}


def test_an_image_that_a_rollback_brings_back_is_seen(api, deployments,
                                                      engine):
    engine.run("tag", "test/web:1", "test/moving:2")
    name = deployments.create(one_service("test/moving:2"), start=True)
    [first] = engine.containers(name)
    engine.run("tag", "test/web:2", "test/moving:2")
    try:
        answer = api.put(f"/deployments/{name}", {
            "compose_content": content(api, name) + "# new\n", **APPLY,
        })
        assert answer.status == 200, answer
        [second] = engine.containers(name)
        assert second["ImageID"] != first["ImageID"]
        path = f"/deployments/{name}/rollback"
        plan = planned(api.post(f"{path}?plan=true", {"settle_seconds": 0}))
        assert actions(plan) == {"app": "recreate"}
        assert reasons(plan) == {"app": "an older image is put back"}
        answer = api.post(f"{path}?plan_id={plan['plan_id']}",
                          {"settle_seconds": 0})
        assert answer.status == 200, answer
        [third] = engine.containers(name)
        assert third["ImageID"] == first["ImageID"]
    finally:
        assert api.delete(f"/deployments/{name}").status == 200
        engine.run("rmi", "test/moving:2")


def test_what_cannot_run_can_be_planned_away(api, deployments):
    name = deployments.create(start=True)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path, "w") as out:
        out.write("services: [")
    wait_until(
        lambda: "problem" in
        api.get(f"/deployments/{name}").json["deployment"]
    )
    plan = planned(api.delete(f"/deployments/{name}?plan=true"))
    assert actions(plan) == {"app": "remove"}
    assert plan["warnings"]
    answer = api.delete(f"/deployments/{name}?plan_id={plan['plan_id']}")
    assert answer.status == 200, answer
