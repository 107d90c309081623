"""Bluetooth beside other things: a speaker in the network, a desktop's sound server, everything in one process."""

import time

from lab import judge
from lab.guest import HUB
from lab.scene import Scene
from lab.world import Scenario
from scenarios import steps


def with_network(scene: Scene) -> None:
    """The left speaker over Bluetooth from the guest, the right one over UDP on the host."""
    left = scene.speaker("left", delay_ms=150, report_ms=150, hidden_ms=20, ppm=50, seed=51)
    if not steps.pair(scene, left):
        return
    steps.start_hub(scene, {"left": left})
    network = scene.out / "right.wav"
    scene.start_here(
        "right", "speaker", "--name", "right", "--role", "right", "--open", "--hub", scene.hub_at,
        "--output", f"virtual:{network}?ppm=-40",
    )  # fmt: skip
    first = steps.music(scene, "first.wav", 14.0, 9)
    begin = steps.play(scene, first)
    scene.figure("apart by the report alone, ms", round(judge.spread(first, left.wav, network, begin).median_us() / 1e3, 2))
    if not steps.calibrate_files(scene, left.wav, network):
        return
    second = steps.music(scene, "second.wav", 20.0 if scene.short else 40.0, 10)
    begin = steps.play(scene, second)
    spread = steps.kept(scene, judge.spread(second, left.wav, network, begin), begin)
    scene.figure("apart after calibration, p95 us", round(spread.p95_us(), 1))
    scene.check("after calibration p95 is within 1 ms", spread.p95_us() <= 1_000.0, f"{spread.p95_us():.1f} us", timing=True)


def _desktop(scene: Scene) -> dict[str, str]:
    """A session's PipeWire and WirePlumber; the environment of its programs."""
    desktop = {"XDG_RUNTIME_DIR": "/run/desktop", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/desktop/bus"}
    # Nobody is logged in at a seat here, and WirePlumber leaves Bluetooth to whoever is.
    rules = "/etc/wireplumber/bluetooth.lua.d"
    (scene.out / "seatless.lua").write_text('bluez_monitor.properties["with-logind"] = false\n')
    scene.guest.run("mkdir", "-p", "/run/desktop", rules)
    scene.guest.run("cp", f"{scene.there}/seatless.lua", f"{rules}/51-seatless.lua")
    scene.guest.run("dbus-daemon", "--session", "--fork", "--address=unix:path=/run/desktop/bus")
    for name in ("pipewire", "wireplumber"):
        scene.guest.spawn(name, name, log=f"{scene.there}/{name}.log", environment=desktop)
        scene.running.append(name)
    return desktop


def with_pipewire(scene: Scene) -> None:
    """Endpoints of ours stand before PipeWire's; a speaker that is none of ours falls through to PipeWire."""
    left = scene.speaker("left", delay_ms=150, report_ms=150, seed=52)
    right = scene.speaker("right", delay_ms=150, report_ms=150, seed=53)
    other = scene.speaker("other", delay_ms=150, report_ms=150, seed=54)
    if not steps.pair(scene, left, right):
        return
    steps.start_hub(scene, {"left": left, "right": right})
    desktop = _desktop(scene)
    source = steps.music(scene, "first.wav", 30.0, 11)
    playing = steps.Playing(scene, source)
    time.sleep(8.0)
    # The desktop's own pairing, of a speaker that Antiphon was not asked to play on.
    paired = scene.run("bluetooth", "pair", other.address, patience=60.0)
    scene.check("a third speaker pairs meanwhile", paired.code == 0, paired.text.strip()[-200:] or "exit 0")
    sinks = lambda: "bluez_output" in scene.guest.run("pw-cli", "ls", "Node", environment=desktop).out
    try:
        scene.guest.wait_for("PipeWire's sink", sinks, 20.0)
        has = True
    except OSError:
        has = False
    scene.check("PipeWire has the speaker that is not ours", has, has)
    begin = playing.end()
    for speaker in (left, right):
        steps.no_stutter(scene, speaker, begin + steps.SETTLE_S, begin + 29.0)
    steps.own_channels_only(scene, source, {"left": left, "right": right}, begin)
    steps.equal_counts(scene, left, right)


def one_process(scene: Scene) -> None:
    """`antiphon play` alone: the hub and both speakers inside it."""
    left = scene.speaker("left", delay_ms=120, report_ms=120, seed=55)
    right = scene.speaker("right", delay_ms=250, report_ms=250, seed=56)
    if not steps.pair(scene, left, right):
        return
    source = steps.music(scene, "first.wav", 20.0, 12)
    begin = steps.play_alone(scene, source, left, right)
    steps.own_channels_only(scene, source, {"left": left, "right": right}, begin)
    spread = steps.measured(scene, source, left, right, begin)
    scene.figure("apart by true reports, p95 ms", round(spread.p95_us() / 1e3, 2))
    steps.equal_counts(scene, left, right)


SCENARIOS = [
    Scenario("with-network", "one Bluetooth and one UDP speaker in a group", with_network),
    Scenario("with-pipewire", "PipeWire and WirePlumber run beside it", with_pipewire),
    Scenario("one-process", "antiphon play with hub and both speakers inside", one_process),
]
