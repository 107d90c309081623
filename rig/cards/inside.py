"""Runs in the guest: plays to loopback cards with the program under test, and judges what their other sides heard.

A scene leaves figures: how far the right speaker's bursts are from the left one's (us), in true time, underruns, and
how often the guest stood still for longer than a card's buffer bears.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
import wave
from pathlib import Path

import numpy as np
from recorder import Recorder

ANTIPHON = "/run/antiphon"
# Long enough that no neighbour is taken for it.
BURST_S, GRID_S, RATE = 0.03, 0.2, 48_000
# A shorter one disappears in the card's buffer.
STALL_S = 0.04
# What is played to, and what is recorded.
SCENES = {
    "one-card": (("alsa:hw:First#left", "alsa:hw:First#right"), ["hw:First,1"]),
    "two-cards": (("alsa:hw:First", "alsa:hw:Second"), ["hw:First,1", "hw:Second,1"]),
}
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def burst() -> np.ndarray:
    """Noise up to 6 kHz with soft edges: it agrees with itself at one place only."""
    length = int(BURST_S * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(length))
    spectrum[int(6_000 * BURST_S) :] = 0.0
    noise = np.fft.irfft(spectrum, length) * np.hanning(length)
    return 0.5 * noise / np.abs(noise).max()


def write_song(path: Path, seconds: int) -> None:
    """The burst on the left at every step of the grid; on the right too, but for each fifth."""
    step = np.zeros((int(GRID_S * RATE), 2))
    step[: int(BURST_S * RATE)] = burst()[:, None]
    both = (step * 32_767).astype("<i2").tobytes()
    left = (step * [32_767, 0]).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        for nth in range(int(seconds / GRID_S)):
            file.writeframes(both if nth % 5 else left)


def instants(heard: np.ndarray) -> np.ndarray:
    """Frames, with fractions, at which bursts begin; looked for in pieces, as the guest has little memory."""
    one, piece = burst(), 10 * RATE
    apart, found = GRID_S * RATE / 2, []
    for begin in range(0, len(heard), piece):
        for at in begin + bursts_in(heard[begin : begin + piece + 2 * len(one)] / 32_768.0, one):
            if at < begin + piece + len(one) and (not found or at - found[-1] > apart):
                found.append(at)
    return np.array(found)


def bursts_in(heard: np.ndarray, one: np.ndarray) -> np.ndarray:
    size = 1 << (len(heard) + len(one)).bit_length()
    agreement = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(one, size)), size)[: len(heard)]
    least, apart, found = 0.6 * np.sum(one**2), int(GRID_S * RATE / 2), []
    above = np.flatnonzero(agreement > least)
    while len(above):
        near = above[above < above[0] + apart]
        peak = near[np.argmax(agreement[near])]
        if 0 < peak < len(heard) - len(one):
            before, at, after = agreement[peak - 1 : peak + 2]
            found.append(peak + 0.5 * (before - after) / (before - 2 * at + after))
        above = above[above >= above[0] + apart]
    return np.array(found)


def apart_us(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """By how much each burst of the right is after the nearest of the left; both in frames of one card."""
    place = np.clip(np.searchsorted(left, right), 1, len(left) - 1)
    before, after = left[place - 1], left[place]
    return (right - np.where(right - before < after - right, before, after)) / RATE * 1e6


def shift(card: str, ppm: int) -> None:
    """Lets a loopback card run fast; its control counts in 10 ppm, downwards."""
    listed = subprocess.run(["amixer", "-c", card, "controls"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if "PCM Rate Shift" in line:
            number = line.split(",")[0]
            subprocess.run(["amixer", "-q", "-c", card, "cset", number, str(100_000 - ppm // 10)], check=True)


def status() -> dict:
    """As the hub tells this machine. A program started for each question would keep the guest from its cards for
    milliseconds."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:7755/api/v1/status", timeout=5.0) as answer:
            return json.load(answer)
    except OSError:
        return {"speakers": []}


def stalls(begin_ns: int) -> int:
    """How often the guest stood still since then."""
    told = [json.loads(line) for line in Path("/run/witness").read_text().splitlines() if line.endswith("}")]
    return sum(one["begin_ns"] >= begin_ns and one["end_ns"] - one["begin_ns"] >= STALL_S * 1e9 for one in told)


class InVain(Exception):
    pass


def wait_until(what: str, condition, patience: float) -> None:
    give_up = time.monotonic() + patience
    while not condition():
        if time.monotonic() > give_up:
            Path("/job/in-vain.json").write_text(json.dumps(status()))
            raise InVain(f"waited in vain for {what}")
        time.sleep(0.2)


def are_synced(names: list[str]) -> bool:
    reports = {one["name"]: one.get("report") or {} for one in status()["speakers"]}
    return all(reports.get(name, {}).get("synced") for name in names)


def underruns_so_far() -> dict[str, int]:
    return {one["name"]: (one.get("report") or {}).get("underruns", 0) for one in status()["speakers"]}


def scene(name: str, outputs: tuple[str, str], sides: list[str], seconds: int) -> dict:
    """Plays to `outputs` and records `sides`: one card's two channels, or the first channel of two cards."""
    recorder = Recorder(sides)
    recorder.start()
    log = open(f"/job/{name}.log", "wb")
    player = subprocess.Popen(
        [ANTIPHON, "play", "-vv", "/run/song.wav", "--left", outputs[0], "--right", outputs[1]], stderr=log, **QUIET
    )
    try:
        wait_until("the speakers to be in time", lambda: are_synced(list(outputs)) or player.poll() is not None, 60.0)
        if player.poll() is not None:
            raise InVain(f"the player ended with {player.returncode}")
        return listen(name, recorder, seconds)
    finally:
        player.terminate()
        player.wait(10.0)
        recorder.stop()


def listen(name: str, recorder: Recorder, seconds: int) -> dict:
    before, begin = underruns_so_far(), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    time.sleep(seconds)
    underruns = {name: count - before.get(name, 0) for name, count in underruns_so_far().items()}
    (Path("/job") / f"{name}.status.json").write_text(json.dumps(status()))
    stood_still = stalls(begin)
    sound = recorder.stop()
    start, step = recorder.clock()
    left = instants(sound[0][:, 0])
    right, second_ppm, off, wander = recorder.in_first(instants(sound[-1][:, 1]), begin)
    begin_frame = (begin - start) / step
    # At the edges one of two may be out of the window.
    inside = (right > max(begin_frame, left[0])) & (right < left[-1])
    apart = apart_us(left, right[inside])
    size = np.abs(apart)
    # For who wants to see how they came apart: bursts of the right, in frames of the first card, and readings of counters.
    np.savez(f"/job/{name}.npz", at=right[inside], apart_us=apart, marks=np.array(recorder.marks))
    first_ppm = (1e9 / RATE / step - 1.0) * 1e6
    return {
        "scene": name,
        "bursts": [int(np.sum(left > begin_frame)), len(apart)],
        "median_us": round(float(np.median(apart)), 1),
        **{f"p{p}_us": round(float(np.percentile(size, p)), 1) for p in (50, 95, 99)},
        "max_us": round(float(size.max()), 1),
        "cards_ppm": [round(ppm, 1) for ppm in (first_ppm, first_ppm + second_ppm)[: len(sound)]],
        "cards_wander": round(wander / RATE * 1e6, 1),
        "counters_off_frames": round(off, 2),
        "overruns_of_the_recorder": recorder.overruns,
        "underruns": underruns,
        "underruns_before": before,
        "stalls": stood_still,
    }


def main() -> None:
    seconds, chosen = int(sys.argv[1]), sys.argv[2:]
    os.environ.update(ANTIPHON_STATE_DIR="/run/state", ANTIPHON_RUNTIME_DIR="/run/antiphon-run")
    write_song(Path("/run/song.wav"), seconds + 180)
    hub = subprocess.Popen([ANTIPHON, "hub", "--no-mdns"], stderr=open("/job/hub.log", "wb"), **QUIET)
    listed = subprocess.run([ANTIPHON, "outputs"], capture_output=True, text=True).stdout
    Path("/job/outputs.txt").write_text(listed)
    subprocess.Popen([ANTIPHON, "witness"], stdin=subprocess.DEVNULL, stdout=open("/run/witness", "wb"))
    shift("First", 50)
    shift("Second", -50)
    results = []
    for name in chosen:
        outputs, sides = SCENES[name]
        begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        try:
            results.append(scene(name, outputs, sides, seconds))
        except InVain as why:
            results.append({"scene": name, "in_vain": str(why), "stalls": stalls(begin)})
        Path("/job/results.json").write_text(json.dumps(results, indent=1) + "\n")
    hub.terminate()
    hub.wait(10.0)


main()
