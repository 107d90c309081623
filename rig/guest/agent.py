"""Does in the guest as the host says: a JSON request a connection, a JSON answer.

{"do": "run", "command": [..], "environment": {..}, "timeout": s, "input": text} -> {"code", "out", "err"}
{"do": "spawn", "name": n, "command": [..], "environment": {..}, "log": path} -> {"pid"}
{"do": "stop", "name": n, "signal": s, "patience": s} -> {"code"}
{"do": "state", "name": n} -> {"code": null while it runs, "cpu_s", "rss_kb"}
{"do": "clock"} -> {"raw_ns": CLOCK_MONOTONIC_RAW}
{"do": "off"}: no answer
"""

import ctypes
import json
import os
import socketserver
import subprocess
import sys
import time
from typing import Any

# LINUX_REBOOT_CMD_POWER_OFF
POWER_OFF = 0x4321FEDC

children: dict[str, subprocess.Popen[bytes]] = {}


def environment(request: dict[str, Any]) -> dict[str, str]:
    return os.environ | request.get("environment", {})


def run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            request["command"],
            env=environment(request),
            input=request["input"].encode(),
            capture_output=True,
            timeout=request["timeout"],
        )
    except subprocess.TimeoutExpired as late:
        text = [(part or b"").decode(errors="replace") for part in (late.stdout, late.stderr)]
        return {"code": None, "out": text[0], "err": text[1]}
    return {"code": done.returncode, "out": done.stdout.decode(errors="replace"), "err": done.stderr.decode(errors="replace")}


def spawn(request: dict[str, Any]) -> dict[str, Any]:
    with open(request["log"], "ab") as log:
        child = subprocess.Popen(
            request["command"], env=environment(request), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    children[request["name"]] = child
    return {"pid": child.pid}


def stop(request: dict[str, Any]) -> dict[str, Any]:
    child = children.pop(request["name"], None)
    if child is None:
        return {"code": None}
    if child.poll() is None:
        child.send_signal(request["signal"])
        try:
            child.wait(request["patience"])
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return {"code": None}
    return {"code": child.returncode}


def state(request: dict[str, Any]) -> dict[str, Any]:
    child = children[request["name"]]
    if child.poll() is not None:
        return {"code": child.returncode}
    with open(f"/proc/{child.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    rss_kb = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return {"code": None, "cpu_s": ticks / os.sysconf("SC_CLK_TCK"), "rss_kb": rss_kb}


def clock(_: dict[str, Any]) -> dict[str, Any]:
    return {"raw_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)}


def off(_: dict[str, Any]) -> dict[str, Any]:
    libc = ctypes.CDLL(None)
    libc.sync()
    libc.reboot(POWER_OFF)
    return {}


DOES = {"run": run, "spawn": spawn, "stop": stop, "state": state, "clock": clock, "off": off}


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        request = json.loads(self.rfile.readline())
        try:
            answer = DOES[request["do"]](request)
        except Exception as wrong:
            answer = {"error": f"{type(wrong).__name__}: {wrong}"}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
