"""The air between the guest's adapter and the speakers: one radio, on the host's one clock.

btvirt, in the guest, is every controller's brain: inquiry, paging, pairing. The data goes round it: btvirt
hands a packet on under the sender's handle, which the receiver may know another link by. Here each packet
is given the receiver's handle, takes as long as it would on air, and can be held back or lost. Its sender
gets the credit back when it is across, as from a real controller: a link that stalls fills the host's queue.

Run as `python -m lab.air --adapter HOST:PORT --speakers SOCKET --control SOCKET --brain HOST:PORT`.
Control: a JSON request a connection. {"do": "stall", "address", "ms"}: nothing crosses to that speaker.
{"do": "vanish", "address", "after_s"}: nothing crosses, and later the link is found lost. {"do": "state"}.
"""

import argparse
import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lab import hci

# What a common dongle has.
ACL_BYTES = 1021
ACL_PACKETS = 8

# EDR at 2 Mb/s: a packet's most bytes, and the time it takes with the answer's slot.
AIRTIME = ((679, 3.75e-3), (367, 2.5e-3), (54, 1.25e-3))

# Connection timeout: the reason of a link that was lost.
TIMED_OUT = 0x08

# A brain that does not listen yet is asked again so often, for so long.
RETRY_S = 0.2
PATIENCE_S = 60.0


def airtime(size: int) -> float:
    """Seconds on air of `size` bytes, in the largest packets that they fill."""
    largest, longest = AIRTIME[0]
    full, rest = divmod(size, largest)
    fitting = [time for most, time in AIRTIME if rest <= most]
    return full * longest + (fitting[-1] if rest else 0.0)


@dataclass
class Way:
    """Packets from one controller to another, in order."""

    source: "Controller"
    target: "Controller"
    waiting: deque[bytes] = field(default_factory=deque)
    stalled_until: float = 0.0
    carried: int = 0


class Controller:
    """A host's controller: the host on one side, its brain in btvirt on the other."""

    def __init__(self, air: "Air", host: asyncio.StreamWriter, brain: asyncio.StreamWriter) -> None:
        self.air = air
        self.host = host
        self.brain = brain
        self.address = b""
        # By the peer's address, and the other way round.
        self.handles: dict[bytes, int] = {}
        self.peers: dict[int, bytes] = {}
        # Answers to commands of the air's own, which the host does not wait for.
        self.swallow = 0

    def from_host(self, packet: bytes) -> None:
        if packet[0] == hci.ACL:
            self.air.send(self, packet)
        else:
            self.brain.write(packet)

    def from_brain(self, packet: bytes) -> None:
        if packet[0] != hci.EVENT:
            return
        told = self._event(packet)
        if told is not None:
            self.host.write(told)

    def _event(self, packet: bytes) -> bytes | None:
        code, body = packet[1], packet[3:]
        if code == hci.CONNECTION_COMPLETE and body[0] == 0:
            handle = int.from_bytes(body[1:3], "little")
            self.handles[body[3:9]], self.peers[handle] = handle, body[3:9]
        elif code == hci.DISCONNECTION_COMPLETE and body[0] == 0:
            handle = int.from_bytes(body[1:3], "little")
            peer = self.peers.pop(handle, b"")
            self.handles.pop(peer, None)
            self.air.cut(self.address, peer)
        elif code == hci.COMMAND_COMPLETE:
            opcode = int.from_bytes(body[1:3], "little")
            if opcode == hci.READ_BUFFER_SIZE:
                return hci.with_buffers(packet, ACL_BYTES, ACL_PACKETS)
            if opcode == hci.READ_BD_ADDR and body[3] == 0:
                self.address = body[4:10]
        elif code == 0x0F and self.swallow and body[2:4] == hci.DISCONNECT.to_bytes(2, "little"):
            self.swallow -= 1
            return None
        return packet

    def lose(self) -> None:
        """Lets every peer find its link to this one lost."""
        for handle in self.peers:
            self.swallow += 1
            self.brain.write(hci.command(hci.DISCONNECT, handle.to_bytes(2, "little") + bytes([TIMED_OUT])))


class Air:
    def __init__(self, brain: tuple[str, int]) -> None:
        self.brain = brain
        self.controllers: list[Controller] = []
        self.ways: list[Way] = []
        # The radio is busy until then; whose turn it is next.
        self.free_at = 0.0
        self.turn = 0
        self.news = asyncio.Event()

    async def join_adapter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves the guest's adapter, which waits for a first answer: its kernel gives up after 2 s."""
        await self._serve(reader, writer, greet=True)

    async def join_speaker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(reader, writer, greet=False)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greet: bool) -> None:
        """Serves one host until it, or its brain, goes."""
        brain_reader, brain = await self._brain()
        brain.write(hci.command(hci.RESET, b""))
        answer = await hci.read_packet(brain_reader)
        if greet:
            writer.write(answer)
        controller = Controller(self, writer, brain)
        self.controllers.append(controller)
        try:
            both = [
                asyncio.create_task(pump(reader, controller.from_host)),
                asyncio.create_task(pump(brain_reader, controller.from_brain)),
            ]
            _, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
        finally:
            self._leave(controller)

    def _leave(self, controller: Controller) -> None:
        # btvirt tells nobody that a controller went: its links have to be lost first.
        controller.lose()
        self.controllers.remove(controller)
        self.ways = [way for way in self.ways if controller not in (way.source, way.target)]
        controller.host.close()
        asyncio.get_running_loop().call_later(0.5, controller.brain.close)

    async def _brain(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        give_up = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await asyncio.open_connection(*self.brain)
            except OSError:
                if asyncio.get_running_loop().time() > give_up:
                    raise
                await asyncio.sleep(RETRY_S)

    def send(self, source: Controller, packet: bytes) -> None:
        peer = source.peers.get(hci.AclHeader.of(packet).handle)
        target = next((one for one in self.controllers if one.address == peer), None)
        if target is None:
            return
        way = self._way(source, target)
        way.waiting.append(packet)
        self.news.set()

    def _way(self, source: Controller, target: Controller) -> Way:
        for way in self.ways:
            if way.source is source and way.target is target:
                return way
        self.ways.append(Way(source, target))
        return self.ways[-1]

    def cut(self, one: bytes, other: bytes) -> None:
        """What waits on a link that is gone goes with it."""
        for way in self.ways:
            if {way.source.address, way.target.address} == {one, other}:
                way.waiting.clear()

    def _next(self, now: float) -> Way | None:
        """Links take turns."""
        for step in range(len(self.ways)):
            way = self.ways[(self.turn + step) % len(self.ways)]
            if way.waiting and way.stalled_until <= now and way.source.address in way.target.handles:
                self.turn = (self.turn + step + 1) % len(self.ways)
                return way
        return None

    async def radio(self) -> None:
        """Carries packets, one at a time."""
        loop = asyncio.get_running_loop()
        while True:
            way = self._next(loop.time())
            if way is None:
                self.news.clear()
                # Stalls end without news.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.01)
                continue
            packet = way.waiting.popleft()
            self.free_at = max(self.free_at, loop.time()) + airtime(len(packet) - 5)
            await asyncio.sleep(self.free_at - loop.time())
            self._deliver(way, packet)

    def _deliver(self, way: Way, packet: bytes) -> None:
        header = hci.AclHeader.of(packet)
        way.source.host.write(hci.completed(header.handle, 1))
        handle = way.target.handles.get(way.source.address)
        if handle is None:
            return
        boundary = hci.START if header.boundary == hci.START_NOT_FLUSHABLE else header.boundary
        way.target.host.write(hci.AclHeader(handle, boundary).put(packet))
        way.carried += 1

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        writer.write(json.dumps(self._do(request)).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "state":
            return {
                "controllers": [hci.address_text(one.address) for one in self.controllers],
                "ways": [
                    {
                        "from": hci.address_text(way.source.address),
                        "to": hci.address_text(way.target.address),
                        "carried": way.carried,
                        "waiting": len(way.waiting),
                    }
                    for way in self.ways
                ],
            }
        loop = asyncio.get_running_loop()
        held = request["ms"] / 1e3 if request["do"] == "stall" else request["after_s"] + 1.0
        mine = [way for way in self.ways if request["address"] in map(hci.address_text, (way.source.address, way.target.address))]
        for way in mine:
            way.stalled_until = loop.time() + held
        if request["do"] == "vanish":
            for one in self.controllers:
                if hci.address_text(one.address) == request["address"]:
                    loop.call_later(request["after_s"], one.lose)
        return {"ways": len(mine)}


def place(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def pump(reader: asyncio.StreamReader, take: Any) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            take(await hci.read_packet(reader))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", type=place, required=True)
    parser.add_argument("--speakers", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--brain", type=place, required=True)
    given = parser.parse_args()
    air = Air(given.brain)
    servers = [
        await asyncio.start_server(air.join_adapter, *given.adapter),
        await asyncio.start_unix_server(air.join_speaker, given.speakers),
        await asyncio.start_unix_server(air.control, given.control),
    ]
    print("ready", flush=True)
    await asyncio.gather(air.radio(), *(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
