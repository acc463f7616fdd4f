"""Updates of a deployment beside the same with Compose by hand."""

import os
import time

from measure import median, timed
from service import COMPOSE

HEALTHCHECK = (
    "    healthcheck: {test: [CMD, 'true'], interval: 500ms, retries: 3}\n"
    "    stop_grace_period: 1s\n"
)
ROUNDS = 9


def project(image):
    """Three services, of which the first has the image."""
    images = (image, "test/web:1", "test/web:1")
    return "services:\n" + "".join(
        f"  {name}:\n    image: {one}\n{HEALTHCHECK}"
        for name, one in zip(("one", "two", "three"), images)
    )


class Updates:
    def __init__(self, bench):
        self.bench = bench
        self.stand = bench.stand
        self.client = bench.stand.client
        self.name = "updated"
        self.where = os.path.join(bench.stand.directory, "by-hand")

    def start(self):
        os.mkdir(self.where)
        self.by_hand("test/web:1")
        answer = self.client.post("/deployments", {
            "name": self.name, "compose_content": project("test/web:1"),
            "auto_start": True,
        })
        assert answer.status == 201, answer
        self.by_service("test/web:1")

    def by_hand(self, image):
        path = os.path.join(self.where, "docker-compose.yml")
        with open(path, "w") as out:
            out.write(project(image))
        self.stand.compose(2, self.where, "up", "-d", "--wait")

    def by_service(self, image, status=200):
        answer = self.client.put(f"/deployments/{self.name}", {
            "compose_content": project(image), "apply": True,
        })
        assert answer.status == status, answer

    def roll_back(self):
        answer = self.client.post(f"/deployments/{self.name}/rollback", {})
        assert answer.status == 200, answer

    def compare(self, ours, theirs, before=None):
        """In turns; what comes before both is not measured."""
        turns = []
        for number in range(self.bench.rounds(ROUNDS)):
            image = f"test/web:{2 - number % 2}"
            if before is not None:
                image = "test/web:1"
                before("test/web:2")
            turns.append((timed(ours, image), timed(theirs, image)))
        return [median(times) for times in zip(*turns)], median(
            one / other for one, other in turns)

    def update_both(self, image):
        self.by_service(image)
        self.by_hand(image)

    def add(self, what, ours, theirs, ratio, ms):
        self.bench.add(
            what, ms(ours), f"compose up -d --wait {ms(theirs)}",
            f"{(ratio - 1) * 100:+.1f} %", "<= +10 %", ratio <= 1.1,
        )

    def stop(self):
        self.stand.compose(2, self.where, "down", "-t", "0")
        self.client.delete(f"/deployments/{self.name}")


def measure(bench, ms):
    if not COMPOSE[2]:
        bench.say("there is no Compose 2 here")
        return
    updates = Updates(bench)
    updates.start()
    try:
        (ours, theirs), ratio = updates.compare(
            updates.by_service, updates.by_hand)
        updates.add("update of one of 3 services", ours, theirs, ratio, ms)
        (ours, theirs), ratio = updates.compare(
            lambda image: updates.roll_back(), updates.by_hand,
            before=updates.update_both,
        )
        updates.add("rollback of one of 3 services", ours, theirs, ratio, ms)
        started = time.monotonic()
        updates.by_service("test/quitter:1", 502)
        bench.add(
            "update that crashes, old version healthy",
            ms(time.monotonic() - started),
        )
    finally:
        updates.stop()
