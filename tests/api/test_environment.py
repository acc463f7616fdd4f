"""The environment of a deployment: order, comments, masks, who sees what."""

import os
import threading

import pytest

from clients import assert_error
from conftest import one_service

MASK = "********"


@pytest.fixture
def blog(deployments):
    return deployments.create(
        one_service(environment='{GREETING: "${GREETING:-none}"}')
    )


def write(deployments, name, text):
    path = os.path.join(deployments.directory(name), ".env.flatrun")
    with open(path, "w") as out:
        out.write(text)


def read(deployments, name):
    path = os.path.join(deployments.directory(name), ".env.flatrun")
    with open(path) as text:
        return text.read()


def values(api, name, query=""):
    answer = api.get(f"/deployments/{name}/env{query}")
    assert answer.status == 200, answer
    return {one["key"]: one["value"] for one in answer.json["env_vars"]}


def put(api, name, variables, **more):
    return api.put(f"/deployments/{name}/env", {
        "env_vars": [
            {"key": key, "value": value} for key, value in variables.items()
        ],
        **more,
    })


def test_a_deployment_without_environment_has_an_empty_one(api, blog):
    answer = api.get(f"/deployments/{blog}/env")
    assert answer.status == 200, answer
    assert answer.json["env_vars"] == [] == answer.json["data"]
    assert answer.header("Cache-Control") == "no-store"


def test_what_is_put_is_there_and_nothing_is_restarted(
        api, deployments, engine):
    name = deployments.create(one_service(), start=True)
    before = engine.containers(name)[0]["Id"]
    answer = put(api, name, {"B": "2", "A": "one two", "EMPTY": ""})
    assert answer.status == 200, answer
    assert answer.json["message"] == "Environment variables updated"
    assert answer.json["applied"] is False
    assert values(api, name) == {"B": "2", "A": "one two", "EMPTY": ""}
    assert read(deployments, name) == "B=2\nA=one two\nEMPTY=\n"
    path = os.path.join(deployments.directory(name), ".env.flatrun")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert engine.containers(name)[0]["Id"] == before


def test_order_and_comments_stay_where_they_are(api, blog, deployments):
    write(deployments, blog,
          "# the first\nexport ONE=1\n\nTWO='2 # no comment'\n"
          "# the last\nTHREE=3\nno line of ours\n")
    assert put(api, blog, {
        "NEW": "x", "THREE": "drei", "TWO": "2 # no comment", "ONE": "1",
    }).status == 200
    assert read(deployments, blog) == (
        "# the first\nexport ONE=1\n\nTWO='2 # no comment'\n"
        "# the last\nTHREE=drei\nno line of ours\nNEW=x\n"
    )
    assert put(api, blog, {"NEW": "x"}).status == 200
    assert read(deployments, blog) == (
        "# the first\n\n# the last\nno line of ours\nNEW=x\n"
    )


def test_of_a_variable_that_is_there_twice_the_last_counts(
        api, blog, deployments):
    write(deployments, blog, "A=1\nB=2\nA=3\n")
    assert values(api, blog) == {"B": "2", "A": "3"}
    assert put(api, blog, {"B": "2", "A": "3"}).status == 200
    assert read(deployments, blog) == "B=2\nA=3\n"


SECRETS = {
    "DB_PASSWORD": "hunter2 is known",
    "API_TOKEN": "tok-9",
    "APP_KEY": "base64:abc=",
    "DATABASE_URL": "postgres://app:pa55@db/app",
    "AWS_SECRET": "x",
}
PLAIN = {"GREETING": "hello", "PORT": "8080", "URL": "https://example.org/a"}


def test_secrets_are_masked_and_masks_keep_them(
        api, blog, viewer, operator, deployments):
    assert put(api, blog, {**SECRETS, **PLAIN}).status == 200
    for one in (viewer, operator, api):
        answer = one.get(f"/deployments/{blog}/env")
        for secret in SECRETS.values():
            if len(secret) > 1:
                assert secret not in answer.text
        shown = {each["key"]: each for each in answer.json["env_vars"]}
        for key in SECRETS:
            assert shown[key]["value"] == MASK
            assert shown[key]["masked"] is True
        for key, value in PLAIN.items():
            assert shown[key]["value"] == value
            assert shown[key]["masked"] is False
    before = read(deployments, blog)
    # A client sends back what it was shown, and changes one of it.
    shown = values(operator, blog)
    assert put(operator, blog, shown).status == 200
    assert read(deployments, blog) == before
    shown["API_TOKEN"] = "another"
    assert put(operator, blog, shown).status == 200
    now = values(api, blog, "?reveal=true")
    assert now == {**SECRETS, **PLAIN, "API_TOKEN": "another"}


def test_only_an_administrator_reveals_and_that_is_logged(
        api, blog, viewer, operator, service):
    assert put(api, blog, {"DB_PASSWORD": "s3cret-one"}).status == 200
    for one in (viewer, operator):
        answer = one.get(f"/deployments/{blog}/env?reveal=true")
        assert_error(answer, 403)
        assert "s3cret-one" not in answer.text
    answer = api.get(f"/deployments/{blog}/env?reveal=true")
    assert answer.json["env_vars"] == [
        {"key": "DB_PASSWORD", "value": "s3cret-one", "masked": False}
    ]
    log = service.log("workers")
    assert any("secrets revealed" in line and f'"{blog}"' in line
               for line in log.splitlines())
    assert "s3cret-one" not in log


def test_a_mask_without_a_value_behind_it_is_refused(api, blog, deployments):
    assert put(api, blog, {"A_KEY": "1"}).status == 200
    assert_error(
        put(api, blog, {"OTHER_KEY": MASK}), 400, "INVALID_ENVIRONMENT"
    )
    assert read(deployments, blog) == "A_KEY=1\n"


def test_secrets_are_neither_in_the_job_nor_in_the_log(
        api, blog, service, operator):
    answer = put(operator, blog, {"DB_PASSWORD": "very-s3cret-word"})
    assert answer.status == 200, answer
    assert "very-s3cret-word" not in answer.text
    job = api.get(f"/jobs/{answer.json['job_id']}")
    assert job.status == 200 and "very-s3cret-word" not in job.text
    for name in ("agent", "workers"):
        assert "very-s3cret-word" not in service.log(name)


@pytest.mark.parametrize("variables", [
    [{"key": "1A", "value": "x"}],
    [{"key": "A B", "value": "x"}],
    [{"key": "A\u0000", "value": "x"}],
    [{"key": "", "value": "x"}],
    [{"value": "x"}],
    [{"key": "A", "value": "two\nlines"}],
    [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}],
    [{"key": "A", "value": 1}],
    ["A=1"],
    "A=1",
    None,
])
def test_what_is_no_environment_changes_nothing(
        api, blog, deployments, variables):
    write(deployments, blog, "KEPT=1\n")
    answer = api.put(f"/deployments/{blog}/env", {"env_vars": variables})
    assert_error(answer, 400)
    assert read(deployments, blog) == "KEPT=1\n"


def test_a_variable_that_breaks_the_policy_is_refused(
        api, deployments):
    name = deployments.create(
        'services:\n  app:\n    image: test/web:1\n'
        '    volumes: ["${DATA:-./data}:/data"]\n'
    )
    answer = put(api, name, {"DATA": "/etc"})
    assert_error(answer, 403)
    assert not os.path.exists(
        os.path.join(deployments.directory(name), ".env.flatrun"))


def test_a_viewer_looks_and_changes_nothing(viewer, blog):
    assert viewer.get(f"/deployments/{blog}/env").status == 200
    assert_error(put(viewer, blog, {"A": "1"}), 403)


def test_an_unknown_deployment_has_no_environment(api):
    assert_error(api.get("/deployments/nobody/env"), 404)
    assert_error(put(api, "nobody", {"A": "1"}), 404)
    assert_error(api.get("/deployments/..%2fx/env"), 400, "INVALID_NAME")


def test_two_writers_are_told_apart(api, blog, deployments):
    """Each is done as a whole, or refused."""
    statuses = []

    def write_one(number):
        statuses.append((number, put(api, blog, {
            f"V{index}": str(number) for index in range(50)
        }).status))

    threads = [threading.Thread(target=write_one, args=(number,))
               for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for _, status in statuses} <= {200, 409}
    stored = set(values(api, blog).values())
    assert len(stored) == 1
    assert int(stored.pop()) in [
        number for number, status in statuses if status == 200
    ]


@pytest.mark.parametrize("apply", [True, False])
def test_apply_brings_the_new_environment_up(
        api, deployments, engine, apply):
    name = deployments.create(
        one_service(environment='{GREETING: "${GREETING:-none}"}'), start=True
    )
    answer = put(api, name, {"GREETING": "moin"}, apply=apply)
    assert answer.status == 200, answer
    container = engine.containers(name)[0]["Id"]
    environment = engine.run(
        "inspect", "--format", "{{json .Config.Env}}", container)
    assert ("GREETING=moin" in environment) is apply
    assert answer.json["needs_apply"] is not apply


def test_a_plan_says_what_would_be_and_changes_nothing(
        api, deployments, engine):
    name = deployments.create(
        one_service(environment='{GREETING: "${GREETING:-none}"}'), start=True
    )
    container = engine.containers(name)[0]["Id"]
    answer = api.put(f"/deployments/{name}/env?plan=true", {
        "env_vars": [{"key": "GREETING", "value": "moin"},
                     {"key": "DB_PASSWORD", "value": "never-shown"}],
        "apply": True,
    })
    assert answer.status == 200, answer
    assert "never-shown" not in answer.text
    assert values(api, name) == {}
    assert engine.containers(name)[0]["Id"] == container
    plan_id = answer.json["plan"]["plan_id"]
    body = {"env_vars": [{"key": "GREETING", "value": "moin"},
                         {"key": "DB_PASSWORD", "value": "never-shown"}],
            "apply": True}
    write(deployments, name, "OTHER=1\n")
    path = f"/deployments/{name}/env?plan_id={plan_id}"
    assert_error(api.put(path, body), 412)
    os.unlink(os.path.join(deployments.directory(name), ".env.flatrun"))
    answer = api.put(path, body)
    assert answer.status == 200, answer
    assert engine.containers(name)[0]["Id"] != container


def test_an_environment_that_breaks_the_service_is_rolled_back(
        api, deployments, engine):
    name = deployments.create(
        one_service(healthcheck='{test: ["CMD-SHELL", "test $$OK = yes"], '
                                'interval: 1s, retries: 1, timeout: 2s}',
                    environment='{OK: "${OK:-yes}"}'), start=True)
    assert put(api, name, {"OK": "yes"}, apply=True).status == 200
    answer = put(api, name, {"OK": "no"}, apply=True)
    assert answer.status in (502, 422), answer
    assert answer.json["code"] == "ROLLED_BACK", answer
    assert values(api, name) == {"OK": "yes"}
    environment = engine.run("inspect", "--format", "{{json .Config.Env}}",
                             engine.containers(name)[0]["Id"])
    assert "OK=yes" in environment
