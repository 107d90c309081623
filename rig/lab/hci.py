"""What the air needs to know of HCI: where a packet ends, and the few events that say who talks to whom."""

import asyncio
from dataclasses import dataclass

COMMAND, ACL, SCO, EVENT, ISO = 1, 2, 3, 4, 5

CONNECTION_COMPLETE = 0x03
DISCONNECTION_COMPLETE = 0x05
COMMAND_COMPLETE = 0x0E
NUMBER_OF_COMPLETED_PACKETS = 0x13

DISCONNECT = 0x0406
RESET = 0x0C03
READ_BUFFER_SIZE = 0x1005
READ_BD_ADDR = 0x1009

# Header bytes behind the type, and where in them the length of the rest stands: offset and size.
_HEADERS = {COMMAND: (3, 2, 1), ACL: (4, 2, 2), SCO: (3, 2, 1), EVENT: (2, 1, 1), ISO: (4, 2, 2)}


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """One packet with its type; raises IncompleteReadError at the end."""
    kind = await reader.readexactly(1)
    size, at, width = _HEADERS[kind[0]]
    header = await reader.readexactly(size)
    rest = int.from_bytes(header[at : at + width], "little")
    return kind + header + await reader.readexactly(rest)


def command(opcode: int, parameters: bytes) -> bytes:
    return bytes([COMMAND]) + opcode.to_bytes(2, "little") + bytes([len(parameters)]) + parameters


def completed(handle: int, packets: int) -> bytes:
    """Number Of Completed Packets: gives the host its credits back."""
    body = bytes([1]) + handle.to_bytes(2, "little") + packets.to_bytes(2, "little")
    return bytes([EVENT, NUMBER_OF_COMPLETED_PACKETS, len(body)]) + body


def address_text(raw: bytes) -> str:
    return ":".join(f"{byte:02X}" for byte in reversed(raw))


@dataclass
class AclHeader:
    handle: int
    boundary: int

    @classmethod
    def of(cls, packet: bytes) -> "AclHeader":
        word = int.from_bytes(packet[1:3], "little")
        return cls(handle=word & 0x0FFF, boundary=word >> 12 & 3)

    def put(self, packet: bytes) -> bytes:
        word = self.handle | self.boundary << 12
        return packet[:1] + word.to_bytes(2, "little") + packet[3:]


# A packet's boundary flag: the start of one that may not be flushed, as hosts write it; a later part;
# the start of one as controllers hand it up.
START_NOT_FLUSHABLE, CONTINUATION, START = 0, 1, 2


def with_buffers(event: bytes, acl_bytes: int, acl_packets: int) -> bytes:
    """The answer to Read Buffer Size, with other sizes."""
    # type, code, length, credits, opcode (2), status, ACL bytes (2), SCO bytes, ACL packets (2), SCO packets (2)
    return event[:7] + acl_bytes.to_bytes(2, "little") + event[9:10] + acl_packets.to_bytes(2, "little") + event[12:]
