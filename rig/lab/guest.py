"""The guest: a user-mode Linux with a real BlueZ and one adapter, which does as it is told.

Its processes run on the host's processors, not on emulated ones, so what plays in it plays in real time. Its
root is the host's own, read-only; it reaches the host, and the host it, by a network of two.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent

# Ports inside the guest, and the air's on the host's side of their network.
AGENT, CONTROLLERS, HUB, CONTROL, AIR = 4700, 4800, 7755, 7756, 4900

# Before whatever else runs on the machine: the guest's kernel is one process, and each of a guest's system
# calls waits for it. Niceness counts within a session only, on kernels that group by session.
FIRST = ["chrt", "--rr", "5"] if subprocess.run(["chrt", "--rr", "5", "true"], capture_output=True).returncode == 0 else []

# A few seconds where nothing else runs.
BOOT_PATIENCE_S = 60.0


class GuestFailed(Exception):
    """The guest did not do what it must; the message says what and where to look."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_root() -> list[str]:
    return [] if os.getuid() == 0 else ["sudo", "-n"]


@dataclass
class Done:
    code: int | None
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Guest:
    def __init__(self, work: Path, kernel: Path) -> None:
        self.work, self.kernel = work, kernel
        self.job = work / "job"
        # Several labs may run on one machine.
        number = os.getpid() % 250
        self.tap = f"rig{number}"
        self.host, self.address = f"10.213.{number}.1", f"10.213.{number}.2"
        # Where the host finds the guest's hub as if it were its own.
        self.hub_here = f"127.0.0.1:{free_port()}"
        self.machine: subprocess.Popen[bytes] | None = None
        self.door: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Boots and waits for the agent."""
        (self.job / "guest").mkdir(parents=True, exist_ok=True)
        for file in (HERE / "guest").iterdir():
            shutil.copy(file, self.job / "guest" / file.name)
        settings = {"AGENT": AGENT, "CONTROLLERS": CONTROLLERS, "HUB": HUB, "CONTROL": CONTROL, "ADDRESS": self.address}
        (self.job / "guest" / "settings").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._network()
        self.machine = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=(self.job / "console.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        port = self.hub_here.split(":")[1]
        listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay"
        self.door = subprocess.Popen([*FIRST, "socat", listen, f"TCP:{self.address}:{CONTROL},nodelay"], stderr=subprocess.DEVNULL)
        self.wait_for(f"the guest to boot; see {self.job}/console.log and guest.log", self._answers, BOOT_PATIENCE_S)

    def _answers(self) -> bool:
        if self.machine is None or self.machine.poll() is not None:
            raise GuestFailed(f"the guest ended; see {self.job}/console.log")
        try:
            self.ask({"do": "clock"}, 5.0)
        except (OSError, ValueError):
            return False
        return True

    def _network(self) -> None:
        ip = lambda *words: subprocess.run([*as_root(), "ip", *words], check=True)
        ip("tuntap", "add", "dev", self.tap, "mode", "tap", "user", str(os.getuid()))
        ip("address", "add", f"{self.host}/24", "dev", self.tap)
        ip("link", "set", self.tap, "up")

    def _command(self) -> list[str]:
        return [
            *FIRST, str(self.kernel), "mem=1200M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
            f"init={self.job / 'guest' / 'init'}", f"JOB={self.job}",
            f"vec0:transport=tap,ifname={self.tap},depth=128,gro=1", "con=null", "con0=null,fd:1",
        ]  # fmt: skip

    def has_died(self) -> bool:
        """Whether its kernel ended by itself: 6.1 frees a Bluetooth connection that a closing socket still uses, now and then."""
        return self.machine is not None and self.machine.poll() is not None

    def off(self) -> None:
        if self.machine is None:
            return
        with contextlib.suppress(OSError, GuestFailed, ValueError):
            self.ask({"do": "off"}, 10.0)
        try:
            self.machine.wait(10.0)
        except subprocess.TimeoutExpired:
            # The guest's processes are the host's, of the same group, and would run on alone.
            os.killpg(self.machine.pid, signal.SIGKILL)
            self.machine.wait()
        self.machine = None
        if self.door is not None:
            self.door.terminate()
            self.door.wait()
        subprocess.run([*as_root(), "ip", "tuntap", "del", "dev", self.tap, "mode", "tap"], check=False)

    def ask(self, request: dict[str, Any], patience: float = 30.0) -> dict[str, Any]:
        """One request to the agent; raises OSError when it cannot be reached, GuestFailed on its refusal."""
        with socket.create_connection((self.address, AGENT), patience) as agent:
            agent.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(agent.makefile().readline())
        if "error" in answer:
            raise GuestFailed(f"{request}: {answer['error']}")
        return answer

    def run(
        self, *command: str, patience: float = 60.0, environment: dict[str, str] | None = None, typed: str = ""
    ) -> Done:
        request = {"do": "run", "command": command, "timeout": patience, "environment": environment or {}, "input": typed}
        return Done(**self.ask(request, patience + 30.0))

    def spawn(self, name: str, *command: str, log: str, environment: dict[str, str] | None = None) -> None:
        """Starts a process; `log` is a path in the guest."""
        self.ask({"do": "spawn", "name": name, "command": command, "log": log, "environment": environment or {}})

    def stop(self, name: str, how: int = signal.SIGTERM, patience: float = 15.0) -> int | None:
        return self.ask({"do": "stop", "name": name, "signal": int(how), "patience": patience}, patience + 30.0)["code"]

    def state(self, name: str) -> dict[str, Any]:
        return self.ask({"do": "state", "name": name})

    def clock_offset_ns(self) -> int:
        """What to add to the guest's raw clock for the host's, from the quickest of some questions."""
        best = None
        for _ in range(9):
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            there = self.ask({"do": "clock"})["raw_ns"]
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            if best is None or after - before < best[0]:
                best = (after - before, (before + after) // 2 - there)
        return best[1]

    def property(self, path: str, interface: str, name: str) -> str:
        """A property of BlueZ's, as dbus-send prints it; empty where it does not exist."""
        command = ["dbus-send", "--system", "--print-reply=literal", "--dest=org.bluez", path]
        done = self.run(*command, "org.freedesktop.DBus.Properties.Get", f"string:{interface}", f"string:{name}")
        return done.out.strip()

    def wait_for(self, what: str, condition: Callable[[], bool], patience: float) -> None:
        give_up = time.monotonic() + patience
        while not condition():
            if time.monotonic() > give_up:
                raise GuestFailed(f"waited {patience:.0f} s in vain for {what}")
            time.sleep(0.3)

    def start_adapter(self) -> None:
        """Plugs the adapter in and starts bluetoothd; tries again what a cold cache made too late."""
        for _ in range(3):
            self.spawn("vhci", "python3", "/job/guest/vhci.py", self.host, str(AIR), log="/job/vhci.log")
            if self._comes_up():
                break
            self.stop("vhci")
        else:
            raise GuestFailed(f"no adapter appeared; see {self.job / 'vhci.log'} and {self.job / 'air.log'}")
        self.start_bluetoothd()

    def _comes_up(self) -> bool:
        try:
            self.wait_for("hci0", lambda: self.run("test", "-e", "/sys/class/bluetooth/hci0").code == 0, 20.0)
        except GuestFailed:
            return False
        return True

    def start_bluetoothd(self) -> None:
        self.spawn("bluetoothd", "/usr/libexec/bluetooth/bluetoothd", "-n", "-d", log="/job/bluetoothd.log")
        powered = lambda: self.property("/org/bluez/hci0", "org.bluez.Adapter1", "Powered").endswith("true")
        try:
            self.wait_for("the adapter to be powered", powered, 40.0)
        except GuestFailed:
            self.run("bluetoothctl", "power", "on")
            self.wait_for("the adapter to be powered", powered, 40.0)
