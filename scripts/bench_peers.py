#!/usr/bin/env python3
"""Two speakers on one sound server, heard by one recording: Antiphon, and Snapcast beside it in the same set-up.

A PulseAudio of its own has one null sink of four channels; two sinks are its channel pairs. One recording of the null
sink's monitor so holds both speakers sample by sample. The source is the same noise in both channels, and the delay
between the pairs is read twice a second. Prints one column for each program; nothing is kept.

What differs is said: Antiphon's two speakers have clocks 40 ppm and minutes apart (--local-clock); Snapcast's cannot be
given any and share the machine's. Windows near a standstill of the machine, as `antiphon witness` saw it, are left out
of "undisturbed" for both alike.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy as np

from bench_base import Failed, row, verdict

RATE = 48_000
WINDOW = RATE // 2
FOUR = "front-left,front-right,rear-left,rear-right"
# A stall moves what is heard for as long as buffers refill and the loops settle.
DISTURBED_S = 3.0
# From the start of a programme: what is heard before is the start's own figure.
SETTLE_S = 2.0


class Server:
    """A PulseAudio in directories of its own, with two sinks that are the pairs of one."""

    def __init__(self, work):
        self.dir = work
        (self.dir / "run").mkdir(parents=True)
        self.socket = self.dir / "run/native"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "ANTIPHON_"))}
        self.env |= {"HOME": str(self.dir), "XDG_RUNTIME_DIR": str(self.dir / "run"), "PULSE_SERVER": f"unix:{self.socket}"}
        self.env |= {"ANTIPHON_STATE_DIR": str(self.dir / "state"), "ANTIPHON_RUNTIME_DIR": str(self.dir / "antiphon")}
        pair = "module-remap-sink master=house remix=no channels=2 channel_map=front-left,front-right"
        modules = [
            f"module-native-protocol-unix socket={self.socket} auth-anonymous=1",
            f"module-null-sink sink_name=house rate={RATE} format=float32le channels=4 channel_map={FOUR}",
            f"{pair} sink_name=A master_channel_map=front-left,front-right",
            f"{pair} sink_name=B master_channel_map=rear-left,rear-right",
            # All four channels in one: a microphone that hears both pairs.
            "module-remap-source source_name=microphone master=house.monitor channels=1 channel_map=mono master_channel_map=mono",
        ]
        words = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm"]
        for module in modules:
            words += ["-L", module]
        self.running = []
        env = {k: v for k, v in self.env.items() if k != "PULSE_SERVER"}
        self.pulse = self.spawn("pulseaudio", words, env=env)
        deadline = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise Failed("the sound server does not start")
            time.sleep(0.1)

    def spawn(self, name, words, env=None, **more):
        log = open(self.dir / f"{name}.log", "ab")
        more.setdefault("stdout", log)
        more.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen([str(w) for w in words], env=env or self.env, stderr=log, **more)
        self.running.append(child)
        return child

    def end(self, *children):
        for child in reversed(children or self.running):
            child.send_signal(signal.SIGINT if child is not self.pulse else signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self.running.remove(child)

    def record(self, path):
        words = ["parec", "--raw", "--format=float32le", f"--rate={RATE}", "--channels=4", f"--channel-map={FOUR}"]
        return self.spawn("parec", [*words, "--latency-msec=50", "-d", "house.monitor"], stdout=open(path, "wb"))


def noise(path, seconds):
    """Band-limited noise, the same in both channels."""
    draw = np.random.default_rng(7).standard_normal(RATE * seconds)
    lines = np.fft.rfft(draw)
    hz = np.fft.rfftfreq(len(draw), 1 / RATE)
    lines[(hz < 60) | (hz > 12_000)] = 0
    samples = np.fft.irfft(lines, len(draw))
    samples = (samples / np.abs(samples).max() * 0.7 * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([samples, samples], 1).tobytes())


def delay_us(left, right):
    """By how much `right` is later; None where one is silent or they are not the same sound."""
    if min(left.std(), right.std()) < 1e-3:
        return None
    window = np.hanning(len(left))
    left, right = left * window, right * window
    size = 1 << (2 * len(left) - 1).bit_length()
    cross = np.fft.rfft(left, size).conj() * np.fft.rfft(right, size)
    lags = np.fft.irfft(cross, size)
    most = RATE // 2
    lags = np.concatenate([lags[-most:], lags[: most + 1]])
    peak = int(np.argmax(lags))
    if lags[peak] < 0.5 * np.sqrt((left @ left) * (right @ right)):
        return None
    # The rest, less than a sample, is the slope of the phase.
    f = np.arange(len(cross)) / size
    turned = cross * np.exp(2j * np.pi * f * (peak - most))
    band = (f > 0.01) & (f < 0.2)
    weight, f, phase = np.abs(turned[band]), f[band], np.angle(turned[band])
    slope = np.sum(weight * f * phase) / np.sum(weight * f * f)
    return (peak - most - slope / (2 * np.pi)) / RATE * 1e6


def windows(path, ended):
    """(seconds of CLOCK_MONOTONIC_RAW, delay) twice a second; `ended` is when the recording was."""
    count = path.stat().st_size // 16 * 4
    sound = np.fromfile(path, "<f4", count=count).reshape(-1, 4)
    found = []
    for first in range(0, len(sound) - WINDOW, WINDOW):
        part = sound[first : first + WINDOW].astype(float)
        at = ended - (len(sound) - first - WINDOW / 2) / RATE
        found.append((at, delay_us(part[:, 0], part[:, 2])))
    return found


def first_sound(path, ended, asked):
    """Seconds from `asked` until both speakers sound, and how far apart (us) they are in the quarter second from there."""
    count = path.stat().st_size // 16 * 4
    sound = np.fromfile(path, "<f4", count=count).reshape(-1, 4)
    loud = [np.flatnonzero(np.abs(sound[:, c]) > 1e-3) for c in (0, 2)]
    if not all(map(len, loud)):
        return None
    first = max(int(frames[0]) for frames in loud)
    part = sound[first : first + RATE // 4].astype(float)
    return ended - (len(sound) - first) / RATE - asked, delay_us(part[:, 0], part[:, 2])


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)


def antiphon(server, bench, file, seconds, stop_at=None):
    """A hub, two speakers and a player: the recording's windows, its first sound, when the server went on after a stop
    and whether `status` knew of it."""
    program = bench / "antiphon"
    hub = server.spawn("hub", [program, "hub", "--listen", "127.0.0.1:0", "--no-mdns", "--no-bluetooth", "--name", "bench"])
    clocks = {"left": "ppm=+20&offset_s=1234.5", "right": "ppm=-20&offset_s=77.25"}
    sinks = {"left": "pulse:A", "right": "pulse:B"}
    speakers = [
        server.spawn(side, [program, "speaker", "--name", side, "--output", sinks[side], "--local-clock", clock])
        for side, clock in clocks.items()
    ]
    said = lambda: json.loads(subprocess.run([program, "status", "--json"], env=server.env, capture_output=True, text=True).stdout or "{}")
    synced = lambda: [bool((s.get("report") or {}).get("synced")) for s in said().get("speakers", [])]
    deadline = time.monotonic() + 30
    while synced() != [True, True]:
        if time.monotonic() > deadline:
            raise Failed("the speakers do not come")
        time.sleep(0.2)
    path = server.dir / "antiphon.raw"
    recorder = server.record(path)
    asked = now()
    player = server.spawn("play", [program, "play", file, "--left", "left", "--right", "right"])
    began = knew = None
    if stop_at is None:
        time.sleep(seconds)
    else:
        time.sleep(stop_at)
        server.pulse.send_signal(signal.SIGSTOP)
        time.sleep(1.9)
        knew = synced() == [False, False]
        server.pulse.send_signal(signal.SIGCONT)
        began = now()
        time.sleep(seconds - stop_at)
    server.end(recorder)
    ended = now()
    server.end(player, *speakers, hub)
    return {"windows": windows(path, ended), "start": first_sound(path, ended, asked), "began": began, "knew": knew}


def snapcast(server, _bench, file, seconds):
    """Snapserver fed by a pipe, and two of its clients."""
    pipe = server.dir / "snapfifo"
    if not pipe.exists():
        os.mkfifo(pipe)
    source = f"pipe://{pipe}?name=bench&sampleformat={RATE}:16:2&mode=read"
    data = server.dir / "snapdata"
    data.mkdir(exist_ok=True)
    # A server that Debian has started by itself keeps its own ports.
    port = free_port()
    quiet = ["--http.enabled=false", "--tcp.enabled=false", f"--stream.port={port}", f"--server.datadir={data}"]
    host = server.spawn("snapserver", ["snapserver", "--config=/dev/null", f"--stream.source={source}", *quiet])
    time.sleep(1.0)
    clients = [
        server.spawn(f"snapclient{n}", ["snapclient", "--host", "127.0.0.1", "--port", port, "--player", "pulse", "--soundcard", sink, "--hostID", sink, "--instance", str(n)])
        for n, sink in ((1, "A"), (2, "B"))
    ]
    time.sleep(2.0)
    path = server.dir / "snapcast.raw"
    recorder = server.record(path)
    with wave.open(str(file)) as sound:
        frames = sound.readframes(RATE * (seconds + 5))
    feeder = subprocess.Popen([sys.executable, "-c", "import sys; out=open(sys.argv[1],'wb',0); out.write(sys.stdin.buffer.read())", pipe], stdin=subprocess.PIPE)
    feed = threading.Thread(target=lambda: feed_all(feeder, frames), daemon=True)
    feed.start()
    time.sleep(seconds)
    server.end(recorder)
    ended = now()
    feeder.kill()
    feeder.wait()
    server.end(*clients, host)
    return {"windows": windows(path, ended)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def feed_all(feeder, frames):
    try:
        feeder.stdin.write(frames)
        feeder.stdin.close()
    except BrokenPipeError:
        pass


def stalls(log):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [(s["begin_ns"] / 1e9, s["end_ns"] / 1e9) for s in lines]


def judged(starts, stood):
    """All windows and the undisturbed ones, of all starts; the first seconds of sound are each start's own."""
    every, calm = [], []
    for found in (start["windows"] for start in starts):
        sounding = [at for at, us in found if us is not None]
        if not sounding:
            continue
        for at, us in found:
            if us is None or at < sounding[0] + SETTLE_S:
                continue
            every.append(abs(us))
            if not any(begin - 0.5 < at < end + DISTURBED_S for begin, end in stood):
                calm.append(abs(us))
    return every, calm


def percentiles(values):
    if not values:
        return None
    return [float(np.percentile(values, 50)), float(np.percentile(values, 95)), max(values)]


def compare(work, bench, starts, seconds, programs):
    """For each program its windows of every start."""
    file = work / "noise.wav"
    noise(file, seconds + 30)
    results = {program.__name__: [] for program in programs}
    for n in range(starts):
        for program in programs:
            server = Server(work / f"{program.__name__}{n}")
            try:
                results[program.__name__].append(program(server, bench, file, seconds))
            finally:
                server.end()
                if not os.environ.get("ANTIPHON_BENCH_KEEP"):
                    shutil.rmtree(server.dir, ignore_errors=True)
    return results


def with_witness(work, bench, do):
    """What `do` returns, and the machine's stalls meanwhile."""
    log = work / "witness.jsonl"
    with open(log, "wb") as out:
        witness = subprocess.Popen([bench / "antiphon", "witness"], stdout=out, stderr=subprocess.DEVNULL)
        try:
            done = do()
        finally:
            witness.send_signal(signal.SIGINT)
            witness.wait(10)
    return done, stalls(log)


def stopped(work, bench):
    """The sound server stopped for 2 s in the middle: from two seconds after on, the worst window; what was known."""
    file = work / "noise.wav"
    noise(file, 60)
    server = Server(work / "stopped")
    try:
        found = antiphon(server, bench, file, 30, stop_at=10)
    finally:
        server.end()
    again = found["began"] + 2.0 + WINDOW / RATE / 2
    after = [abs(us) for at, us in found["windows"] if us is not None and at > again]
    return (max(after) if after else None), len(after), found["knew"]


def started(starts):
    """Of all starts: median and worst seconds to the first sound on both, and the worst us apart from there."""
    found = [start["start"] for start in starts if start["start"]]
    if not found:
        return None
    apart = [abs(us) for _, us in found if us is not None]
    return float(np.median([s for s, _ in found])), max(s for s, _ in found), max(apart, default=None)


def rows(bench):
    """For bench.py."""
    if not shutil.which("pulseaudio"):
        raise Failed("pulseaudio is not installed")
    starts, seconds = bench.length(10, 2), bench.length(60, 15)
    programs = [antiphon, snapcast] if shutil.which("snapserver") and shutil.which("snapclient") else [antiphon]
    with tempfile.TemporaryDirectory(dir=bench.work) as work:
        work = Path(work)
        results, stood = with_witness(work, bench.bin, lambda: compare(work, bench.bin, starts, seconds, programs))
        worst, heard, knew = stopped(work, bench.bin)
    every, calm = judged(results["antiphon"], stood)
    median_s, worst_s, apart = started(results["antiphon"]) or (99.0, 99.0, None)
    p = percentiles(calm)
    if p is None or worst is None:
        raise Failed("nothing was heard")
    good = p[0] <= 40 and p[1] <= 100 and p[2] <= 200
    whole = percentiles(every)
    note = f"{len(calm)} undisturbed windows of {len(every)}; with all of them p50 {whole[0]:.1f}, p95 {whole[1]:.1f}, max {whole[2]:.1f} us; clocks 40 ppm apart"
    command = "make bench-peers"
    beside = [better(p, results["snapcast"], stood, command)] if snapcast in programs else []
    return [
        row(
            f"two sinks of one PulseAudio, {starts} starts of {seconds} s",
            "p50 <= 40, p95 <= 100, max <= 200 us",
            f"p50 {p[0]:.1f}, p95 {p[1]:.1f}, max {p[2]:.1f} us",
            verdict(good, 100.0 * (len(every) - len(calm)) / len(every) if not good else 0.0),
            command,
            note,
        ),
        *beside,
        row(
            "from `play` to the first sound on both, and in time from there",
            "<= 0.6 s, within 1 ms",
            f"median {median_s:.2f}, worst {worst_s:.2f} s; at most {apart or 99_999.0:.1f} us apart",
            verdict(median_s <= 0.6 and apart is not None and apart <= 1_000),
            command,
            "the first quarter of a second of each start; the median is judged, as one start meets a stall",
        ),
        row(
            "PulseAudio stopped for 2 s: from 2 s after it runs again",
            "<= 1 ms, and status knew",
            f"max {worst / 1e3:.3f} ms, status {'knew' if knew else 'did not know'}",
            verdict(worst <= 1_000 and bool(knew)),
            command,
            f"{heard} windows",
        ),
    ]


def better(ours, theirs, stood, command):
    """Whether ours are the smaller ones, of undisturbed windows of one run."""
    every, calm = judged(theirs, stood)
    p = percentiles(calm)
    if p is None:
        raise Failed("Snapcast was not heard")
    whole = percentiles(every)
    note = f"{len(calm)} undisturbed windows of {len(every)}; with all of them p50 {whole[0]:.1f}, p95 {whole[1]:.1f}, max {whole[2]:.1f} us; its clients share one clock"
    return row(
        "the same of Debian's Snapcast, its starts between ours",
        "more than Antiphon's",
        f"p50 {p[0]:.1f}, p95 {p[1]:.1f}, max {p[2]:.1f} us",
        verdict(all(a < b for a, b in zip(ours, p))),
        command,
        note,
    )


def main():
    parser = argparse.ArgumentParser(description="Antiphon and Snapcast on two sinks of one sound server.")
    parser.add_argument("--bin", type=Path, required=True, help="directory of the program antiphon")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=60, help="of each start")
    parser.add_argument("--only", choices=["antiphon", "snapcast"])
    given = parser.parse_args()
    for program in ("pulseaudio", "pactl", "parec", *([] if given.only == "antiphon" else ["snapserver", "snapclient"])):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed; scripts/setup.sh peers does that")
    programs = [p for p in (antiphon, snapcast) if given.only in (None, p.__name__)]
    with tempfile.TemporaryDirectory() as work:
        work, bench = Path(work), given.bin.resolve()
        results, stood = with_witness(work, bench, lambda: compare(work, bench, given.starts, given.seconds, programs))
        worst, heard, knew = stopped(work, bench) if antiphon in programs else (None, 0, None)
    names = list(results)
    table = {name: judged(results[name], stood) for name in names}
    print(f"Two speakers on one sound server, {given.starts} starts of {given.seconds} s each; how far apart, in us:\n")
    print(f"{'':34}" + "".join(f"{name:>12}" for name in names))
    for which, label in ((1, "undisturbed"), (0, "all windows")):
        found = {name: percentiles(table[name][which]) for name in names}
        for n, percentile in enumerate(("p50", "p95", "max")):
            cells = "".join(f"{found[name][n]:12.1f}" if found[name] else f"{'-':>12}" for name in names)
            print(f"{label + ' ' + percentile:34}{cells}")
        print(f"{label + ' windows':34}" + "".join(f"{len(table[name][which]):12}" for name in names))
    begun = started(results.get("antiphon", []))
    if begun:
        print(f"\nAntiphon: from `play` to the first sound on both {begun[0]:.2f} s (median), {begun[1]:.2f} s (worst); at most {begun[2] or 99_999.0:.1f} us apart from there.")
    print(f"\n{len(stood)} stalls of the machine. Antiphon's clocks were 40 ppm and 19 minutes apart, Snapcast's the same one.")
    if heard:
        known = "knew" if knew else "did not know"
        print(f"PulseAudio stopped for 2 s: from 2 s after it ran again, Antiphon's speakers were at most {worst / 1e3:.3f} ms apart; status {known} meanwhile.")


if __name__ == "__main__":
    main()
