#!/usr/bin/env python3
"""python-miio's client and simulator against Antiphon's device and client, on the wire.

    cargo build -p antiphon-cli -p antiphon-miio --examples --bins
    scripts/check_miio.sh target/debug

python-miio 0.6.0.dev0 has the simulator; with 0.5.12, which has none, only its client is checked.

Uses UDP port 54321 of the loopback. python-miio is run as it is; nothing of it is part of this repository.
"""

import asyncio
import json
import logging
import subprocess
import sys
import threading

from miio.exceptions import DeviceException
from miio.miioprotocol import MiIOProtocol

try:
    from miio.devtools.simulators.common import create_info_response
    from miio.push_server import PushServer
except ImportError:
    PushServer = None

TOKEN = "000102030405060708090a0b0c0d0e0f"
THEIRS = "0" * 32
MODEL = "xiaomi.wifispeaker.lx01"


def their_client_and_our_device(target):
    device = subprocess.Popen([f"{target}/examples/miio_device", TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        _, number, info = device.stdout.readline().split(" ", 2)
        hello = MiIOProtocol.discover("127.0.0.1", timeout=2)
        assert hello.header.value.device_id.hex() == number, (hello, number)
        answer = MiIOProtocol("127.0.0.1", TOKEN).send("miIO.info")
        assert answer == json.loads(info), answer
        print("their client reads our device:", answer["model"], answer["fw_ver"])
        try:
            MiIOProtocol("127.0.0.1", TOKEN[::-1], timeout=1).send("miIO.info", retry_count=0)
            raise AssertionError("a wrong token was answered")
        except DeviceException as error:
            print("their client with a wrong token:", type(error).__name__)
    finally:
        device.stdin.close()
        device.wait(5)


def our_client_and_their_device(target):
    ready, stop = threading.Event(), []

    def serve():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

        async def begin():
            server = PushServer(device_id=0x00C0FFEE)
            server.add_method("miIO.info", create_info_response(MODEL, "127.0.0.1", "AA:BB:CC:DD:EE:02"))
            await server.start()
            stop.append((loop, server))
            ready.set()

        loop.run_until_complete(begin())
        loop.run_forever()

    threading.Thread(target=serve, daemon=True).start()
    assert ready.wait(10), "their simulator did not start"
    run = lambda *args: subprocess.run([f"{target}/antiphon", "miio", *args], capture_output=True, text=True, timeout=20)
    found = run("discover", "--at", "127.0.0.1", "--time", "1s", "--json")
    assert json.loads(found.stdout)["devices"][0]["id"] == "00c0ffee", found
    info = run("info", "127.0.0.1", "--token", THEIRS, "--json")
    assert info.returncode == 0, info
    device = json.loads(info.stdout)["devices"][0]["info"]
    assert (device["model"], device["fw_ver"]) == (MODEL, "1.2.4_16"), device
    print("our client reads their device:", device["model"], device["fw_ver"])
    wrong = run("info", "127.0.0.1", "--token", TOKEN)
    assert wrong.returncode == 5 and "token is wrong" in wrong.stderr, wrong
    print("our client with a wrong token:", wrong.stderr.strip()[:80])
    stop[0][0].call_soon_threadsafe(stop[0][0].stop)


if __name__ == "__main__":
    # It would tell of the wrong tokens by its stack.
    logging.disable(logging.CRITICAL)
    target = sys.argv[1] if len(sys.argv) > 1 else "target/debug"
    their_client_and_our_device(target)
    if PushServer is None:
        print("their version has no simulator: only their client was checked")
        sys.exit()
    our_client_and_their_device(target)
    print("both agree")
