"""What several scenarios do: pair, run the hub and the speakers, play, measure."""

import json
from pathlib import Path

import numpy as np

from lab import judge, music as make
from lab.guest import HUB
from lab.scene import Scene, Speaker, raw_s
from lab.stalls import excused

# The hub as the guest itself reaches it.
LOCAL = f"127.0.0.1:{HUB}"

CONNECT_PATIENCE_S = 60.0

# From the first packet on until the buffers and clocks have settled.
SETTLE_S = 4.0


def found(scene: Scene, *speakers: Speaker) -> None:
    """A scan shows them by name."""
    done = scene.run("bluetooth", "scan", patience=60.0)
    for speaker in speakers:
        scene.check(f"the scan shows {speaker.model.name}", speaker.model.name in done.out, "by its name" if speaker.model.name in done.out else done.text.strip()[-300:])


def pair(scene: Scene, *speakers: Speaker) -> bool:
    """Pairs each, one after the other; what is not known yet is looked for."""
    agreed = True
    for speaker in speakers:
        done = scene.run("bluetooth", "pair", speaker.address, patience=90.0)
        scene.check(f"{speaker.model.name} pairs", done.code == 0, done.text.strip()[-200:] if done.code else "exit 0")
        agreed = agreed and done.code == 0
    return agreed


def save(scene: Scene, roles: dict[str, Speaker]) -> None:
    """Saves them as a pair, each by its role's name, as `antiphon pair` does."""
    lines = ["version = 1", "[[pair]]", 'name = "rig"']
    for role, speaker in roles.items():
        lines += ["[[pair.member]]", f'address = "{speaker.address}"', f'speaker = "{role}"', f'role = "{role}"']
    (scene.out / "bluetooth.toml").write_text("\n".join(lines) + "\n")
    state = scene.environment["ANTIPHON_STATE_DIR"]
    scene.guest.run("mkdir", "-p", state)
    scene.guest.run("cp", f"{scene.there}/bluetooth.toml", f"{state}/bluetooth.toml")


def start_hub(scene: Scene, roles: dict[str, Speaker]) -> None:
    """The hub with its saved speakers in one process; open, as the lab's network has two machines."""
    save(scene, roles)
    scene.start("hub", "hub", "--open", "--no-mdns", "--listen", f"0.0.0.0:{HUB}")
    scene.wait_for("the hub to listen", lambda: bool(scene.status()), 30.0)
    connected(scene, *roles.values())


def connected(scene: Scene, *speakers: Speaker) -> None:
    """Waits until each has an open stream, and its part of the hub is in time."""
    begin = raw_s()
    scene.wait_for("all speakers to be connected", lambda: all(one.events("open") for one in speakers), CONNECT_PATIENCE_S)
    scene.figure("connected after, s", round(raw_s() - begin, 1))
    synced = lambda: sum(1 for one in scene.status().get("speakers", []) if (one.get("report") or {}).get("synced"))
    scene.wait_for("their clocks to be known", lambda: synced() >= len(speakers), CONNECT_PATIENCE_S)
    scene.connected_s = raw_s()


def music(scene: Scene, name: str, seconds: float, seed: int) -> Path:
    return make.write(scene.out / name, seconds, seed)


def in_memory(scene: Scene, path: Path) -> str:
    """Where the guest has the file without asking the host's disk, for which all of it would wait."""
    scene.guest.run("cp", f"{scene.there}/{path.name}", f"/tmp/{path.name}")
    return f"/tmp/{path.name}"


class Playing:
    """`antiphon play` in the guest, meanwhile."""

    def __init__(self, scene: Scene, path: Path) -> None:
        self.scene, self.path = scene, path
        file = in_memory(scene, path)
        self.begin = raw_s()
        scene.start(f"play-{path.stem}", "play", file, "--hub", LOCAL)

    def end(self) -> float:
        """Waits for its end and gives the instant of its start."""
        name = f"play-{self.path.stem}"
        running = lambda: self.scene.guest.state(name)["code"]
        self.scene.wait_for("the music to end", lambda: running() is not None, 200.0)
        code = running()
        self.scene.running.remove(name)
        self.scene.guest.stop(name)
        self.scene.check("the music plays to its end", code == 0, self.scene.log(name)[-200:] if code else "exit 0")
        return self.begin


def play(scene: Scene, path: Path) -> float:
    """Plays a file to its end; when that was begun."""
    return Playing(scene, path).end()


def play_alone(scene: Scene, path: Path, left: Speaker, right: Speaker) -> float:
    """`antiphon play` without a hub, on speakers named by their addresses; when their sound began."""
    sides = ["--left", f"bluetooth:{left.address}", "--right", f"bluetooth:{right.address}"]
    done = scene.run("play", in_memory(scene, path), *sides, "--wait", "30s", patience=200.0)
    scene.check("the music plays to its end", done.code == 0, done.text.strip()[-200:] if done.code else "exit 0")
    first = left.packets.at_s
    return float(first[0]) if len(first) else raw_s()


def time_to_sound(scene: Scene, begin: float, left: Speaker, right: Speaker, most_s: float) -> None:
    """From `antiphon play` to the first sample of music at each speaker."""
    worst = max(judge.first_sound_s(speaker.wav, begin) - begin for speaker in (left, right))
    scene.figure("from play to sound, s", round(worst, 2))
    scene.check(f"sound within {most_s} s", worst <= most_s, f"{worst:.2f} s", timing=True)


def calibrate(scene: Scene, left: Speaker, right: Speaker) -> bool:
    return calibrate_files(scene, left.wav, right.wav)


def microphone(scene: Scene, left: Path, right: Path) -> list[str]:
    """A microphone in a simulated room that hears the speakers' own recordings grow."""
    room = f"room:{left},{right}?distances_m=2,2&rt60_ms=300&snr_db=30&ppm=60"
    return ["--hub", scene.control_hub_at, "--mic", room]


def calibrate_files(scene: Scene, left: Path, right: Path) -> bool:
    begin = raw_s()
    done = scene.here("calibrate", *microphone(scene, left, right), "--equal-distance", "--json", patience=180.0)
    scene.figure("calibrated in, s", round(raw_s() - begin, 1))
    scene.check("calibrating succeeds", done.code == 0, done.text.strip()[-300:] if done.code else "exit 0", timing=True)
    return done.code == 0


def kept(scene: Scene, spread: judge.Spread, begin: float) -> judge.Spread:
    """Without the beginning, and without what stalls of the machine spoiled."""
    stalls = scene.stalls_so_far()
    late = [(at, us) for at, us in spread.windows if at >= SETTLE_S]
    good = [(at, us) for at, us in late if not excused(begin + at, stalls)]
    if late:
        share = 1.0 - len(good) / len(late)
        scene.figure("excused share", max(round(share, 4), scene.figures.get("excused share", 0.0)))
    return judge.Spread(good)


def measured(scene: Scene, source: Path, left: Speaker, right: Speaker, begin: float) -> judge.Spread:
    """How far apart two speakers sounded the source that was begun at `begin`."""
    return kept(scene, judge.spread(source, left.wav, right.wav, begin), begin)


def p95_about_median(spread: judge.Spread) -> float:
    """How steadily they keep their distance, whatever it is."""
    values = np.array(spread.measured())
    return float(np.percentile(np.abs(values - np.median(values)), 95)) if len(values) else float("inf")


def own_channels_only(scene: Scene, source: Path, speakers: dict[str, Speaker], begin: float) -> None:
    """True left and right."""
    for name, channel in (("left", 0), ("right", 1)):
        db = judge.separation_db(source, speakers[name].wav, channel, begin)
        scene.figure(f"{name} over the other channel, dB", round(db, 1))
        scene.check(f"the {name} speaker plays the {name} channel only", db > 30.0, f"{db:.1f} dB")


def same_samples(scene: Scene, one: Speaker, other: Speaker, begin: float, end: float) -> None:
    """After a return: both are sent the same samples, none more and none less."""
    found = judge.unlike(one.packets, other.packets, begin, end)
    scene.check("after the return both are sent the same samples", found == 0, "one was sent none" if found is None else f"{found} packets differ", timing=True)


def equal_counts(scene: Scene, one: Speaker, other: Speaker) -> None:
    """The invariant: what both links were sent stays equal."""
    samples = judge.count_difference(one.packets, other.packets)
    scene.figure("counts differ, samples beyond a packet", samples)
    scene.check("sample counts of both links stay equal", samples == 0, samples, timing=True)


def no_stutter(scene: Scene, speaker: Speaker, begin_s: float, end_s: float) -> None:
    """No silence within the music."""
    silent = judge.silence_ms(speaker.wav, begin_s, end_s)
    scene.figure(f"{speaker.model.name} silent in the music, ms", round(silent, 1))
    scene.check(f"the {speaker.model.name} speaker never stutters", silent == 0.0, f"{silent:.1f} ms", timing=True)


def sender_counters(scene: Scene) -> list[dict[str, int]]:
    """What the sender says of its links."""
    links = []
    for speaker in scene.status().get("speakers", []):
        if link := speaker.get("link"):
            counted = {name: link[name] for name in ("sent", "late", "dropped") if name in link}
            scene.figure(f"{speaker['name']} counted", json.dumps(counted))
            links.append(counted)
    return links


def plain_words(text: str) -> bool:
    """Something for a person, not what D-Bus or a panic says."""
    return len(text.strip()) > 20 and not any(raw in text for raw in ("org.bluez", "panicked", "org.freedesktop"))


class Usage:
    """Processor time and memory of a process in the guest from here on."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene, self.name = scene, name
        self.begin, self.cpu_s = raw_s(), scene.guest.state(name)["cpu_s"]

    def tell(self) -> None:
        now = self.scene.guest.state(self.name)
        share = (now["cpu_s"] - self.cpu_s) / (raw_s() - self.begin)
        self.scene.figure(f"CPU of {self.name}, % of a core (in user-mode Linux)", round(share * 100.0, 1))
        self.scene.figure(f"memory of {self.name}, MB", round(now["rss_kb"] / 1024, 1))
