"""Events: what changes, as it does, and what was missed."""

import itertools
import json

import pytest

from clients import assert_error, wait_until


def read_records(answer):
    """(id, event, data) of each server-sent event."""
    number, name, data = None, "message", []
    while line := answer.readline():
        line = line.decode("utf-8").rstrip("\r\n")
        if line.startswith("id:"):
            number = line[3:].strip()
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line == "" and data:
            yield number, name, json.loads("\n".join(data))
            number, name, data = None, "message", []


class Events:
    """A stream of events that stays open for a test."""

    def __init__(self, api, query="", last=None):
        headers = {"Last-Event-ID": last} if last is not None else {}
        self.connection, answer = api.open(
            "GET", "/events" + query, headers=headers, timeout=30
        )
        assert answer.status == 200, answer.read()
        assert answer.getheader("Content-Type") == "text/event-stream"
        self.records = read_records(answer)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.connection.sock.close()
        self.connection.close()

    def next(self, event=None):
        for record in self.records:
            if event is None or record[1] == event:
                return record
        raise AssertionError(f"the stream ended before a {event}")

    def until(self, wanted, limit=200):
        """All records up to the first for which wanted(record) is true."""
        seen = []
        for record in itertools.islice(self.records, limit):
            seen.append(record)
            if wanted(record):
                return seen
        raise AssertionError(f"not among {seen}")


def is_status(event, status):
    return lambda record: (
        record[1] == event
        and status in (record[2].get("status"), record[2].get("state"))
    )


def test_a_start_is_told_of_job_container_and_deployment(api, deployments):
    name = deployments.create()
    with Events(api, f"?deployment={name}") as events:
        number, event, data = events.next()
        assert event == "ready" and number.isdigit(), data
        api.post(f"/deployments/{name}/start")
        seen = events.until(
            lambda record: is_status("job", "succeeded")(record)
        )
    kinds = [(event, data.get("status") or data.get("state"))
             for _, event, data in seen]
    assert ("job", "pending") in kinds and ("job", "running") in kinds
    assert ("container", "running") in kinds
    assert ("deployment", "running") in kinds
    # The record is complete before anybody is told that it is done.
    assert kinds.index(("deployment", "running")) < len(kinds) - 1
    numbers = [int(number) for number, _, _ in seen]
    assert numbers == sorted(set(numbers))
    job = seen[-1][2]
    assert job["kind"] == "deployment.start" and job["deployment"] == name
    container = next(data for _, event, data in seen if event == "container")
    assert container["deployment_name"] == name
    assert len(container["id"]) == 12 and container["name"]


def test_a_removal_is_told(api, deployments):
    name = deployments.create()
    with Events(api, f"?types=deployment&deployment={name}") as events:
        events.next("ready")
        api.delete(f"/deployments/{name}")
        _, _, data = events.next("deployment")
    assert data == {
        "type": "deployment", "time": data["time"], "name": name,
        "status": "removed", "deployment": name,
    }


def test_what_was_missed_is_replayed_without_gaps_or_repeats(
        api, deployments):
    name = deployments.create()
    query = f"?deployment={name}"
    with Events(api, query) as events:
        events.next("ready")
        api.post(f"/deployments/{name}/start")
        first = events.until(is_status("job", "running"))
    last = first[-1][0]
    wait_until(
        lambda: api.get(f"/deployments/{name}").json["deployment"]["status"]
        == "running"
    )
    api.post(f"/deployments/{name}/stop")
    with Events(api, query, last) as events:
        missed = events.until(
            lambda record: is_status("job", "succeeded")(record)
            and record[2]["kind"] == "deployment.stop"
        )
    assert all(int(number) > int(last) for number, _, _ in missed)
    assert not any(event in ("ready", "reset") for _, event, _ in missed)
    statuses = [data["status"] for _, event, data in missed
                if event == "deployment"]
    assert statuses == ["running", "stopped"]
    # All of it at once, for one who was there and one who was not.
    with Events(api, query, first[0][0]) as events:
        again = events.until(lambda record: record[0] == missed[-1][0])
    assert again == first[1:] + missed


@pytest.mark.parametrize("last", ["999999999999", "nonsense", "-1", ""])
def test_an_id_that_is_not_on_record_resets(api, last):
    with Events(api, last=last or " ") as events:
        number, event, _ = events.next()
    assert event in ("reset", "ready") and number.isdigit()
    if last.strip():
        assert event == "reset"


def test_only_wanted_types_come(api, deployments):
    name = deployments.create()
    with Events(api, f"?types=job&deployment={name}") as events:
        events.next("ready")
        api.post(f"/deployments/{name}/start")
        seen = events.until(is_status("job", "succeeded"))
    assert {event for _, event, _ in seen} == {"job"}
    assert [data["status"] for _, _, data in seen] == [
        "pending", "running", "succeeded"
    ]


def test_that_docker_answers_is_told_at_once(api):
    with Events(api, "?types=docker") as events:
        events.next("ready")
        _, _, data = events.next("docker")
    assert data == {"type": "docker", "status": "up", "stale": False}


@pytest.mark.parametrize("query", [
    "types=", "types=job,", "types=images", "types=Job", "deployment=..",
    "deployment=A%20b", "types=job%0d%0aX: y",
])
def test_a_bad_filter_is_400(api, query):
    answer = api.get(f"/events?{query.replace(' ', '%20')}")
    assert_error(answer, 400)


def test_events_need_a_token(anonymous):
    assert_error(anonymous.get("/events"), 401, "UNAUTHORIZED")


def test_events_are_bounded_in_the_database(service):
    with service.database() as database:
        count = database.execute("SELECT count(*) FROM events").fetchone()[0]
    # Forgotten every minute beyond this.
    assert 0 < count < 20000
