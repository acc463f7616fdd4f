"""Validation of Compose texts, by the program validate beside this."""

import os
import subprocess

WHAT = {
    "ordinary": "validation of 1 MB, 350 services",
    "comments": "the same of comments",
    "nodes": "the same, 9,900 values at depth 63",
    "aliases": "100 aliases of 90 values each",
    "variables": "9,000 nested variables, 3.6 MB",
    "keys": "4,900 long keys of one mapping",
    "mounts": "9,900 mounts",
    "paths": "960 mounts of 4 KiB each",
    "services": "2,490 services",
    "!brackets": "1 MB of brackets, refused",
    "!laughs": "a billion laughs, refused",
}
# What people write, and the nastiest that the limits let through.
AIMS_MS = {"ordinary": 50}
AIM_MS = 1000
AIM_KIB = 64 * 1024


def measure(bench):
    program = os.path.join(
        os.environ["FLATRUN_TEST_BINARIES"], "tests", "bench", "validate"
    )
    out = subprocess.run(
        [program, str(bench.rounds(31))], check=True, capture_output=True,
        text=True,
    ).stdout
    for line in out.splitlines():
        name, _, taken, peak = line.split()
        taken, peak = int(taken) / 1000, int(peak)
        aim = AIMS_MS.get(name, AIM_MS)
        bench.add(
            WHAT[name], f"{taken:.1f} ms, {peak / 1024:.1f} MiB",
            aim=f"< {aim} ms, < {AIM_KIB // 1024} MiB",
            met=taken < aim and peak < AIM_KIB,
        )
