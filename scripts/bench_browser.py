#!/usr/bin/env python3
"""Two browsers as speakers of one hub, heard by one recording.

A PulseAudio of its own has one null sink of four channels; each of two headless Chromiums plays into a pair of them (as in
bench_peers.py), so samples decide and not what a page says of itself. Measured: from the tap to the first sound; how far
apart the two are, before and after `antiphon calibrate` by a microphone that hears both sinks (what a browser hides of its output is
calibrated, not guessed); and gaps while the pages' main threads stand still for 200 ms at a time. Then the same of one browser
beside a speaker of this machine: Chromium, and Firefox where it is installed (`make test-engines` does that).

Windows near a standstill of the machine, as `antiphon witness` saw it, and near a gap in what a browser sounds (it got no
processor, and its output begins anew behind) are left out of "undisturbed"; all are printed too.
"""

import argparse
import functools
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import bench_peers
from bench_base import Failed, row, verdict
from bench_peers import RATE, Server, noise, now, percentiles, with_witness

FRAME = 16
# What the clocks and the outputs' stamps need to settle: a browser's wander on a sound server for ten seconds, and are averaged
# out in as long again. Where its place is changed alone, it goes there at once.
SETTLE_S = 25.0
RESETTLE_S = 10.0
# WebKit asks a sound server for blocks so small that the null sink, which counts each in whole microseconds, runs 170 ppm fast: the
# native speaker on the same one is not in time then, and nothing is told of WebKit.
NAMES = {"chromium": "Chromium", "firefox": "Firefox"}
PROGRAMS = {"chromium": "chromium", "firefox": "firefox-esr"}
# Of a calibration.
TRIES = 3
# After a gap of the sound server's own making (a browser that got no processor) an output has to be found anew.
DISTURBED_S = 5.0
GAP = 48
# Of the windows that could be compared.
MOST_UNLIKE = 0.05


class Pages:
    """The browsers, through web/tests/e2e/drive.mjs."""

    def __init__(self, server, url, wanted):
        script = Path(__file__).parent.parent / "web/tests/e2e/drive.mjs"
        # Firefox is spoken to by a WebSocket, which an older Node.js does not know even as a flag.
        needs = ["--experimental-websocket"] if any(word.endswith("firefox") for word in wanted) else []
        words = ["node", *needs, script, url, *wanted]
        self.child = server.spawn("pages", words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def ask(self, *words):
        self.child.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.child.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise Failed("the browsers ended; see pages.log")
        return json.loads(line)


class Bench:
    def __init__(self, work, programs):
        work.mkdir()
        self.server = Server(work / "browsers")
        self.program = programs / "antiphon"
        self.file = work / "noise.wav"

    def said(self, *words):
        done = subprocess.run([self.program, *words], env=self.server.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"antiphon {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, seconds, wanted):
        """A hub, and a page for each of `wanted`, whose speakers nobody has chosen yet."""
        noise(self.file, seconds)
        words = ["hub", "--listen", "127.0.0.1:0", "--no-mdns", "--no-bluetooth", "--name", "bench"]
        self.server.spawn("hub", [self.program, *words])
        self.wait("the hub", lambda: not subprocess.run([self.program, "status"], env=self.server.env, capture_output=True).returncode)
        link = json.loads(self.said("join", "--json"))["url"]
        host, code = link.split("//")[1].split("/j")
        self.pages = Pages(self.server, f"http://127.0.0.1:{host.rsplit(':', 1)[1]}/j{code}", wanted)
        self.path = self.server.dir / "browsers.raw"
        self.recorder = self.server.record(self.path)
        self.wait("the recording", self.frames)

    def play(self, *more):
        self.player = self.server.spawn("play", [self.program, "play", self.file, *more])

    def wait(self, what, look):
        deadline = time.monotonic() + 30
        while not look():
            if time.monotonic() > deadline:
                raise Failed(f"{what} does not come")
            time.sleep(0.1)

    def calibrate(self, stood, *names):
        """As a person does it: the music ends, the microphone hears the measure track, and the music begins anew. What came of
        it, in the program's words: where the machine stood still it is refused or taken back, and is tried again, as it advises,
        when the speakers have played for a while. `stood_still` says how often the machine did during the last try."""
        for again in range(TRIES):
            if again:
                self.play(*names)
                time.sleep(SETTLE_S)
            self.server.end(self.player)
            began = now()
            words = [self.program, "calibrate", "--mic", "pulse:microphone", "--json"]
            done = subprocess.run(words, env=self.server.env, capture_output=True, text=True)
            if not done.returncode:
                break
        stood_still = sum(began < end for _, end in stood())
        self.play(*names)
        time.sleep(RESETTLE_S)
        report = json.loads(done.stdout) if done.stdout else {"error": done.stderr.strip()}
        return {**report, "stood_still": stood_still}

    def frames(self):
        return self.path.stat().st_size // FRAME

    def first_sounds(self):
        """ms from each tap."""
        taps = []
        for page in (0, 1):
            taps.append(self.frames())
            self.pages.ask("tap", page)
        time.sleep(6)
        sound = self.sound()
        return [1e3 * (self.first(sound[:, c], tap) - tap) / RATE for c, tap in ((0, taps[0]), (2, taps[1]))]

    def first(self, channel, since):
        loud = np.flatnonzero(np.abs(channel[since:]) > 1e-3)
        if not len(loud):
            raise Failed("a browser is not heard; see hub.log and pages.log")
        return since + loud[0]

    def sound(self, since=0):
        count = self.frames() * 4
        return np.fromfile(self.path, "<f4", count=count).reshape(-1, 4)[since:]

    def reports(self):
        return {s["name"]: s.get("report") or {} for s in json.loads(self.said("status", "--json"))["speakers"]}


def gaps(channel):
    """(frame, frames) of stretches without a sound: noise is never so long silent by itself."""
    loud = np.flatnonzero(np.abs(channel) > 1e-5)
    steps = np.diff(loud)
    return [(int(loud[n]), int(steps[n])) for n in np.flatnonzero(steps > GAP)]


def spreads(bench, since, until, stood):
    """us by which right is later, of undisturbed windows and of all; and in how many both sound, and not alike: one moves
    by more than its place, or is somewhere else."""
    window = RATE // 2
    ended, total = now(), bench.frames()
    sound = bench.sound(since)[: until - since].astype(float)
    torn = [at for c in (0, 2) for at, _ in gaps(sound[:, c])]
    every, calm, unlike = [], [], 0
    for first in range(0, len(sound) - window, window):
        us = bench_peers.delay_us(sound[first : first + window, 0], sound[first : first + window, 2])
        if us is None:
            unlike += 1
            continue
        at = ended - (total - since - first - window / 2) / RATE
        near = any(begin - 0.5 < at < end + DISTURBED_S for begin, end in stood())
        near = near or any(-window < first - t < DISTURBED_S * RATE for t in torn)
        every.append(us)
        if not near:
            calm.append(us)
    return calm, every, unlike


def window(bench, seconds, stood):
    since = bench.frames()
    time.sleep(seconds)
    found = spreads(bench, since, bench.frames(), stood)
    if not found[1]:
        raise Failed("the two do not play the same")
    return found


def two_browsers(bench, seconds, stood):
    bench.start(2 * seconds + 180, ["left:A", "right:B"])
    out = {"cold_ms": [bench.pages.ask("cold", 0)["said"] for _ in range(5)]}
    bench.play()
    out["first_sound_ms"] = bench.first_sounds()
    time.sleep(SETTLE_S)
    out["before"] = window(bench, seconds, stood)
    out["calibrated"] = bench.calibrate(stood)
    out["after"] = window(bench, seconds, stood)
    since = bench.frames()
    counted = bench.reports()
    for n in range(10):
        bench.pages.ask("stall", n % 2, 200)
        time.sleep(0.8)
    time.sleep(1)
    sound = bench.sound(since)
    out["gaps"] = [gaps(sound[:, c]) for c in (0, 2)]
    out["underruns"] = {name: r.get("underruns", 0) - counted[name].get("underruns", 0) for name, r in bench.reports().items()}
    out["reports"] = bench.reports()
    out["shown"] = [bench.pages.ask("text", n)["said"].replace("\n", " | ") for n in (0, 1)]
    return out


def beside_native(bench, seconds, stood, engine="chromium"):
    bench.start(2 * seconds + 180, [f"left:A:{engine}"])
    bench.server.spawn("right", [bench.program, "speaker", "--name", "right", "--output", "pulse:B"])
    bench.pages.ask("tap", 0)
    names = ("--left", "left", "--right", "right")
    bench.wait("the pair", lambda: set(bench.reports()) == {"left", "right"})
    time.sleep(3)
    bench.play(*names)
    time.sleep(SETTLE_S)
    out = {"before": window(bench, seconds, stood)}
    out["calibrated"] = bench.calibrate(stood, *names)
    out["after"] = window(bench, seconds, stood)
    out["reports"] = bench.reports()
    return out


def show_apart(out, line):
    for when in ("before", "after"):
        for which, values in (("undisturbed", out[when][0]), ("all windows", out[when][1])):
            p = percentiles([abs(us) for us in values])
            text = f"p50 {p[0] / 1e3:.2f}, p95 {p[1] / 1e3:.2f}, max {p[2] / 1e3:.2f} ms, {len(values)} windows" if p else "none"
            line(f"apart, {when} calibration, {which}", text)
        line(f"windows that did not agree, {when} it", str(out[when][2]))
    line("what the calibration said", outcome(out["calibrated"]))


def show(out, beside, stood):
    line = lambda name, text: print(f"{name:44}{text}")
    line("the page from an empty cache, ms", ", ".join(f"{ms:.0f}" for ms in out["cold_ms"]))
    line("its scripts, packed", f"{packed_kb()} kB")
    line("first sound after the tap, ms", ", ".join(f"{ms:.0f}" for ms in out["first_sound_ms"]))
    show_apart(out, line)
    line("ten standstills of a page of 200 ms: gaps", str([[f"{n / 48:.1f} ms" for _, n in found] for found in out["gaps"]]))
    line("underruns that the pages counted meanwhile", str(out["underruns"]))
    for text in out["shown"]:
        line("a page", text)
    for engine, found in beside.items():
        print(f"\n{NAMES[engine]} and a speaker of this machine:")
        show_apart(found, line)
    line("standstills of the machine in all", str(len(stood)))
    if os.environ.get("ANTIPHON_BENCH_VERBOSE"):
        print(json.dumps([out["reports"], *(found["reports"] for found in beside.values())], indent=1))


def measured(work, programs, seconds):
    """Of two browsers, of one of each make beside a native speaker, and when the machine stood still."""
    log = work / "witness.jsonl"
    stood = lambda: bench_peers.stalls(log)

    def one(name, do):
        bench = Bench(work / name, programs)
        try:
            return do(bench, seconds, stood)
        except Failed as wrong:
            said = [f"== {log.name}\n{log.read_text(errors='replace')[-2_000:]}" for log in sorted(bench.server.dir.glob("*.log"))]
            raise Failed("\n".join([str(wrong), *said])) from wrong
        finally:
            bench.server.end()

    def all_of_them():
        out = one("two", two_browsers)
        return out, {name: one(name, functools.partial(beside_native, engine=name)) for name in NAMES if shutil.which(PROGRAMS[name])}

    (out, beside), all_stalls = with_witness(work, programs, all_of_them)
    return out, beside, all_stalls


def rows(bench):
    """For bench.py."""
    for program in ("node", "chromium", "pulseaudio", "parec"):
        if not shutil.which(program):
            raise Failed(f"{program} is not installed; scripts/setup.sh web does that")
    seconds = bench.length(40, 20)
    with tempfile.TemporaryDirectory(dir=bench.work) as work:
        out, beside, stood = measured(Path(work), bench.bin, seconds)
    command = "make bench-browser"
    note = f"{len(stood)} standstills of the machine in all"
    worst = max(out["first_sound_ms"])
    torn = sum(map(len, out["gaps"]))
    cold = sorted(out["cold_ms"])
    return [
        row("the page from an empty cache until it can be used", "<= 1 s", f"median {cold[2] / 1e3:.2f}, worst {cold[-1] / 1e3:.2f} s", verdict(cold[2] <= 1_000), command, "five new contexts of one browser, loopback; the median is judged, as one meets a standstill"),
        row("its scripts, packed", "<= 150 kB", f"{packed_kb()} kB", verdict(packed_kb() <= 150), command),
        row("two browsers on two sinks, first sound after the tap", "<= 1.5 s", f"{' and '.join(f'{ms / 1e3:.2f}' for ms in out['first_sound_ms'])} s", verdict(worst <= 1_500), command, note),
        apart(f"two browsers, {SETTLE_S:.0f} s after the start, {seconds} s", out["before"], 5.0, command),
        apart(f"two browsers {AFTER}, {seconds} s", out["after"], 1.0, command, out["calibrated"]),
        row("ten standstills of 200 ms of the pages' main threads", "no gap", f"{torn} gaps", verdict(torn == 0), command, f"underruns that the pages counted: {out['underruns']}"),
        *(
            apart(f"{NAMES[name]} beside a native speaker {AFTER}, {seconds} s", found["after"], 2.0, command, found["calibrated"])
            for name, found in beside.items()
        ),
    ]


def packed_kb():
    """The page's scripts as gzip packs them, in kB; without the browser speaker's, which is a page of its own."""
    scripts = (Path(__file__).resolve().parent.parent / "web/dist/assets").glob("*.js")
    return round(sum(len(gzip.compress(script.read_bytes(), 9)) for script in scripts if not script.name.startswith("j-")) / 1e3)


def outcome(calibrated):
    """What a report says came of it, and what the microphone heard before and after."""
    if "error" in calibrated:
        return calibrated["error"]
    heard = lambda report: f"{report['pairs'][0]['delay_us'] / 1e3:.2f} ms" if report and report["pairs"] else "nothing"
    said = f"{calibrated['outcome']}: the microphone heard {heard(calibrated['before'])} before, {heard(calibrated['after'])} after"
    stood = calibrated["stood_still"]
    return "; ".join([said, *calibrated["reasons"], *([f"the machine stood still {stood} times in the last try"] if stood else [])])


AFTER = "after `antiphon calibrate` by a simulated microphone"


def apart(what, found, limit_ms, command, calibrated=None):
    calm, every = ([abs(us) / 1e3 for us in values] for values in found[:2])
    p, whole, unlike = percentiles(calm), percentiles(every), found[2]
    said = lambda p: f"p50 {p[0]:.2f}, p95 {p[1]:.2f}, max {p[2]:.2f} ms" if p else "none"
    # Standstills make nothing better: what is met with them is met.
    is_met = lambda p: bool(p) and p[1] <= limit_ms and unlike <= MOST_UNLIKE * len(every)
    judged = "met" if is_met(whole) else verdict(is_met(p)) if len(calm) >= len(every) / 3 else "inconclusive"
    # A correction that is taken back, since it makes nothing better, is one that was checked; one that is refused is none. While the
    # machine stands still browsers do move, and refusing is right.
    if calibrated and calibrated.get("outcome") not in ("kept", "nothing_to_do", "put_back"):
        judged = "inconclusive" if calibrated["stood_still"] and judged != "not met" else "not met"
    if calibrated and calibrated.get("outcome") == "put_back":
        what = what.replace(AFTER, "that `antiphon calibrate` left as they were, since its correction made nothing better")
    note = f"{len(calm)} undisturbed windows of {len(every)}; with all of them {said(whole)}; {unlike} windows more in which the two did not agree"
    note += f"; {outcome(calibrated)}" if calibrated else ""
    return row(what, f"p95 <= {limit_ms:.0f} ms", said(p), judged, command, note)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="directory of the program antiphon")
    parser.add_argument("--seconds", type=int, default=60, help="of each half")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        try:
            out, beside, stood = measured(Path(work), given.bin.resolve(), given.seconds)
        except Failed as wrong:
            sys.exit(f"bench_browser: {wrong}")
    show(out, beside, stood)


if __name__ == "__main__":
    main()
