"""The guest's Bluetooth adapter: carries HCI packets between /dev/vhci and the air on the host.

Usage: vhci.py HOST PORT. The kernel takes one packet in one write, a TCP stream has no bounds: this
finds them. The adapter exists as long as this runs.
"""

import os
import socket
import sys

import select

# HCI packet types and, for those that a controller sends, how their length is told.
EVENT, ACL, VENDOR = 4, 2, 0xFF


def length_of(data: bytearray) -> int | None:
    """Bytes of the packet at the front, or None while its header is not whole."""
    if len(data) < 3:
        return None
    if data[0] == EVENT:
        return 3 + data[2]
    if data[0] == ACL:
        return None if len(data) < 5 else 5 + int.from_bytes(data[3:5], "little")
    raise ValueError(f"packet type {data[0]}")


def main() -> None:
    air = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    air.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The kernel gives up on a controller that is silent for 2 s: first this one has to have spoken.
    air.recv(4096)
    vhci = os.open("/dev/vhci", os.O_RDWR)
    os.write(vhci, bytes([VENDOR, 0]))
    waiting = bytearray()
    poll = select.poll()
    poll.register(vhci, select.POLLIN)
    poll.register(air, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready == vhci:
                packet = os.read(vhci, 4096)
                if packet[0] != VENDOR:
                    air.sendall(packet)
                continue
            received = air.recv(65536)
            if not received:
                return
            waiting += received
            while (length := length_of(waiting)) is not None and length <= len(waiting):
                os.write(vhci, waiting[:length])
                del waiting[:length]


main()
