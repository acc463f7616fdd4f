"""Networks: created, removed, connected and disconnected."""

import pytest

from clients import assert_error


@pytest.fixture
def made(engine):
    """Names of networks that go with the test."""
    names = []
    yield names
    for name in names:
        engine.run("network", "rm", name, check=False)


def inspect(engine, name):
    return engine.api(f"/networks/{name}")


def networks_of(engine, identity):
    found = engine.api(f"/containers/{identity}/json")
    return sorted(found["NetworkSettings"]["Networks"])


def test_a_network_is_created(api, engine, made):
    made.append("net.one_1")
    answer = api.post("/networks", {
        "name": "net.one_1", "subnet": "10.77.0.0/24", "gateway": "10.77.0.9",
        "internal": True, "labels": {"team": "blue"},
    })
    assert answer.status == 201, answer
    assert answer.json["message"] == "Network created"
    assert answer.json["name"] == "net.one_1"
    one = api.get("/networks/net.one_1").json["network"]
    assert one["driver"] == "bridge" and one["internal"] is True
    assert one["subnet"] == "10.77.0.0/24" and one["gateway"] == "10.77.0.9"
    assert one["labels"] == {"team": "blue"}
    assert inspect(engine, "net.one_1")["Internal"] is True


def test_a_network_of_ipv6_is_created(api, engine, made):
    made.append("net-six")
    answer = api.post("/networks", {
        "name": "net-six", "subnet": "fd00:77::/64", "internal": True,
    })
    assert answer.status == 201, answer
    assert inspect(engine, "net-six")["EnableIPv6"] is True


def test_a_network_that_exists_is_409(api, made, engine):
    made.append("net-two")
    assert api.post("/networks", {"name": "net-two"}).status == 201
    answer = api.post("/networks", {"name": "net-two", "internal": True})
    assert_error(answer, 409, "ALREADY_EXISTS")
    assert_error(
        api.post("/networks", {"name": "bridge"}), 409, "ALREADY_EXISTS"
    )
    assert inspect(engine, "net-two")["Internal"] is False


def test_addresses_that_are_taken_are_no_500(api, made):
    made.append("net-three")
    assert api.post("/networks", {
        "name": "net-three", "subnet": "10.78.0.0/24",
    }).status == 201
    answer = api.post("/networks", {
        "name": "net-four", "subnet": "10.78.0.0/16",
    })
    assert_error(answer, 409, "SUBNET_IN_USE", "subnet")


@pytest.mark.parametrize("name", [
    "", "a", "-ab", "a/b", "../ab", "a b", "ab\n", "a" * 129,
])
def test_a_name_out_of_grammar_is_400(api, name):
    answer = api.post("/networks", {"name": name})
    assert_error(answer, 400, "INVALID_NAME", "name")


@pytest.mark.parametrize("more, field", [
    ({"subnet": "10.0.0.0"}, "subnet"), ({"subnet": "10.0.0.0/33"}, "subnet"),
    ({"subnet": "10.0.0.1/24"}, "subnet"), ({"subnet": "x/8"}, "subnet"),
    ({"subnet": "10.0.0.0/08"}, "subnet"), ({"subnet": "10.0.0.0/ 8"}, "subnet"),
    ({"subnet": "10.0.0.0/0"}, "subnet"), ({"subnet": "::/129"}, "subnet"),
    ({"subnet": "10.0.0/24"}, "subnet"), ({"subnet": 10}, "subnet"),
    ({"subnet": "10.0.0.0/24", "gateway": "10.0.1.1"}, "gateway"),
    ({"subnet": "10.0.0.0/24", "gateway": "fd00::1"}, "gateway"),
    ({"subnet": "10.0.0.0/24", "gateway": "x"}, "gateway"),
    ({"gateway": "10.0.0.1"}, "subnet"), ({"internal": "yes"}, "internal"),
    ({"labels": {"a": None}}, "labels.a"), ({"driver": "a b"}, "driver"),
])
def test_fields_are_checked(api, engine, more, field):
    answer = api.post("/networks", {"name": "net-bad", **more})
    assert_error(answer, 400, "INVALID_REQUEST", field)
    assert inspect(engine, "net-bad") is None


@pytest.mark.parametrize("more, field", [
    ({"driver": "macvlan"}, "driver"), ({"driver": "ipvlan"}, "driver"),
    ({"driver": "host"}, "driver"),
    ({"labels": {"com.docker.compose.network": "default"}}, "labels"),
])
def test_what_reaches_the_host_is_403(api, engine, more, field):
    answer = api.post("/networks", {"name": "net-bad", **more})
    assert_error(answer, 403, "NETWORK_POLICY", field)
    assert inspect(engine, "net-bad") is None


def test_a_network_is_removed(api, by_hand, engine):
    by_hand.network("net-five")
    answer = api.delete("/networks/net-five")
    assert answer.status == 200, answer
    assert answer.json["message"] == "Network deleted"
    assert answer.json["name"] == "net-five"
    assert inspect(engine, "net-five") is None
    assert_error(api.delete("/networks/net-five"), 404, "NETWORK_NOT_FOUND")


def test_a_network_is_removed_by_its_id(api, by_hand, engine):
    by_hand.network("net-seven")
    identity = inspect(engine, "net-seven")["Id"][:12]
    answer = api.delete(f"/networks/{identity}")
    assert answer.status == 200 and answer.json["name"] == identity, answer
    assert inspect(engine, "net-seven") is None


def test_a_network_in_use_says_by_whom(api, by_hand, engine):
    by_hand.network("net-eight")
    by_hand.container("--name", "net-user", "--network", "net-eight")
    answer = api.delete("/networks/net-eight")
    body = assert_error(answer, 409, "IN_USE")
    assert body["used_by"] == ["net-user"]
    assert inspect(engine, "net-eight") is not None
    # A container that does not run holds none.
    api.post("/containers/net-user/stop")
    assert api.delete("/networks/net-eight").status == 200


@pytest.mark.parametrize("name", ["bridge", "host", "none"])
def test_networks_of_docker_are_protected(api, engine, name):
    assert_error(api.delete(f"/networks/{name}"), 403, "PROTECTED")
    assert inspect(engine, name) is not None


@pytest.mark.parametrize("name", ["host", "none"])
@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_nothing_is_connected_to_the_host(api, by_hand, name, verb):
    identity = by_hand.container()
    answer = api.post(f"/networks/{name}/{verb}", {"container": identity})
    assert_error(answer, 403, "PROTECTED")


def test_a_container_is_connected_and_disconnected(api, by_hand, engine):
    by_hand.network("net-nine")
    identity = by_hand.container("--name", "net-member")
    for _ in range(2):
        answer = api.post(
            "/networks/net-nine/connect", {"container": "net-member"}
        )
        assert answer.status == 200, answer
        assert answer.json["message"] == "Container connected"
        assert answer.json["network"] == "net-nine"
        assert answer.json["container"] == "net-member"
        assert networks_of(engine, identity) == ["bridge", "net-nine"]
        members = api.get("/networks/net-nine").json["network"]["containers"]
        assert [one["name"] for one in members] == ["net-member"]
    for _ in range(2):
        answer = api.post("/networks/net-nine/disconnect", {
            "container": identity[:12], "force": True,
        })
        assert answer.status == 200, answer
        assert answer.json["message"] == "Container disconnected"
        assert answer.json["container"] == identity[:12]
        assert networks_of(engine, identity) == ["bridge"]
        network = api.get("/networks/net-nine").json["network"]
        assert network["containers"] == []


def test_bridge_can_be_left_and_joined(api, by_hand, engine):
    identity = by_hand.container()
    answer = api.post("/networks/bridge/disconnect", {"container": identity})
    assert answer.status == 200, answer
    assert networks_of(engine, identity) == []
    answer = api.post("/networks/bridge/connect", {"container": identity})
    assert answer.status == 200, answer
    assert networks_of(engine, identity) == ["bridge"]


def test_what_is_not_there_is_404(api, by_hand):
    by_hand.network("net-ten")
    identity = by_hand.container()
    for verb in ("connect", "disconnect"):
        answer = api.post(f"/networks/net-none/{verb}", {"container": identity})
        assert_error(answer, 404, "NETWORK_NOT_FOUND")
        answer = api.post(f"/networks/net-ten/{verb}", {"container": "nobody"})
        assert_error(answer, 404, "CONTAINER_NOT_FOUND")


@pytest.mark.parametrize("content, code", [
    ({}, "INVALID_ID"), ({"container": ""}, "INVALID_ID"),
    ({"container": "../x"}, "INVALID_ID"), ({"container": 1}, None),
])
def test_the_container_is_checked(api, by_hand, content, code):
    by_hand.network("net-eleven")
    answer = api.post("/networks/net-eleven/connect", content)
    assert_error(answer, 400, code, "container")


def test_a_viewer_changes_nothing(viewer, by_hand, engine):
    by_hand.network("net-twelve")
    for answer in (
        viewer.post("/networks", {"name": "net-new"}),
        viewer.delete("/networks/net-twelve"),
        viewer.post("/networks/net-twelve/connect", {"container": "x"}),
        viewer.post("/networks/net-twelve/disconnect", {"container": "x"}),
    ):
        assert_error(answer, 403, "FORBIDDEN")
    assert inspect(engine, "net-new") is None
