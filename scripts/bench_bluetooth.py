"""Bluetooth: a pair's cost and steadiness against a BlueZ that exists on a bus only, and what `make rig` found."""

import json
import os
import subprocess
import time

from bench_base import Failed, row, usage, verdict

LEFT, RIGHT = "AA:BB:CC:DD:EE:01", "AA:BB:CC:DD:EE:02"
SAVED = f"""version = 1

[[pair]]
name = "pair"

[[pair.member]]
address = "{LEFT}"
speaker = "left"
role = "left"

[[pair.member]]
address = "{RIGHT}"
speaker = "right"
role = "right"
"""
# What BlueZ's part of a start takes is BlueZ's: speakers are connected before.
START_S = 1.5


class Speakers:
    """Two speakers that take all that they are sent."""

    def __init__(self, bench):
        self.child = subprocess.Popen([bench.bin / "two_speakers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bus = self.child.stdout.readline().strip()

    def end(self):
        """Packets, frames and connections of each."""
        out, _ = self.child.communicate(timeout=30)
        return [{words[n]: int(words[n + 1]) for n in (1, 3, 5)} for words in map(str.split, out.splitlines())]


def links(rig):
    found = {s["name"]: s.get("link") or {} for s in (rig.status() or {"speakers": []})["speakers"]}
    return [found.get(name, {}) for name in ("left", "right")]


def up(rig):
    return all(link.get("state") == "up" for link in links(rig))


def pair(bench, new_rig):
    """A hub with a saved pair: processor, memory, losses; and how soon `play` sounds."""
    seconds = bench.length(600, 20)
    speakers = Speakers(bench)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = speakers.bus
    try:
        rig = new_rig("bluetooth")
        (rig.dir / "state").mkdir()
        (rig.dir / "state/bluetooth.toml").write_text(SAVED)
        with rig:
            rows = _measure(bench, rig, speakers, seconds)
    finally:
        del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
        if speakers.child.poll() is None:
            speakers.child.kill()
    return rows


def _measure(bench, rig, speakers, seconds):
    rig.wait("both links", lambda: up(rig))
    rig.wait("the speakers' clocks", lambda: rig.synced(2))
    witness = rig.spawn("witness", "witness")
    tone = rig.dir / "tone.wav"
    subprocess.run([bench.bin / "tones", tone, str(seconds + 3), "440", "620"], check=True)
    begun = time.monotonic()
    rig.spawn("play", "play", str(tone), "--to", "pair", "--hub", rig.hub_at)
    started = rig.wait("sound", lambda: _playing(rig) and time.monotonic() - begun)
    before, at, counted = usage(rig.hub.pid), time.monotonic(), links(rig)
    time.sleep(seconds - 2)
    after, passed, now = usage(rig.hub.pid), time.monotonic() - at, links(rig)
    witness.terminate()
    witness.wait(10)
    stalls = [json.loads(line) for line in (rig.dir / "witness.out").read_text().splitlines() if line.startswith("{")]
    lost = sum(b[key] - a[key] for a, b in zip(counted, now) for key in ("dropped", "left_out", "skipped"))
    late = sum(b["late"] - a["late"] for a, b in zip(counted, now))
    percent = 100 * (after[0] - before[0]) / passed
    got = speakers.end()
    equal = abs(got[0]["frames"] - got[1]["frames"]) <= 15
    command = f"antiphon hub, with two saved Bluetooth speakers on a bus of the bench's own, {seconds} s"
    told = f"{late} late, {len(stalls)} lines of the stall witness; packets {got[0]['packets']} and {got[1]['packets']}"
    return [
        row("a Bluetooth pair and its hub, processor", "<= 5 % of one core", f"{percent:.2f} %", verdict(percent <= 5.0), command, "hub, receiving, decoding, rendering and SBC of both speakers; no kernel Bluetooth"),
        row("the same, memory", "as the hub's", f"{after[1] / 1024:.1f} MB", "stated", command),
        row("the same, packets dropped or left out by the sender", "none outside stalls", f"{lost} in {passed:.0f} s", verdict(lost == 0), command, told),
        row("the same, SBC frames sent to each", "equal", f"{got[0]['frames']} and {got[1]['frames']}", verdict(equal), command, "the last packets of either may be on their way at the end"),
        row("from `antiphon play` to playing, speakers connected", f"<= {START_S} s", f"{started:.2f} s", verdict(started <= START_S), command, "seen by asking for the status, which takes some 0.2 s"),
    ]


def _playing(rig):
    reports = [s.get("report") or {} for s in (rig.status() or {"speakers": []})["speakers"]]
    return len(reports) == 2 and all(r.get("state") == "playing" for r in reports)


def lab(bench, root):
    """Every scenario of the virtual lab, as it judged itself."""
    work = bench.work / "rig"
    if bench.rig_summary is None:
        words = [root / "rig/rig.sh", "--antiphon", bench.bin / "antiphon", *(["--short"] if bench.short else [])]
        subprocess.run(words, env=os.environ | {"RIG_WORK": str(work)}, check=False)
        summary = work / "summary.json"
    else:
        summary = bench.rig_summary
    if not summary.exists():
        raise Failed(f"the lab left no {summary}")
    names = {"pass": "met", "fail": "not met", "inconclusive": "inconclusive"}
    rows = []
    for found in json.loads(summary.read_text())["scenarios"]:
        checks = [check["what"] for check in found["checks"]]
        figures = "; ".join(f"{name} {value}" for name, value in found["figures"].items())
        wrong = "; ".join(f"{check['what']}: {check['found']}" for check in found["checks"] if not check["ok"])
        rows.append(
            row(
                f"virtual lab: {found['scenario']}",
                f"{len(checks)} checks" + ("" if not checks else ": " + "; ".join(checks)[:160]),
                (figures or "-").replace("|", "/"),
                names.get(found["verdict"], found["verdict"]),
                f'make rig ARGS="--only {found["scenario"]}"',
                wrong,
            )
        )
    return rows
