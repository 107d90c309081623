"""A hub that many watch: fifty browser speakers, two hundred pages that are told of everything, and two hundred requests a
second, while it plays; used by bench.py.

Two speakers of another process (`antiphon load`) hear the same programme with and without the crowd: what is late for them
is the hub's doing.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path

from bench_base import Failed, row, usage, verdict
from bench_peers import percentiles, with_witness

WEB = Path(__file__).resolve().parent.parent / "web"
BROWSERS, LISTENERS, REQUESTS = 50, 200, 200
MOST_CORE, MOST_MB, MOST_MS = 100.0, 300.0, 20.0
# Beside a standstill an answer waits for the machine, and those behind it for that one.
BESIDE_S = 0.5


def rows(bench, make_rig):
    if not shutil.which("node") or not (WEB / "node_modules/ws").exists():
        raise Failed("the crowd needs Node.js and the page's tools: scripts/setup.sh web, and npm ci in web/")
    seconds = bench.length(60, 12)
    with make_rig("crowd") as rig:
        music = rig.dir / "tones.wav"
        subprocess.run([bench.bin / "tones", music, str(2 * seconds + 60), "440", "550"], check=True)
        both = lambda: (listen(rig, music, seconds, None), listen(rig, music, seconds, Crowd(rig)))
        (alone, beside), stood = with_witness(rig.dir, bench.bin, both)
    return judged(alone, beside, stood, seconds)


class Crowd:
    def __init__(self, rig):
        link = json.loads(rig.call("join", "--json", "--hub", rig.hub_at).stdout)["url"]
        words = ["node", WEB / "tests/e2e/crowd.mjs", rig.hub_at, link.split("/j#")[1]]
        words += ["--browsers", BROWSERS, "--events", LISTENERS, "--requests", REQUESTS]
        log = open(rig.dir / "crowd.log", "wb")
        self.child = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        rig.children.append(self.child)
        if self.child.stdout.readline().strip() != "ready":
            raise Failed("the crowd did not come; see crowd.log")

    def leave(self):
        self.child.stdin.close()
        said = json.loads(self.child.stdout.read())
        self.child.wait(20)
        return said


def listen(rig, music, seconds, crowd):
    """What two speakers of another process report, the hub's usage, and what came of the crowd."""
    pair = rig.spawn("pair", "load", "--hub", rig.hub_at, "--speakers", "2", "--seconds", str(seconds + 60), "--json")
    rig.wait("two speakers", lambda: rig.synced(2 + (BROWSERS if crowd else 0)))
    player = rig.spawn("play", "play", str(music), "--hub", rig.hub_at)
    time.sleep(4.0)
    before, begin, crowd_before = usage(rig.hub.pid), time.monotonic(), usage(crowd.child.pid)[0] if crowd else 0.0
    time.sleep(seconds)
    wall, after = time.monotonic() - begin, usage(rig.hub.pid)
    crowd_cpu = (usage(crowd.child.pid)[0] - crowd_before) / wall * 100 if crowd else 0.0
    if player.poll() is not None:
        raise Failed("the player ended too soon; see play.log")
    came = crowd.leave() if crowd else None
    rig.end(player)
    rig.end(pair)
    report = json.loads((rig.dir / "pair.out").read_text())
    cpu = (after[0] - before[0]) / wall * 100
    return {"cpu": cpu, "mb": after[1] / 1024, "pair": report, "crowd": came, "crowd_cpu": crowd_cpu}


def judged(alone, beside, stood, seconds):
    came = beside["crowd"]
    whole = came["browsers"] == BROWSERS and came["listeners"] == LISTENERS
    who = f"{came['browsers']} browsers, {came['listeners']} event clients"
    command = "node web/tests/e2e/crowd.mjs HUB CODE; antiphon load --speakers 2; antiphon play tones.wav"
    heard = f"{came['packets']} packets, {came['lost']} missing, {came['late']} late in one process of {beside['crowd_cpu']:.0f} % of a core; {came['told']} events"
    calm, every = answers(came["answers"], stood)
    apart = f"{len(every) - len(calm)} of {len(every)} beside {len(stood)} standstills; all of them: {three(every)}; {came['failures']} failed"
    late = [one["pair"]["late"] for one in (alone, beside)]
    lost = [one["pair"]["lost"] for one in (alone, beside)]
    margin = [one["pair"]["least_margin_ms"] for one in (alone, beside)]
    good = whole and came["failures"] == 0
    return [
        row(f"hub with {who}, {REQUESTS} requests/s, processor, {seconds} s", "<= 100 % of one core", f"{beside['cpu']:.1f} %", verdict(good and beside["cpu"] <= MOST_CORE), command, f"{heard}; alone with two speakers {alone['cpu']:.1f} %"),
        row("the same, memory", "<= 300 MB", f"{beside['mb']:.1f} MB", verdict(good and beside["mb"] <= MOST_MB), command, f"with two speakers {alone['mb']:.1f} MB"),
        row("the same, answers of the API while it plays", "p95 <= 20 ms", three(calm), verdict(good and bool(calm) and percentiles(calm)[1] <= MOST_MS), command, apart),
        row("the same, late packets of two speakers, without and with the crowd", "no more", f"{late[0]} and {late[1]}", verdict(late[1] <= late[0]), command, f"lost {lost[0]} and {lost[1]}, least margin {margin[0]:.1f} and {margin[1]:.1f} ms"),
    ]


def answers(given, stood):
    """Milliseconds of the answers away from standstills, and of all. Standstills are told by the raw clock, which is as far
    from the other one as it is now, near enough."""
    apart = time.clock_gettime(time.CLOCK_MONOTONIC_RAW) - time.clock_gettime(time.CLOCK_MONOTONIC)
    every = [ms for _, ms in given]
    near = lambda at: any(begin - BESIDE_S < at < end + BESIDE_S for begin, end in stood)
    return [ms for ns, ms in given if not near(ns / 1e9 + apart)], every


def three(values):
    p = percentiles(values)
    return f"p50 {p[0]:.1f}, p95 {p[1]:.1f}, max {p[2]:.1f} ms" if p else "none"
