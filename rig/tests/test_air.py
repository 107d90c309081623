import asyncio
import unittest

from lab import hci
from lab.air import airtime


class TheAir(unittest.TestCase):
    def test_packets_take_their_slots(self) -> None:
        self.assertEqual(airtime(54), 1.25e-3)
        self.assertEqual(airtime(300), 2.5e-3)
        self.assertEqual(airtime(679), 3.75e-3)
        self.assertEqual(airtime(895), 3.75e-3 + 2.5e-3)

    def test_a_stream_is_cut_into_packets(self) -> None:
        async def read() -> list[bytes]:
            reader = asyncio.StreamReader()
            reader.feed_data(bytes.fromhex("040f0400010604" + "022a20030001020304"))
            return [await hci.read_packet(reader), await hci.read_packet(reader)]

        self.assertEqual([len(packet) for packet in asyncio.run(read())], [7, 8])

    def test_a_handle_is_put_in_place(self) -> None:
        packet = bytes.fromhex("022a0004000102030a")
        header = hci.AclHeader.of(packet)
        self.assertEqual((header.handle, header.boundary), (0x2A, hci.START_NOT_FLUSHABLE))
        self.assertEqual(hci.AclHeader(0x2B, hci.START).put(packet)[:3].hex(), "022b20")

    def test_buffers_are_told_anew(self) -> None:
        told = hci.with_buffers(bytes.fromhex("040e0b01051000c00000010000 00".replace(" ", "")), 1021, 8)
        self.assertEqual(told.hex(), "040e0b01051000fd0300080000" + "00")


if __name__ == "__main__":
    unittest.main()
