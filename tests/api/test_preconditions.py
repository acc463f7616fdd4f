"""If-Match, If-None-Match and the ETags that they are about."""

import concurrent.futures
import os

from clients import assert_error, wait_until
from conftest import one_service


def etag(api, name):
    answer = api.get(f"/deployments/{name}")
    assert answer.status == 200, answer
    return answer.header("etag")


def version(tag):
    return tag.removeprefix("W/").strip('"').split(".")[0]


def put(api, name, comment, tag):
    return api.put(
        f"/deployments/{name}",
        {"compose_content": one_service() + f"# {comment}\n"},
        headers={"If-Match": tag},
    )


def test_the_etag_names_the_version_of_the_files(api, deployments):
    name = deployments.create()
    answer = api.get(f"/deployments/{name}")
    tag = answer.header("etag")
    assert answer.json["deployment"]["version"] == version(tag)
    assert answer.header("cache-control") == "no-cache"
    other = api.get(f"/deployments/{name}/compose").header("etag")
    assert version(other) == version(tag) and other != tag
    same = api.get(f"/deployments/{name}", headers={"If-None-Match": tag})
    assert same.status == 304 and same.text == ""


def test_a_start_changes_the_tag_and_not_the_version(api, deployments):
    name = deployments.create()
    tag = etag(api, name)
    assert api.post(f"/deployments/{name}/start").status == 200
    answer = api.get(f"/deployments/{name}", headers={"If-None-Match": tag})
    assert answer.status == 200, answer
    assert answer.header("etag") != tag
    assert version(answer.header("etag")) == version(tag)
    answer = put(api, name, "edited meanwhile", tag)
    assert answer.status == 200, answer


def test_of_two_editors_the_second_is_told(api, deployments):
    name = deployments.create()
    tag = etag(api, name)
    assert put(api, name, "one", tag).status == 200
    answer = put(api, name, "two", tag)
    assert_error(answer, 412, "PRECONDITION_FAILED")
    assert answer.json["version"] == version(etag(api, name))
    content = api.get(f"/deployments/{name}/compose").json["content"]
    assert content == one_service() + "# one\n"


def test_who_goes_on_editing_is_told_the_version(api, deployments):
    name = deployments.name()
    answer = api.post("/deployments", {
        "name": name, "compose_content": one_service(),
    })
    for text in ("one", "two"):
        told = answer.json["version"]
        assert told == version(etag(api, name))
        answer = put(api, name, text, f'"{told}"')
        assert answer.status == 200, answer
    answer = api.put(f"/deployments/{name}/metadata", {"type": "tool"},
                     headers={"If-Match": f'"{answer.json["version"]}"'})
    assert answer.status == 200, answer
    assert answer.json["version"] == version(etag(api, name))


def test_of_editors_at_once_one_wins(api, deployments):
    name = deployments.create()
    tag = etag(api, name)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(
            lambda text: put(api, name, text, tag).status, "abcd"
        ))
    # The others came while it was under way, or after it.
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 409, 412}


def test_an_edit_by_hand_counts(api, deployments):
    name = deployments.create()
    tag = etag(api, name)
    path = os.path.join(deployments.directory(name), "docker-compose.yml")
    with open(path, "a") as out:
        out.write("# by hand\n")
    # The agent looks at the files, and not at what it has of them.
    answer = api.delete(f"/deployments/{name}", headers={"If-Match": tag})
    assert_error(answer, 412, "PRECONDITION_FAILED")
    wait_until(lambda: version(etag(api, name)) != version(tag))
    tag = etag(api, name)
    answer = api.delete(f"/deployments/{name}", headers={"If-Match": tag})
    assert answer.status == 200, answer


def test_the_environment_is_part_of_the_version(api, deployments):
    versions = []
    name = deployments.name()
    for value in ("1", "2", "1"):
        deployments.create(
            name=name, env_vars=[{"key": "A", "value": value}]
        )
        versions.append(version(etag(api, name)))
        assert api.delete(f"/deployments/{name}").status == 200
    assert versions[0] == versions[2] != versions[1]


def test_every_change_of_a_deployment_looks(api, deployments):
    name = deployments.create()
    path = f"/deployments/{name}"
    before = api.get(path).json
    for method, end, body in (
        ("PUT", "", {"compose_content": one_service("test/web:2")}),
        ("PUT", "/env", {"env_vars": []}),
        ("PUT", "/metadata", {"type": "tool"}),
        ("PUT", "/services/app/image", {"image": "test/web:2"}),
        ("POST", "/rollback", {"revision": 1}),
        ("POST", "/start", None),
        ("DELETE", "", None),
    ):
        answer = api.request(
            method, path + end, body, headers={"If-Match": '"other.1"'}
        )
        assert_error(answer, 412, "PRECONDITION_FAILED")
    assert api.get(path).json == before


def test_any_version_or_one_of_several_will_do(api, deployments):
    name = deployments.create()
    assert put(api, name, "x", "*").status == 200
    # Weak, as nginx has it when it compresses.
    tag = etag(api, name)
    assert put(api, name, "y", f'"other.1", W/{tag}').status == 200
    answer = api.put(
        "/deployments/nobody",
        {"compose_content": one_service()},
        headers={"If-Match": "*"},
    )
    assert_error(answer, 404, "DEPLOYMENT_NOT_FOUND")


def test_a_creation_can_ask_for_a_free_name(api, deployments):
    name = deployments.name()
    body = {"name": name, "compose_content": one_service()}
    only_new = {"If-None-Match": "*"}
    answer = api.post("/deployments", body, headers=only_new)
    assert answer.status == 201, answer
    answer = api.post("/deployments", body, headers=only_new)
    assert_error(answer, 412, "PRECONDITION_FAILED")
    assert answer.json["version"] == version(etag(api, name))
    assert_error(api.post("/deployments", body), 409, "ALREADY_EXISTS")


def test_what_is_no_list_of_tags_is_refused(api, deployments):
    name = deployments.create()
    for text in ("x", '"open', '"a" "b"x', ",", '"a",x'):
        answer = api.delete(
            f"/deployments/{name}", headers={"If-Match": text}
        )
        assert_error(answer, 400, "INVALID_PRECONDITION", "If-Match")
