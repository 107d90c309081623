#!/usr/bin/env python3
"""Measures every figure that Antiphon promises, by real processes, and writes docs/figures.md.

Started by scripts/bench.sh, which builds what it needs. A full run keeps each figure with its date and
commit, so that `--only NAME` measures one again and leaves the others as they were. A short run prints
and keeps nothing.

Verdicts: "met" and "not met" compare with the target. "inconclusive" says that this machine stood
still for more than 5 % of the measurement, as the stall witness saw it: never a pass.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_base import MOST_EXCUSED, Failed, row, usage, verdict
import bench_bluetooth
import bench_browser
import bench_crowd
import bench_peers
from bench_lab import calibrate, calibration, follow, lab, rooms

ROOT = Path(__file__).resolve().parent.parent
# Two measurements of one thing by different means agree this well.
AGREEMENT_US = 1.0
# The rig of the promise: sound cards 100 ppm apart that drift 3 ppm more while they warm up.
CARDS = ["--card-ppm", "+50/-50", "--warmup-ppm", "3"]
# Ends the bench with an error. A figure that is not met does not: this is no timed test.
NOT_MEASURED = "not measured"


class Bench:
    """Where things are, and how long to measure."""

    def __init__(self, given):
        self.bin = Path(given.bin).resolve()
        self.work = Path(given.work).resolve()
        self.short = given.short
        self.keep = given.keep
        self.tries = given.tries
        self.rig_summary = Path(given.rig_summary).resolve() if given.rig_summary else None
        self.work.mkdir(parents=True, exist_ok=True)

    def length(self, full, short):
        return short if self.short else full

    def demo(self, name, seconds, *options):
        """Runs the demo; its report, and the directory of its recordings. Again, `tries` times at most,
        where the machine stood still for too long: the witness decides that, not the result."""
        for attempt in range(1, self.tries + 1):
            report, out, command = self.demo_once(name, seconds, *options)
            if excused(report) <= MOST_EXCUSED:
                break
        note = f" (attempt {attempt} of {self.tries})" if attempt > 1 else ""
        return report, out, command + note

    def demo_once(self, name, seconds, *options):
        out = self.work / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        words = ["demo", "--json", "--seconds", str(seconds), *options]
        run = subprocess.run([self.bin / "antiphon", *words, "--out", out], capture_output=True, text=True)
        # Out of time (1) and in doubt (6) are results too; without a report it failed.
        if not run.stdout.startswith("{"):
            raise Failed(f"the demo ended with {run.returncode}: {run.stderr.strip()}")
        (out / "report.json").write_text(run.stdout)
        return json.loads(run.stdout), out, "antiphon " + " ".join(words)

    def clear(self, out):
        if not self.keep:
            for sound in out.glob("*.wav"):
                sound.unlink()


def excused(report):
    return report["stalls"]["excused_percent"]


def stalls_of(report):
    s = report["stalls"]
    return f"{s['count']} stalls, longest {s['longest_ms']:.0f} ms, {s['excused_percent']:.1f} % excused"


def four(s):
    return f"p50 {s['p50']:.1f}, p95 {s['p95']:.1f}, p99 {s['p99']:.1f}, max {s['max']:.1f} us"


def process(report, name):
    return next(p for p in report["processes"] if p["name"] == name)


# Figures. Each returns its rows.


def spread(bench, name, network, limits):
    seconds = bench.length(120, 12)
    report, out, command = bench.demo(name, seconds, "--network", network, *CARDS)
    s = report["spread_us"]
    heard = report["windows_not_heard_unexcused"] == 0
    good = heard and all(s[p] <= limit for p, limit in limits.items())
    # Where every window counts and the target still holds, nothing had to be excused.
    whole = report["windows_not_heard"] == 0 and all(report["spread_all_us"][p] <= limit for p, limit in limits.items())
    judged = "met" if whole else verdict(good, excused(report))
    target = ", ".join(f"{p} <= {limit} us" for p, limit in limits.items())
    place = "loopback" if network == "none" else f"{network} Wi-Fi"
    lost = f"{report['windows']} windows, {report['windows_not_heard_unexcused']} not heard without an excuse; {report['lost']} packets lost, {report['recovered']} recovered, {report['concealed_ms']:.1f} ms concealed"
    unexcused = f"with excused windows {four(report['spread_all_us'])}"
    note = f"{stalls_of(report)}; {unexcused}; {lost}"
    rows = [row(f"spread, {place}, {seconds} s", target, four(s), judged, command, note)]
    # By other means it takes minutes for a long recording: the starts' short ones are checked.
    if bench.short:
        rows.append(agreement(report, out, place))
    return rows, report, out, command


def agreement(report, out, place):
    """The same recordings by scripts/check_spread.py, written from the definition by other means."""
    words = [ROOT / "scripts/python", ROOT / "scripts/check_spread.py", out]
    run = subprocess.run(words, capture_output=True, text=True)
    if run.returncode != 0:
        raise Failed(f"check_spread.py: {run.stderr.strip()}")
    other = json.loads(run.stdout)["spread_us"]
    ours = report["spread_all_us"]
    worst = max(abs(ours[p] - other[p]) for p in ("p50", "p95", "p99", "max", "bias"))
    measured = f"largest difference {worst:.3f} us"
    return row(
        f"independent check, {place}",
        f"every percentile within {AGREEMENT_US:.0f} us",
        measured,
        verdict(worst <= AGREEMENT_US),
        "scripts/check_spread.py DIR",
        "all windows, excused ones too",
    )


def loopback(bench):
    rows, report, out, command = spread(bench, "loopback", "none", {"p50": 5, "p99": 20})
    bench.clear(out)
    speakers = [process(report, side) for side in ("left", "right")]
    cpu = max(p["cpu_percent"] for p in speakers)
    memory = max(p["rss_kb"] for p in speakers) / 1024
    hub = process(report, "hub")
    note = f"with the virtual sound card and its recording; hub {hub['cpu_percent']:.1f} %, {hub['rss_kb'] / 1024:.1f} MB"
    rows.append(row("one speaker process, processor", "<= 2 % of one core", f"{cpu:.2f} %", verdict(cpu <= 2), command, note))
    rows.append(row("one speaker process, memory", "<= 20 MB", f"{memory:.1f} MB", verdict(memory <= 20), command))
    return rows


def quiet(bench):
    rows, _, out, _ = spread(bench, "quiet", "quiet", {"p99": 60})
    bench.clear(out)
    return rows


def busy(bench):
    rows, _, out, _ = spread(bench, "busy", "busy", {"p99": 100})
    bench.clear(out)
    return rows


def asymmetric(bench):
    """One speaker behind 6 ms there and 1 ms back: half the difference is a bias that no filter sees."""
    seconds = bench.length(40, 8)
    path = ["--network", "none", "--right-path", "6ms/1ms", *CARDS]
    rows = []
    report, out, command = bench.demo("asymmetric", seconds, *path)
    bench.clear(out)
    bias = report["spread_us"]["bias"]
    rows.append(
        row(
            f"bias of a 6 ms / 1 ms path, {seconds} s",
            "right early by (6 - 1) / 2 = 2.5 ms, within 60 us",
            f"bias {bias:+.1f} us",
            verdict(abs(bias + 2500) <= 60, excused(report)),
            command,
            f"a limit of every two-way exchange, stated as such; {stalls_of(report)}",
        )
    )
    report, out, command = bench.demo("corrected", seconds, *path, "--right-delay", "2.5ms")
    bench.clear(out)
    s = report["spread_us"]
    rows.append(
        row(
            f"the same, after `antiphon delay right 2.5ms`, {seconds} s",
            "p99 <= 60 us",
            f"bias {s['bias']:+.1f} us, {four(s)}",
            verdict(s["p99"] <= 60, excused(report)),
            command,
            stalls_of(report),
        )
    )
    return rows


def start(bench):
    rows = []
    for network, place, limit_ms, count in (("none", "loopback", 500, 8), ("quiet", "quiet Wi-Fi", 1000, 3)):
        starts = [bench.demo_once("start", 6, "--network", network, *CARDS) for _ in range(bench.length(count, 2))]
        rows.append(agreement(starts[-1][0], starts[-1][1], f"{place}, 6 s"))
        bench.clear(starts[-1][1])
        reports, command = [s[0] for s in starts], starts[0][2]
        never = float("inf")
        times = [never if r["start_to_sync_ms"] is None else r["start_to_sync_ms"] for r in reports]
        firsts = [never if r["first_spread_us"] is None else abs(r["first_spread_us"]) for r in reports]
        struck = [any(-200 < s["at_ms"] < 1000 for s in r["stalls"]["each"]) for r in reports]
        note = f"{sum(struck)} of {len(reports)} starts met a stall of the machine in their first second"
        for what, values, limit, unit in (
            ("start to in-sync", times, limit_ms, "ms"),
            ("spread of the first sound", firsts, 60, "us"),
        ):
            missed = [s for v, s in zip(values, struck) if v > limit]
            judged = "met" if not missed else "inconclusive" if all(missed) else "not met"
            measured = f"median {statistics.median(values):.1f} {unit}, worst {max(values):.1f} {unit}"
            title = f"{what}, {place}, {len(values)} starts"
            rows.append(row(title, f"every one <= {limit} {unit}", measured, judged, f"{len(values)} x {command}", note))
    return rows


def latency20(bench):
    seconds = bench.length(360, 15)
    wanted_s = bench.length(300, 5)
    # A sound card of three periods of 128 frames, 8 ms. With two, its own modelled wake-up jitter (exponential,
    # 0.3 ms in the mean) is longer than a period about twice a minute, and it runs dry whatever the network does.
    card = ["--card-period", "128", "--card-latency-ms", "8"]
    words = ["--network", "none", "--latency", "20ms", *card, *CARDS]
    report, out, command = bench.demo_once("latency20", seconds, *words)
    bench.clear(out)
    stalls = [(s["at_ms"] / 1e3, (s["at_ms"] + s["length_ms"]) / 1e3) for s in report["stalls"]["each"]]
    clean_s = concealed = concealed_all = underruns = 0.0
    begin = 0.0
    for part in report["slices"]:
        # Counts come up to two seconds after the fact: what stalled then is this slice's too.
        is_clean = not any(b < part["end_s"] and e > begin - 2.0 for b, e in stalls)
        concealed_all += part["concealed_ms"]
        if is_clean:
            clean_s += part["end_s"] - begin
            concealed += part["concealed_ms"]
            underruns += part["underruns"]
        begin = part["end_s"]
    judged = "not met" if concealed > 0 or underruns > 0 else "met" if clean_s >= wanted_s else "inconclusive"
    measured = f"{concealed:.1f} ms concealed, {underruns:.0f} underruns in {clean_s / 60:.1f} clean minutes"
    s = report["spread_us"]
    note = f"{concealed_all:.1f} ms concealed in all; {stalls_of(report)}; {four(s)}"
    target = f"no concealment in {wanted_s / 60:.1f} minutes without a stall"
    return [row(f"--latency 20ms, loopback, {seconds} s", target, measured, judged, command, note)]


# Figures that need a rig of their own.


class Rig:
    """A hub and what joins it, in a directory of their own. Ends what it started, and nothing else."""

    def __init__(self, bench, name):
        self.bench = bench
        self.dir = bench.work / name
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        # Unix socket paths hold 107 bytes.
        self.run = Path(tempfile.mkdtemp(prefix="antiphon-bench-"))
        self.env = os.environ | {"ANTIPHON_STATE_DIR": str(self.dir / "state"), "ANTIPHON_RUNTIME_DIR": str(self.run)}
        self.children = []
        self.hub_at = f"127.0.0.1:{free_port()}"

    def __enter__(self):
        self.hub = self.spawn("hub", "hub", "--listen", self.hub_at, "--name", "bench", "--no-mdns")
        self.wait("the hub", self.status)
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.run, ignore_errors=True)

    def spawn(self, name, *words):
        log, out = open(self.dir / f"{name}.log", "wb"), open(self.dir / f"{name}.out", "wb")
        child = subprocess.Popen([self.bench.bin / "antiphon", *words], env=self.env, stdout=out, stderr=log, stdin=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def end(self, child):
        child.send_signal(signal.SIGINT)
        child.wait(30)
        self.children.remove(child)

    def call(self, *words):
        return subprocess.run([self.bench.bin / "antiphon", *words], env=self.env, capture_output=True, text=True)

    def status(self):
        run = self.call("status", "--json", "--hub", self.hub_at)
        return json.loads(run.stdout) if run.returncode == 0 else None

    def synced(self, count):
        status = self.status() or {"speakers": []}
        return sum(bool((s.get("report") or {}).get("synced")) for s in status["speakers"]) >= count

    def wait(self, what, look, limit_s=40):
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.2)
        raise Failed(f"{what} did not come up within {limit_s} s; logs are in {self.dir}")


def free_port():
    """A port of loopback that is free for TCP and UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def distortion(bench):
    """From the tone's file through hub, network and speaker to the virtual sound card's recording."""
    seconds = bench.length(60, 20)
    limit_db = -120.0
    card = "ppm=+50&period=256&wake_jitter_us=300&stamp_noise_us=50&channels=1"
    with Rig(bench, "distortion") as rig:
        tones = rig.dir / "tones.wav"
        subprocess.run([bench.bin / "tones", tones, str(seconds), "997", "15000"], check=True)
        for name, clock in (("left", "ppm=+40&offset_s=1234.5"), ("right", "ppm=-40&offset_s=77.25")):
            output = f"virtual:{rig.dir / name}.wav?{card}&seed={len(name)}"
            rig.spawn(name, "speaker", "--name", name, "--hub", rig.hub_at, "--output", output, "--local-clock", clock)
        rig.spawn("witness", "witness")
        rig.wait("the speakers", lambda: rig.synced(2))
        play = rig.call("play", str(tones), "--left", "left", "--right", "right", "--hub", rig.hub_at)
        if play.returncode != 0:
            raise Failed(f"play: {play.stderr.strip()}")
    stalls = [json.loads(line) for line in (rig.dir / "witness.out").read_text().splitlines()]
    play_words = "antiphon play tones.wav --left left --right right"
    rows = [tone(bench, rig.dir / f"{side}.wav", hz, stalls, limit_db, seconds, play_words) for side, hz in (("left", 997), ("right", 15000))]
    if not bench.keep:
        for sound in rig.dir.glob("*.wav"):
            sound.unlink()
    return rows


def tone(bench, recording, hz, stalls, limit_db, seconds, command):
    timeline = json.loads(Path(str(recording) + ".timeline.json").read_text())
    frames = (recording.stat().st_size - 44) // 4
    part = 48_000 * bench.length(5, 2)
    # The music ends before the recording does; backwards from there to a stretch without a stall.
    found, latest = None, frames - 48_000 * 2
    for first in range(latest - part, max(latest - part - 48_000 * seconds // 2, 0), -24_000):
        begin, end = host_ns(timeline, first - 24_000), host_ns(timeline, first + part)
        if any(s["begin_ns"] < end and s["end_ns"] > begin for s in stalls):
            continue
        run = subprocess.run([bench.bin / "distortion", recording, str(first), str(part)], capture_output=True, text=True)
        if run.returncode == 0:
            found = json.loads(run.stdout)
            if found["level_dbfs"] > -1.1:
                break
    title = f"closed-loop THD+N at {hz} Hz, L24, card +50 ppm"
    target = f"<= {limit_db:.0f} dB"
    if found is None:
        return row(title, target, f"no stretch of {part // 48_000} s without a stall", "inconclusive", command)
    measured = f"{found['thd_n_db']:.1f} dB (AES17 notch), {found['strict_db']:.1f} dB (tone's line alone taken out)"
    note = f"at {found['level_dbfs']:.2f} dBFS over the last {part // 48_000} s without a stall; clocks +-40 ppm"
    return row(title, target, measured, verdict(found["thd_n_db"] <= limit_db), command, note)


def host_ns(timeline, frame):
    part = next((s for s in reversed(timeline) if s["frame"] <= frame), timeline[0])
    return part["host_ns"] + (frame - part["frame"]) / part["rate_hz"] * 1e9


def load(bench):
    """A hub with a hundred speakers that one process speaks the whole protocol for."""
    if bench.bin.joinpath("antiphon").exists() and subprocess.run([bench.bin / "antiphon", "load", "--help"], capture_output=True).returncode:
        raise Failed("this build has no `antiphon load`")
    speakers, seconds = 100, bench.length(60, 15)
    with Rig(bench, "load") as rig:
        music = rig.dir / "tones.wav"
        subprocess.run([bench.bin / "tones", music, str(seconds + 10), "440", "550"], check=True)
        time.sleep(1.0)
        empty_kb = usage(rig.hub.pid)[1]
        crowd = rig.spawn("load", "load", "--hub", rig.hub_at, "--speakers", str(speakers), "--seconds", str(seconds + 40), "--json")
        rig.wait("a hundred speakers", lambda: rig.synced(speakers), 60)
        joined_kb = usage(rig.hub.pid)[1]
        player = rig.spawn("play", "play", str(music), "--hub", rig.hub_at)
        time.sleep(4.0)
        before, begin = usage(rig.hub.pid), time.monotonic()
        crowd_before = usage(crowd.pid)
        time.sleep(seconds)
        after, wall = usage(rig.hub.pid), time.monotonic() - begin
        crowd_after = usage(crowd.pid)
        if player.poll() is not None:
            raise Failed("the player ended too soon; see play.log")
        player.send_signal(signal.SIGINT)
        crowd.send_signal(signal.SIGINT)
        crowd.wait(30)
    report = json.loads((rig.dir / "load.out").read_text())
    cpu = (after[0] - before[0]) / wall * 100
    each_kb = (after[1] - empty_kb) / speakers
    command = f"antiphon load --hub HUB --speakers {speakers}; antiphon play tones.wav"
    crowd_cpu = (crowd_after[0] - crowd_before[0]) / wall * 100
    health = f"{report['connected']} connected, {report['broken']} broken, {report['lost']} of {report['received']} packets lost"
    whole = report["connected"] == speakers and report["broken"] == 0
    return [
        row(
            f"hub with {speakers} speakers, processor, {seconds} s",
            "<= 60 % of one core, PCM (L24)",
            f"{cpu:.1f} %",
            verdict(cpu <= 60 and whole),
            command,
            f"{health}; the load process {crowd_cpu:.0f} %",
        ),
        row(
            f"hub with {speakers} speakers, memory",
            "stated",
            f"{each_kb:.0f} kB a speaker: {empty_kb / 1024:.1f} MB empty, {joined_kb / 1024:.1f} MB joined, {after[1] / 1024:.1f} MB playing",
            "stated",
            command,
        ),
    ]


def bluetooth(bench):
    """A pair of Bluetooth speakers of a BlueZ that exists on a bus of its own."""
    return bench_bluetooth.pair(bench, lambda name: Rig(bench, name))


def rig(bench):
    """The virtual Bluetooth lab."""
    return bench_bluetooth.lab(bench, ROOT)


def pulse(bench):
    """Two sinks of a sound server, heard by one recording."""
    return bench_peers.rows(bench)


def browser(bench):
    """Two browsers on two sinks of a sound server, and one beside a speaker of this machine."""
    return bench_browser.rows(bench)


def crowd(bench):
    """A hub that many browsers watch and play from."""
    return bench_crowd.rows(bench, lambda name: Rig(bench, name))


FIGURES = {f.__name__: f for f in (loopback, quiet, busy, asymmetric, start, distortion, latency20, load, rooms, calibration, lab, calibrate, follow, bluetooth, pulse, browser, crowd, rig)}


# The page.


def machine():
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((l.split(":", 1)[1].strip() for l in info if l.startswith("model name")), platform.processor())
    guest = " (virtual machine)" if any(l.startswith("flags") and " hypervisor" in l for l in info) else ""
    return f"{model}, {os.cpu_count()} cores{guest}, Linux {platform.release()}"


def commit():
    git = lambda *words: subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)
    head = git("rev-parse", "--short=10", "HEAD")
    if head.returncode != 0:
        return "unknown"
    changed = git("status", "--porcelain", "--", "crates", "Cargo.lock").stdout.strip()
    return head.stdout.strip() + ("+changes" if changed else "")


# Sound cards in a kernel of their own, which this bench does not boot: `make rig-alsa` prints them, and whoever runs it on a machine that
# does not stand still writes them here.
ALSA = [
    row(
        "ALSA: both channels of one loopback card as two speakers, 600 s",
        "p99 <= 200 us",
        "p50 1.8, p95 5.1, p99 6.4, max 10.3 us",
        "met",
        "make rig-alsa",
        "2399 bursts, nothing ran dry; no real card has been heard through it",
    ),
    row(
        "ALSA: two loopback cards as two speakers, 600 s",
        "p99 <= 200 us",
        "p50 76, p95 222, p99 267.5, max 291 us",
        "not met",
        "make rig-alsa",
        "2399 bursts without a standstill, nothing ran dry; the loopback cards' own counters run unevenly against each other by up to "
        "160 us, as [outputs.md](outputs.md) says",
    ),
]


def page(kept):
    lines = [
        "# Figures",
        "",
        "What Antiphon promises, and what was measured. Written by `make bench`; not edited by hand. Real processes, local",
        "clocks 80 ppm and 19 minutes apart, virtual sound cards +50 and -50 ppm off that drift 3 ppm more while they warm",
        "up. Spread is the right speaker against the left one, from their recordings alone. Only windows in which the stall",
        "witness saw the machine itself stand still are excused; over 5 % excused is *inconclusive*, never a pass, unless the",
        "target is met with the excused windows counted too: then nothing needed an excuse.",
        "",
    ]
    lines += ["| figure | target | measured | verdict |", "|---|---|---|---|"]
    rows = [r for name in FIGURES for r in kept.get(name, {}).get("rows", [])]
    lines += [f"| {r['what']} | {r['target']} | {r['measured']} | **{r['verdict']}** |" for r in [*rows, *ALSA]]
    lines += ["", "## How each was measured", ""]
    for name, run in kept.items():
        lines += [f"### {name}", "", f"{run['date']}, commit {run['commit']}; {run['machine']}; load average before: {run['load']}.", ""]
        for r in run["rows"]:
            note = f" {r['note'][0].upper()}{r['note'][1:]}." if r["note"] else ""
            lines.append(f"* {r['what']}: `{r['command']}`.{note}")
        lines.append("")
    lines += ["### alsa", ""]
    lines += [f"* {r['what']}: `{r['command']}`. {r['note']}." for r in ALSA]
    lines += [
        "",
        "## By simulation",
        "",
        "Networks, loss and drift that a machine of one's own cannot show are simulated in virtual time by the same code;",
        "the tables are snapshots in `crates/antiphon-sim/tests/snapshots`, and a test fails when one changes.",
        "",
    ]
    return "\n".join(lines)


def show(run):
    for r in run["rows"]:
        print(f"{r['verdict'].upper():<13} {r['what']}\n{'':13} target {r['target']}\n{'':13} measured {r['measured']}")
        print(f"{'':13} {r['command']}" + (f"\n{'':13} {r['note']}" if r["note"] else ""), flush=True)


def measure(bench, name):
    load_average = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    try:
        rows = FIGURES[name](bench)
    except Failed as why:
        rows = [row(name, "-", f"could not be measured: {why}", NOT_MEASURED, f"scripts/bench.sh --only {name}")]
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return {"rows": rows, "date": today, "commit": commit(), "machine": machine(), "load": load_average}


def main():
    parser = argparse.ArgumentParser(description="Measure the figures of docs/figures.md.")
    parser.add_argument("--short", action="store_true", help="a few minutes; prints, keeps nothing")
    parser.add_argument("--only", action="append", choices=list(FIGURES), help="this figure; may be repeated")
    parser.add_argument("--tries", type=int, default=1, help="repeat a run that stalls of the machine spoiled")
    parser.add_argument("--rig-summary", help="take the virtual lab's figures from this summary.json of a run that is done")
    parser.add_argument("--keep", action="store_true", help="keep recordings in the work directory")
    parser.add_argument("--bin", required=True, help="directory of antiphon, tones, distortion")
    parser.add_argument("--work", required=True, help="directory for logs, reports and recordings")
    given = parser.parse_args()
    bench = Bench(given)
    store = ROOT / "docs/figures.json"
    print(f"{machine()}\ncommit {commit()}, load average {os.getloadavg()[0]:.1f}\n", flush=True)
    if bench.short:
        print("Short runs: p99 of some seconds is their worst moment, and the opening weighs more than it should.\n", flush=True)
    failed = False
    for name in given.only or FIGURES:
        run = measure(bench, name)
        show(run)
        failed |= any(r["verdict"] == NOT_MEASURED for r in run["rows"])
        if not bench.short:
            # Read anew: another figure may have been measured meanwhile.
            kept = json.loads(store.read_text()) if store.exists() else {}
            kept[name] = run
            ordered = {n: kept[n] for n in FIGURES if n in kept}
            store.write_text(json.dumps(ordered, indent=1) + "\n")
            (ROOT / "docs/figures.md").write_text(page(ordered))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
