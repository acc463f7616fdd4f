"""The networks of the host."""

import re

import pytest

from clients import assert_error, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def networks(api, query=""):
    answer = api.get(f"/networks{query}")
    assert answer.status == 200, answer
    return answer.json["networks"]


def find(api, name):
    found = [one for one in networks(api) if one["name"] == name]
    return found[0] if found else None


@pytest.fixture
def network(engine):
    name = "by-hand"
    engine.run("network", "create", "--subnet", "10.78.0.0/24", "--gateway",
               "10.78.0.254", "--internal", "--label", "colour=red", name)
    yield name
    engine.run("network", "rm", name, check=False)


def test_a_network_made_by_hand_appears_and_vanishes(api, engine, network):
    one = wait_until(lambda: find(api, network), 2)
    inspected = engine.api(f"/networks/{network}")
    assert TIME.fullmatch(one["created"])
    assert one.pop("created")[:19] == inspected["Created"][:19]
    assert one == {
        "id": inspected["Id"][:12], "full_id": inspected["Id"],
        "name": network, "driver": "bridge", "scope": "local",
        "internal": True, "attachable": False, "ipv6": False,
        "subnet": "10.78.0.0/24", "gateway": "10.78.0.254",
        "containers": [], "labels": {"colour": "red"},
    }
    for name in (network, inspected["Id"], inspected["Id"][:12]):
        detail = api.get(f"/networks/{name}").json
        assert detail["network"] == detail["data"]
        assert detail["network"]["full_id"] == inspected["Id"]
        assert detail["network"]["options"] == {}
    engine.run("network", "rm", network)
    wait_until(lambda: not find(api, network), 2)
    assert_error(
        api.get(f"/networks/{network}"), 404, "NETWORK_NOT_FOUND")


def test_the_list_has_the_networks_of_docker_itself(api):
    body = api.get("/networks").json
    assert body["networks"] == body["data"] == body["items"]
    assert body["total"] == len(body["data"])
    assert {"bridge", "host", "none"} <= {
        one["name"] for one in body["networks"]}
    assert find(api, "none")["subnet"] == ""


def test_who_is_attached_is_told(api, engine, network):
    engine.run("run", "-d", "--name", "attached", "--network", network,
               "--ip", "10.78.0.7", "test/web:1")
    try:
        wait_until(lambda: find(api, network)["containers"], 2)
        inspected = engine.api(f"/networks/{network}")["Containers"]
        assert find(api, network)["containers"] == [
            {"name": one["Name"], "ipv4": one["IPv4Address"],
             "mac_address": one["MacAddress"]}
            for one in inspected.values()
        ]
        assert find(api, network)["containers"][0]["ipv4"] == "10.78.0.7/24"
        engine.run("network", "disconnect", network, "attached")
        wait_until(lambda: not find(api, network)["containers"], 2)
        engine.run("network", "connect", network, "attached")
        wait_until(lambda: find(api, network)["containers"], 2)
        # As the Engine has it: what is stopped is not attached.
        engine.run("stop", "attached")
        wait_until(lambda: not find(api, network)["containers"], 2)
    finally:
        engine.run("rm", "-f", "attached")


def test_the_networks_of_all_containers_are_those_of_the_engine(
        api, engine, running):
    def told():
        return {
            one["full_id"]: {user["name"] for user in one["containers"]}
            for one in networks(api)
        }

    def truth():
        return {
            one["Id"]: {
                user["Name"] for user in engine.api(
                    f"/networks/{one['Id']}")["Containers"].values()
            }
            for one in engine.api("/networks")
        }

    wait_until(lambda: told() == truth(), 5)
    assert any(told().values())


def test_filters_of_the_list(api, network):
    wait_until(lambda: find(api, network), 2)
    assert [one["name"] for one in networks(api, "?name=y-han")] == [network]
    assert {one["name"] for one in networks(api, "?driver=host")} == {"host"}


def test_the_list_has_an_etag_and_answers_304(api):
    for path in ("/networks", "/networks/bridge"):
        wait_until(lambda: api.get(path, headers={
            "If-None-Match": api.get(path).header("ETag")
        }).status == 304, 5)


@pytest.mark.parametrize("query", ["limit=0", "offset=x"])
def test_a_bad_query_is_400(api, query):
    assert_error(
        api.get(f"/networks?{query}"), 400, field=query.partition("=")[0])


@pytest.mark.parametrize("name", [
    ".hidden", "-x", "a%2Fb", "a%20b", "%2E%2E", "x" * 129, "a%3Fb",
])
def test_what_is_no_name_is_400(api, name):
    assert_error(api.get(f"/networks/{name}"), 400, "INVALID_NAME", "name")
