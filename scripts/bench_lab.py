"""The figures of the lab: rooms, calibration, computing, following. Used by bench.py.

Rooms and music are simulated (crates/antiphon-sim, seeded: the same numbers on any machine); computing and the
demo's calibration are real processes on this one.
"""

import json
import os
import subprocess
import time
import wave

import numpy as np

from bench_base import Failed, row, verdict

RATE = 48_000


def example(bench, name, *words):
    """Runs an example that prints one JSON object."""
    run = subprocess.run([bench.bin / name, *words], capture_output=True, text=True)
    if run.returncode:
        raise Failed(f"{name} ended with {run.returncode}: {run.stderr[-300:]}")
    return json.loads(run.stdout)


def rooms(bench):
    """Random rooms: RT60 0.2-0.8 s, SNR 5-30 dB, delays 0-300 ms, microphone +-200 ppm."""
    count = bench.length(200, 24)
    found = example(bench, "rooms", "--rooms", str(count), "--seed", "1")
    command = f"cargo run --release -p antiphon-sim --example rooms -- --rooms {count} --seed 1"
    grades = f"{found['good']} good, {found['usable']} usable, {found['not_trustworthy']} not trustworthy"
    errors = f"p50 {found['error_p50_us']:.2f}, p95 {found['error_p95_us']:.2f}, max {found['error_max_us']:.2f} us"
    return [
        row(
            f"delay between two speakers in {count} random rooms, error among those graded good",
            "p50 <= 2 us, p95 <= 20 us",
            errors,
            verdict(found["error_p50_us"] <= 2 and found["error_p95_us"] <= 20),
            command,
            f"{grades}; half of the stated 95 % intervals are within +-{found['stated_95_p50_us']:.1f} us; worst seeds {found['worst_seeds'][:3]}",
        ),
        row(
            "the same, stated 95 % intervals that hold, among good",
            ">= 95 %",
            f"{100 * found['intervals_hold_good']:.1f} %",
            verdict(found["intervals_hold_good"] >= 0.95),
            command,
            f"among good and usable {100 * found['intervals_hold_good_or_usable']:.1f} %",
        ),
        row(
            "the same, errors over 200 us graded good or usable",
            "none",
            f"{found['gross_failures']}",
            verdict(found["gross_failures"] == 0),
            command,
        ),
        row(
            "the same, rooms with an SNR of 10 dB and more that are graded good",
            ">= 95 %",
            f"{100 * found['good_of_snr_10_db']:.1f} % of {found['rooms_snr_10_db']}",
            verdict(found["good_of_snr_10_db"] >= 0.95),
            command,
        ),
        row(
            "computing for 20 speakers in one recording, one core",
            "<= 10 s",
            f"{found['twenty_speakers_s']:.1f} s",
            verdict(found["twenty_speakers_s"] <= 10),
            command,
            f"two speakers {found['two_speakers_s']:.2f} s",
        ),
    ]


def calibration(bench):
    """One pass of corrections in random rooms: each is heard twice, so fewer of them."""
    count = bench.length(30, 12)
    found = example(bench, "rooms", "--rooms", str(count), "--seed", "1", "--calibration")
    command = f"cargo run --release -p antiphon-sim --example rooms -- --rooms {count} --seed 1 --calibration"
    rows = []
    for name, place, limit in (("all_rooms", "random rooms", 20), ("rooms_at_5_db", "random rooms at 5 dB SNR", 60)):
        r = found[name]
        rows.append(
            row(
                f"calibration of speakers 0-300 ms apart, one pass, {count} {place}: what is left",
                f"p95 <= {limit} us, or refused",
                f"p50 {r['remaining_p50_us']:.2f}, p95 {r['remaining_p95_us']:.2f}, max {r['remaining_max_us']:.2f} us; {r['refused']} refused",
                verdict(r["remaining_p95_us"] <= limit),
                command,
            )
        )
    return rows


def lab(bench):
    """A recording of ten minutes with the track in its middle, measured by the program as a person runs it."""
    minutes = bench.length(10, 2)
    work = bench.work / "lab"
    work.mkdir(parents=True, exist_ok=True)
    track, long, short = (work / name for name in ("track.wav", "long.wav", "short.wav"))
    subprocess.run([bench.bin / "antiphon", "signal", "measure", "--bits", "16", "-o", track], check=True, capture_output=True)
    record(track, long, minutes * 60)
    record(track, short, 18)
    rows = []
    for path, target_s, kind in ((short, 2.0, "recording of 18 s"), (long, None, f"recording of {minutes} min")):
        seconds, wall_s, peak_mb, report = measured(bench, path)
        pair = report["pairs"][0]
        right = abs(pair["delay_us"] - 1e6 * LATE / RATE) < 5 and report["grade"] == "good"
        if target_s:
            rows.append(row(f"two speakers, {kind}: measured and told", f"<= {target_s:.0f} s of computing", f"{seconds:.2f} s", verdict(seconds <= target_s and right), "antiphon measure short.wav --json --report DIR", f"processor time, program start, reading, searching and the page included; {wall_s:.1f} s on the wall"))
        rows.append(row(f"memory, {kind}", "<= 200 MB", f"{peak_mb:.0f} MB", verdict(peak_mb <= 200 and right), "antiphon measure RECORDING --json --report DIR", f"{seconds:.1f} s; delay {pair['delay_us']:.2f} us, truth {1e6 * LATE / RATE:.2f} us"))
    return rows


# The right speaker's frames after the left one's, in the made-up recording.
LATE = 547


def record(track, path, seconds):
    """Noise for `seconds`, the track in its middle, the right channel later."""
    with wave.open(str(track)) as wav:
        stereo = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2).astype(np.float32) / 32768
    rng = np.random.default_rng(3)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        frames = seconds * RATE
        begin = max(0, (frames - len(stereo) - LATE) // 2)
        for at in range(0, frames, RATE):
            block = rng.normal(0, 0.002, RATE).astype(np.float32)
            for channel, late in ((0, 0), (1, LATE)):
                first = at - begin - late
                index = np.arange(first, first + RATE)
                inside = (index >= 0) & (index < len(stereo))
                block[inside] += 0.3 * stereo[index[inside], channel]
            out.writeframes((np.clip(block, -1, 1) * 32767).astype("<i2").tobytes())


def measured(bench, path):
    """Processor and wall seconds, peak memory in MB, and the report of `antiphon measure`."""
    begin = time.monotonic()
    out = bench.work / "lab/report.json"
    with open(out, "w") as text:
        child = subprocess.Popen([bench.bin / "antiphon", "measure", path, "--json", "--report", bench.work / "lab/page"], stdout=text, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"antiphon measure ended with {child.returncode}: {out.read_text()[:300]}")
    wall_s = time.monotonic() - begin
    return used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024, json.loads(out.read_text())


def calibrate(bench):
    """The demo with a speaker that plays late by a delay that nobody is told."""
    rows = []
    for hidden in bench.length((137, 23, 288), (137,)):
        words = ["demo", "--calibrate", "--hidden-ms", str(hidden), "--json", "--seconds", str(bench.length(15, 6)), "--network", "none"]
        run = subprocess.run([bench.bin / "antiphon", *words, "--out", bench.work / "calibrate"], capture_output=True, text=True)
        if not run.stdout.startswith("{"):
            raise Failed(f"the demo ended with {run.returncode}: {run.stderr[-300:]}")
        report = json.loads(run.stdout)
        before, after = report["before"]["spread_us"], report["after"]["spread_us"]
        rows.append(
            row(
                f"real processes, one speaker {hidden} ms late behind its driver's back, after `antiphon calibrate`",
                "p95 <= 60 us by the recordings",
                f"p50 {after['p50']:.1f}, p95 {after['p95']:.1f}, max {after['max']:.1f} us; bias {after['bias']:+.1f} us",
                verdict(after["p95"] <= 60, report["after"]["stalls"]["excused_percent"]),
                "antiphon " + " ".join(words),
                f"before: {before['bias'] / 1e3:.3f} ms apart; the microphone is in a simulated room",
            )
        )
    return rows


def follow(bench):
    """Music in a simulated room whose right speaker drifts; what the follower says after a minute."""
    found = example(bench, "follow")["follow"]
    command = "cargo run --release -p antiphon-sim --example follow"
    number = lambda x: "-" if x is None else f"{x:g}"
    rows = []
    for r in found:
        # What the follower owns to not knowing is no wrong number.
        silent = r["sure_percent"] == 0
        good = silent or (r["error_at_60_s_us"] is not None and abs(r["error_at_60_s_us"]) <= 100)
        said = "it says that it cannot tell" if silent else f"error {r['error_at_60_s_us']:.1f} us, stated +-{r['stated_us']:.1f} us"
        rows.append(
            row(
                f"follow, {r['piece']}, drift {r['drift_us_per_s']:g} us/s, SNR {r['snr_db']:g} dB, after 60 s",
                "within 100 us, or says that the music does not tell",
                said,
                verdict(good),
                command,
                f"sure after {number(r['sure_after_s'])} s; stated intervals held {r['covered_percent']:.0f} %; says {r['says']}",
            )
        )
    return rows
