"""Two and three speakers on one adapter: whose channel, how far apart, before and after calibration."""

import time
from pathlib import Path

from lab.scene import Scene, Speaker
from lab.world import Scenario
from scenarios import steps

# The bound for speakers that were calibrated.
TOGETHER_US = 1_000.0

# From `antiphon play` to the first sound of speakers that are connected: beyond what they hold themselves.
START_S = 1.5


def _together(scene: Scene, left: Speaker, right: Speaker, first_s: float, second_s: float) -> None:
    """Plays, calibrates by the room's microphone, and plays again."""
    speakers = {"left": left, "right": right}
    steps.found(scene, left, right)
    if not steps.pair(scene, left, right):
        return
    steps.start_hub(scene, speakers)
    first = steps.music(scene, "first.wav", first_s, 1)
    begin = steps.play(scene, first)
    steps.time_to_sound(scene, begin, left, right, START_S)
    steps.own_channels_only(scene, first, speakers, begin)
    before = steps.measured(scene, first, left, right, begin)
    scene.figure("apart by reports alone, ms", round(before.median_us() / 1e3, 2))
    if not steps.calibrate(scene, left, right):
        return
    _after(scene, speakers, second_s)


def _after(scene: Scene, speakers: dict[str, Speaker], seconds: float) -> None:
    left, right = speakers.values()
    _heard_together(scene, left, right, seconds)
    steps.equal_counts(scene, left, right)


def _heard_together(scene: Scene, left: Speaker, right: Speaker, seconds: float) -> None:
    second = steps.music(scene, "second.wav", seconds, 2)
    used = steps.Usage(scene, "hub")
    begin = steps.play(scene, second)
    used.tell()
    after = steps.measured(scene, second, left, right, begin)
    scene.figure("apart after calibration, p95 us", round(after.p95_us(), 1))
    scene.figure("measured share", round(after.share(), 3))
    scene.check("after calibration p95 is within 1 ms", after.p95_us() <= TOGETHER_US, f"{after.p95_us():.1f} us", timing=True)
    scene.check("both speakers sound all the time", after.share() >= 0.95, f"{after.share():.3f}", timing=True)


def _lengths(scene: Scene) -> tuple[float, float]:
    return (14.0, 20.0) if scene.short else (20.0, 66.0)


def pair(scene: Scene) -> None:
    left = scene.speaker("left", delay_ms=120, report_ms=120, hidden_ms=20, ppm=60, seed=11)
    right = scene.speaker("right", delay_ms=250, report_ms=250, hidden_ms=20, ppm=-90, seed=12)
    _together(scene, left, right, *_lengths(scene))


def reports_nothing(scene: Scene) -> None:
    left = scene.speaker("left", delay_ms=120, report_ms=120, hidden_ms=20, ppm=-30, seed=13)
    right = scene.speaker("right", delay_ms=200, report_ms=None, hidden_ms=20, ppm=80, seed=14)
    _together(scene, left, right, *_lengths(scene))


def reports_wrong(scene: Scene) -> None:
    left = scene.speaker("left", delay_ms=150, report_ms=150, hidden_ms=20, ppm=100, seed=15)
    right = scene.speaker("right", delay_ms=220, report_ms=120, hidden_ms=20, ppm=-100, seed=16)
    _together(scene, left, right, *_lengths(scene))


def three(scene: Scene) -> None:
    """Left, right and one that plays both channels summed."""
    left = scene.speaker("left", delay_ms=120, report_ms=120, seed=17)
    right = scene.speaker("right", delay_ms=160, report_ms=160, seed=18)
    mono = scene.speaker("mono", delay_ms=200, report_ms=200, seed=19)
    if not steps.pair(scene, left, right, mono):
        return
    steps.start_hub(scene, {"left": left, "right": right, "mono": mono})
    source = steps.music(scene, "first.wav", 20.0, 1)
    begin = steps.play(scene, source)
    steps.own_channels_only(scene, source, {"left": left, "right": right}, begin)
    spread = steps.measured(scene, source, left, right, begin)
    scene.figure("apart by true reports alone, p95 ms", round(spread.p95_us() / 1e3, 2))
    for other in (right, mono):
        steps.equal_counts(scene, left, other)
    steps.no_stutter(scene, mono, begin + steps.SETTLE_S, begin + 19.0)


def delay_changes(scene: Scene) -> None:
    """A speaker that reports another delay while it plays, and truly has it then."""
    left = scene.speaker("left", delay_ms=150, report_ms=150, seed=20)
    right = scene.speaker("right", delay_ms=150, report_ms=150, seed=21)
    if not steps.pair(scene, left, right):
        return
    steps.start_hub(scene, {"left": left, "right": right})
    source = steps.music(scene, "first.wav", 30.0, 3)
    playing = steps.Playing(scene, source)
    time.sleep(12.0)
    right.tell(do="report", ms=190.0)
    begin = playing.end()
    spread = steps.measured(scene, source, left, right, begin)
    moved = spread.median_us(18.0, 29.0) - spread.median_us(4.0, 11.0)
    scene.figure("moved by a report of 40 ms more, ms", round(moved / 1e3, 2))
    scene.check("the right speaker is sent its part 40 ms earlier", abs(moved + 40_000.0) < 1_500.0, f"{moved:.0f} us", timing=True)
    steps.no_stutter(scene, left, begin + steps.SETTLE_S, begin + 29.0)
    steps.no_stutter(scene, right, begin + steps.SETTLE_S, begin + 29.0)


def _stale(scene: Scene) -> set[str]:
    """What the status says of calibrations that may not hold any more."""
    told = (speaker.get("calibration") or {} for speaker in scene.status().get("speakers", []))
    return {calibration["stale"] for calibration in told if calibration.get("stale")}


def realigned(scene: Scene) -> None:
    """A speaker that returns starts at another delay; `calibrate --keep` finds out and puts it right by itself."""
    left = scene.speaker("left", delay_ms=150, report_ms=150, hidden_ms=20, ppm=40, seed=22)
    right = scene.speaker("right", delay_ms=150, report_ms=150, hidden_ms=20, ppm=-40, seed=23)
    if not steps.pair(scene, left, right):
        return
    steps.start_hub(scene, {"left": left, "right": right})
    if not steps.calibrate(scene, left, right):
        return
    scene.start_here("keep", "calibrate", "--keep", *steps.microphone(scene, left.wav, right.wav), before_others=False)
    right.tell(do="off")
    time.sleep(3.0)
    right.tell(do="on")
    scene.wait_for("the calibration to be called stale", lambda: bool(_stale(scene)), 60.0)
    said = "; ".join(_stale(scene))
    scene.check("the status says why", "not verified since reconnect" in said, said)
    # A correction is in force before it has been checked; the check must be over before anything else plays.
    log = scene.out / "keep.log"
    took = scene.wait_for("the pair to be put right", lambda: "after:" in log.read_text() and not _stale(scene), 240.0)
    scene.figure("put right by itself after, s", round(took, 1))
    _heard_together(scene, left, right, 20.0)


SCENARIOS = [
    Scenario("pair", "two speakers that report 120 and 250 ms: true left and right, together after calibration", pair, True),
    Scenario("reports-nothing", "one speaker reports no delay", reports_nothing),
    Scenario("reports-wrong", "one speaker reports 100 ms too little", reports_wrong),
    Scenario("realigned", "a speaker returns at another delay and is put right by nobody's hand", realigned),
    Scenario("three", "three speakers on one adapter", three),
    Scenario("delay-changes", "a speaker reports another delay in mid-song", delay_changes),
]
