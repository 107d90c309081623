"""One scenario at work: its speakers, the program under test in the guest, and what is checked."""

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import judge
from lab.guest import FIRST, HERE, HUB, Done, Guest, GuestFailed
from lab.model import SpeakerModel
from lab.stalls import SPOILS_MS, Witness

# What a microphone hears and what is made of it can wait, the speakers cannot: on one processor, behind all others.
LAST = ["taskset", "--cpu-list", "0", "nice", "-n", "10"]

# A Bumble host powers on in a second or two.
SPEAKER_PATIENCE_S = 30.0


def raw_s() -> float:
    """The clock of all recordings."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) / 1e9


@dataclass
class Check:
    what: str
    ok: bool
    found: str
    # A machine that stands still may be why it failed.
    timing: bool = False


class Speaker:
    """A running speaker."""

    def __init__(self, model: SpeakerModel, out: Path, air: Path) -> None:
        self.model, self.out = model, out
        command = [sys.executable, "-m", "lab.speaker", "--model", model.text(), "--air", str(air), "--out", str(out)]
        errors = (out / f"{model.name}.err").open("wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=HERE)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise GuestFailed(f"speaker {model.name} did not come up; see {out}/{model.name}.err")

    def tell(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def wav(self) -> Path:
        return self.out / f"{self.model.name}.wav"

    @property
    def packets(self) -> judge.Packets:
        return judge.Packets.read(self.out / f"{self.model.name}.packets.csv")

    def events(self, what: str) -> list[dict[str, Any]]:
        path = self.out / f"{self.model.name}.events.jsonl"
        told = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        return [event for event in told if event["event"] == what]


@dataclass
class Scene:
    guest: Guest
    name: str
    antiphon: Path
    short: bool
    air: Path
    control: Path
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    speakers: dict[str, Speaker] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    native: list[subprocess.Popen[bytes]] = field(default_factory=list)
    witness: Witness | None = None
    # Those that may have spoiled it: from when the speakers were connected until it was over.
    stalls: list[tuple[float, float]] = field(default_factory=list)
    connected_s: float = 0.0

    def __post_init__(self) -> None:
        self.out = self.guest.job / self.name
        self.out.mkdir(parents=True, exist_ok=True)
        self.there = f"/job/{self.name}"
        self.environment = {
            "ANTIPHON_STATE_DIR": f"/tmp/{self.name}/state",
            "ANTIPHON_RUNTIME_DIR": f"/tmp/{self.name}/run",
            "ANTIPHON_LOG": "info",
        }
        # As a speaker in the network reaches the hub, and as its owner does.
        self.hub_at = f"{self.guest.address}:{HUB}"
        self.control_hub_at = self.guest.hub_here
        self.witness = Witness(self.guest, self.antiphon, self.out)

    def check(self, what: str, ok: bool, found: Any, timing: bool = False) -> None:
        self.checks.append(Check(what, bool(ok), str(found), timing))
        print(f"    {'ok  ' if ok else 'FAIL'} {what}: {found}", flush=True)

    def figure(self, name: str, value: Any) -> None:
        self.figures[name] = value

    def speaker(self, name: str, **fields: Any) -> Speaker:
        speaker = Speaker(SpeakerModel(name=name, **fields), self.out, self.air)
        self.speakers[name] = speaker
        return speaker

    def run(self, *words: str, patience: float = 60.0) -> Done:
        """`antiphon WORDS` in the guest; what it said is in commands.log."""
        begin = raw_s()
        done = self.guest.run("/run/antiphon", *words, patience=patience, environment=self.environment)
        with (self.out / "commands.log").open("a") as log:
            log.write(f"$ antiphon {' '.join(words)}\n{done.text}(exit {done.code}, {raw_s() - begin:.1f} s)\n\n")
        return done

    def typed(self, line: str, *words: str) -> Done:
        """`antiphon WORDS` in the guest, at a terminal at which somebody types a line."""
        command = ["script", "--quiet", "--return", "--command", " ".join(["/run/antiphon", *words]), "/dev/null"]
        return self.guest.run(*command, patience=90.0, environment=self.environment, typed=f"{line}\n")

    def start(self, name: str, *words: str) -> None:
        """`antiphon WORDS` in the guest, until it is stopped or ends."""
        log = f"{self.there}/{name}.log"
        self.guest.spawn(name, "/run/antiphon", *words, log=log, environment=self.environment)
        self.running.append(name)

    def stop(self, name: str) -> int | None:
        self.running.remove(name)
        return self.guest.stop(name, signal.SIGINT)

    def log(self, name: str) -> str:
        """What a process has said so far: as the guest has it, which is ahead of the host's files."""
        return self.guest.run("cat", f"{self.there}/{name}.log").out

    def here(self, *words: str, patience: float = 120.0) -> Done:
        """`antiphon WORDS` on the host, where the microphone is; what it says on the way is in here.log."""
        with (self.out / "here.log").open("a+") as log:
            log.write(f"$ antiphon {' '.join(words)}\n")
            log.flush()
            begin = log.tell()
            try:
                command = [*LAST, self.antiphon, *words]
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=patience)
                code, out = done.returncode, done.stdout
            except subprocess.TimeoutExpired as late:
                code, out = None, (late.stdout or b"").decode()
            log.seek(begin)
            told = log.read()
            log.write(f"(exit {code})\n")
        return Done(code, out, told)

    def start_here(self, name: str, *words: str, before_others: bool = True) -> None:
        """`antiphon WORDS` on the host, until the scenario ends."""
        command = [*(FIRST if before_others else LAST), self.antiphon, *words]
        with (self.out / f"{name}.log").open("wb") as log:
            self.native.append(subprocess.Popen(command, stdout=log, stderr=log))

    def on_air(self, **request: Any) -> dict[str, Any]:
        """A request to the air: stall, vanish, state."""
        with socket.socket(socket.AF_UNIX) as air:
            air.settimeout(10.0)
            air.connect(str(self.control))
            air.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(air.makefile().readline())

    def status(self) -> dict[str, Any]:
        done = self.here("status", "--hub", self.control_hub_at, "--json")
        return json.loads(done.out) if done.code == 0 else {}

    def wait_for(self, what: str, condition: Any, patience: float) -> float:
        """Seconds it took; a failed check where it did not come."""
        begin = raw_s()
        try:
            self.guest.wait_for(what, condition, patience)
        except GuestFailed as late:
            self.check(what, False, late)
            raise
        return raw_s() - begin

    def stalls_so_far(self) -> list[tuple[float, float]]:
        return self.witness.read() if self.witness is not None else []

    def close(self) -> None:
        over_s = raw_s()
        for name in reversed(self.running):
            if not self.guest.has_died():
                self.guest.stop(name, signal.SIGINT)
        for process in self.native:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
        for speaker in self.speakers.values():
            speaker.close()
        if self.witness is not None:
            self.witness.stop()
            if self.guest.has_died():
                return
            stalls = self.witness.read(SPOILS_MS)
            self.stalls = [stall for stall in stalls if stall[1] > self.connected_s and stall[0] < over_s]
