"""Removing images: by name and by id, in use, and what is of no use."""

import itertools
import urllib.parse

import pytest

from clients import assert_error, wait_until
from conftest import one_service
from engine import random_image

numbers = itertools.count(1)


@pytest.fixture
def images(engine, api):
    """Makes small images with names of their own."""
    made = []

    def make(name=None, size=64 * 1024):
        name = name or f"test/extra-{next(numbers)}:1"
        made.append(
            engine.run("import", "-", name, input=random_image(size)).strip()
        )
        wait_until(lambda: find(api, made[-1]), what="the image in the list")
        return name, made[-1]

    yield make
    for one in made:
        engine.run("rmi", "-f", one, check=False)


def find(api, reference):
    quoted = urllib.parse.quote(reference, safe="")
    answer = api.get(f"/images/{quoted}")
    assert answer.status in (200, 404), answer
    return answer.json["image"] if answer.status == 200 else None


def remove(api, reference, query=""):
    quoted = urllib.parse.quote(reference, safe="")
    return api.delete(f"/images/{quoted}{query}")


def clean_up(api, **more):
    answer = api.post("/images/cleanup", more)
    assert answer.status == 200, answer
    assert answer.json["message"] == "System image cleanup complete"
    assert answer.json["count"] == len(answer.json["removed"])
    assert answer.json["dry_run"] is more.get("dry_run", False)
    return answer.json


def ids(body):
    return [one["id"] for one in body["removed"]]


def test_a_name_with_slashes_and_a_port_is_removed(api, engine, images):
    _, identity = images()
    name = "127.0.0.1:5999/team/web:1"
    engine.run("tag", identity, name)
    wait_until(lambda: find(api, name))
    answer = remove(api, name)
    assert answer.status == 200, answer
    assert answer.json["message"] == "Image removed"
    assert answer.json["id"] == name
    assert answer.json["untagged"] == [name]
    assert answer.json["deleted"] == []
    assert find(api, name) is None
    assert find(api, identity), "it has another name"


@pytest.mark.parametrize("cut", [
    lambda identity: identity,
    lambda identity: identity.removeprefix("sha256:"),
    lambda identity: identity.removeprefix("sha256:")[:12],
])
def test_an_id_is_removed(api, images, cut):
    name, identity = images()
    answer = remove(api, cut(identity))
    assert answer.status == 200, answer
    assert answer.json["id"] == cut(identity)
    assert identity in answer.json["deleted"]
    assert name in answer.json["untagged"]
    assert find(api, identity) is None


def test_an_image_in_use_is_409_with_who_uses_it(api, engine, images):
    name, identity = images()
    engine.run("create", "--name", "user-of-it", identity, "/none")
    try:
        for reference in (name, identity):
            body = assert_error(remove(api, reference), 409, "IN_USE")
            assert body["used_by"] == ["user-of-it"]
        assert find(api, identity)
        answer = remove(api, identity, "?force=true")
        assert answer.status == 200, answer
    finally:
        engine.run("rm", "-f", "user-of-it")


def test_a_running_image_is_not_removed_by_force(api, running, engine):
    container = engine.containers(running)[0]
    answer = remove(api, container["ImageID"], "?force=true")
    body = assert_error(answer, 409, "IN_USE")
    assert container["Names"][0].lstrip("/") in body["used_by"]


def test_several_names_are_a_conflict_by_id(api, engine, images):
    name, identity = images()
    other = name.replace(":1", ":2")
    engine.run("tag", name, other)
    wait_until(lambda: find(api, other))
    assert_error(remove(api, identity), 409, "CONFLICT")
    answer = remove(api, identity, "?force=1")
    assert answer.status == 200, answer
    assert sorted(answer.json["untagged"]) == [name, other]


def test_an_unknown_image_is_404(api):
    for reference in ("test/none:1", "sha256:" + "0" * 64, "00000000000"):
        assert_error(remove(api, reference), 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize("reference", [
    "a b", "a\r\nb", "..", "../containers/x", "a?force=1", "Web", "-a", "*",
    "sha256:",
])
def test_what_names_no_image_is_400(api, reference):
    answer = remove(api, reference)
    assert answer.status in (400, 404), answer
    assert answer.json["code"] in ("INVALID_IMAGE", "INVALID_PATH",
                                   "NOT_FOUND"), answer


def test_a_viewer_may_not_remove(viewer, images):
    name, _ = images()
    assert_error(remove(viewer, name), 403, "FORBIDDEN")
    answer = viewer.post("/images/cleanup", {"dry_run": True})
    assert_error(answer, 403, "FORBIDDEN")


def test_cleanup_removes_what_has_no_name(api, engine, images):
    size = 1024 * 1024
    name, identity = images(size=size)
    kept, _ = images()
    images(name=name, size=size)  # takes its name
    wait_until(lambda: find(api, identity)["tags"] == [])
    dry = clean_up(api, dry_run=True)
    assert identity in ids(dry)
    assert dry["freed_bytes"] >= size
    assert find(api, identity), "a dry run removes nothing"
    real = clean_up(api)
    assert identity in ids(real)
    assert real["freed_bytes"] >= size
    assert real["freed_bytes"] < 2 * dry["freed_bytes"]
    one = [it for it in real["removed"] if it["id"] == identity][0]
    assert one["tags"] == [] and one["size"] >= size
    assert find(api, identity) is None
    assert find(api, name) and find(api, kept)
    assert identity not in ids(clean_up(api))


def test_cleanup_of_all_spares_what_is_used_or_named(
    api, engine, images, deployments
):
    unused, unused_id = images()
    used, used_id = images()
    named, named_id = images()
    engine.run("create", "--name", "user-of-one", used, "/none")
    # It was never started: it has no container.
    deployments.create(one_service(named))
    try:
        dry = clean_up(api, all=True, dry_run=True)
        assert unused_id in ids(dry)
        assert used_id not in ids(dry) and named_id not in ids(dry)
        assert not any(
            one["Id"] == it["id"]
            for it in dry["removed"]
            for one in [engine.api(f"/images/{used}/json")]
        )
    finally:
        engine.run("rm", "-f", "user-of-one")


def test_cleanup_takes_no_other_types(api):
    assert_error(
        api.post("/images/cleanup", {"dry_run": "yes"}), 400, field="dry_run"
    )
    assert_error(api.post("/images/cleanup", {"all": 1}), 400, field="all")
