"""A Bluetooth speaker that is a program: Bumble on a controller of the air, libsbc, a DAC, a recording.

Run as `python -m lab.speaker --model JSON --air SOCKET --out DIR`. In DIR it writes NAME.wav with
NAME.wav.timeline.json (what it sounded and when), NAME.packets.csv (what arrived), NAME.events.jsonl
(what happened) and NAME.log. It stands outside the guest, so that all speakers' instants are of one clock.

On standard input it takes JSON lines: {"do": "off"}, {"do": "on"}, {"do": "report", "ms": 180},
{"do": "lose_every", "s": 10}, {"do": "forget"} (loses its bond, as speakers do that pair with another phone).
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from bumble import a2dp, avdtp, avrcp, core, l2cap, sdp
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.hci import HCI_REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR as POWER_OFF
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport

from lab.model import SpeakerModel
from lab.player import Player

LOUDSPEAKER = 0x240414

_INFORMATION = a2dp.SbcMediaCodecInformation
_RATES = {
    16_000: _INFORMATION.SamplingFrequency.SF_16000,
    32_000: _INFORMATION.SamplingFrequency.SF_32000,
    44_100: _INFORMATION.SamplingFrequency.SF_44100,
    48_000: _INFORMATION.SamplingFrequency.SF_48000,
}
_MODES = {
    "mono": _INFORMATION.ChannelMode.MONO,
    "dual": _INFORMATION.ChannelMode.DUAL_CHANNEL,
    "stereo": _INFORMATION.ChannelMode.STEREO,
    "joint": _INFORMATION.ChannelMode.JOINT_STEREO,
}

# Speakers report a little after they were configured, not in the same breath.
REPORT_AFTER_S = 0.1


def capabilities(model: SpeakerModel) -> avdtp.MediaCodecCapabilities:
    rates, modes = _INFORMATION.SamplingFrequency(0), _INFORMATION.ChannelMode(0)
    for rate in model.rates:
        rates |= _RATES[rate]
    for mode in model.modes:
        modes |= _MODES[mode]
    every = _INFORMATION.BlockLength
    return avdtp.MediaCodecCapabilities(
        media_type=avdtp.AVDTP_AUDIO_MEDIA_TYPE,
        media_codec_type=a2dp.A2DP_SBC_CODEC_TYPE,
        media_codec_information=_INFORMATION(
            sampling_frequency=rates,
            channel_mode=modes,
            block_length=every.BL_4 | every.BL_8 | every.BL_12 | every.BL_16,
            subbands=_INFORMATION.Subbands.S_4 | _INFORMATION.Subbands.S_8,
            allocation_method=_INFORMATION.AllocationMethod.LOUDNESS | _INFORMATION.AllocationMethod.SNR,
            minimum_bitpool_value=2,
            maximum_bitpool_value=model.max_bitpool,
        ),
    )


def maker_record(handle: int) -> list[sdp.ServiceAttribute]:
    """Device identification, by which a host names the maker: numbers of the Bluetooth SIG's."""
    element, attribute = sdp.DataElement, sdp.ServiceAttribute
    group = sdp.SDP_PUBLIC_BROWSE_ROOT
    return [
        attribute(0x0000, element.unsigned_integer_32(handle)),
        attribute(0x0001, element.sequence([element.uuid(core.UUID.from_16_bits(0x1200))])),
        attribute(0x0005, element.sequence([element.uuid(group)])),
        attribute(0x0200, element.unsigned_integer_16(0x0103)),
        attribute(0x0201, element.unsigned_integer_16(0x038F)),
        attribute(0x0202, element.unsigned_integer_16(0x1234)),
        attribute(0x0203, element.unsigned_integer_16(0x0218)),
        attribute(0x0204, element.boolean(True)),
        attribute(0x0205, element.unsigned_integer_16(1)),
    ]


class Pairing(PairingDelegate):
    """Agrees, refuses, or asks for the digits that are printed on it."""

    def __init__(self, speaker: "Speaker") -> None:
        kind = self.KEYBOARD_INPUT_ONLY if speaker.pin else self.NO_OUTPUT_NO_INPUT
        super().__init__(io_capability=kind)
        self.speaker = speaker

    @property
    def classic_io_capability(self) -> int:
        from bumble import hci

        return hci.IoCapability.KEYBOARD_ONLY if self.speaker.pin else super().classic_io_capability

    async def confirm(self, auto: bool = False) -> bool:
        agreed = self.speaker.model.pairing != "reject"
        self.speaker.event("pairing asked", agreed=agreed)
        return agreed

    async def get_string(self, max_length: int) -> str | None:
        self.speaker.event("pin asked")
        return self.speaker.pin


class Volume(avrcp.Delegate):
    def __init__(self, speaker: "Speaker") -> None:
        super().__init__([avrcp.EventId.VOLUME_CHANGED])
        self.speaker = speaker
        self.volume = 64

    async def set_absolute_volume(self, volume: int) -> None:
        self.speaker.event("volume", value=volume)
        await super().set_absolute_volume(volume)


class Speaker:
    def __init__(self, model: SpeakerModel, out: Path) -> None:
        self.model = model
        self.pin = model.pairing.removeprefix("pin:") if model.pairing.startswith("pin:") else None
        self.events = (out / f"{model.name}.events.jsonl").open("w", buffering=1)
        self.player = Player(model, out, self.event)
        self.random = random.Random(model.seed)
        self.device: Any = None
        self.protocol: avdtp.Protocol | None = None
        self.sink: avdtp.LocalSink | None = None
        self.on = True

    def event(self, what: str, **facts: Any) -> None:
        at = {"raw_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), "event": what}
        self.events.write(json.dumps(at | facts) + "\n")

    async def start(self, source: Any, sink: Any) -> None:
        config = DeviceConfiguration(
            name=self.model.name,
            class_of_device=LOUDSPEAKER,
            classic_enabled=True,
            le_enabled=False,
            classic_ssp_enabled=self.pin is None,
            classic_sc_enabled=self.pin is None,
        )
        self.device = Device.from_config_with_hci(config, source, sink)
        self.device.sdp_service_records = self._records()
        self.device.pairing_config_factory = lambda _: PairingConfig(
            sc=self.pin is None, mitm=False, bonding=True, delegate=Pairing(self)
        )
        self.device.on("connection", self._connected)
        await self.device.power_on()
        self.device.keystore = MemoryKeyStore()
        self._listen()
        await self._reachable(True)
        self.event("up", address=self._address())
        print(self._address(), flush=True)

    def _address(self) -> str:
        return str(self.device.public_address).split("/")[0]

    def _records(self) -> dict[int, list[sdp.ServiceAttribute]]:
        records = {
            0x10001: a2dp.make_audio_sink_service_sdp_records(0x10001),
            0x10004: maker_record(0x10004),
        }
        if self.model.absolute_volume:
            records[0x10002] = avrcp.ControllerServiceSdpRecord(0x10002).to_service_attributes()
            records[0x10003] = avrcp.TargetServiceSdpRecord(0x10003).to_service_attributes()
        return records

    def _listen(self) -> None:
        listener = avdtp.Listener(registrar=None, version=(1, 3))
        server = self.device.create_l2cap_server(l2cap.ClassicChannelSpec(psm=avdtp.AVDTP_PSM, mtu=self.model.mtu))
        server.on(server.EVENT_CONNECTION, listener.on_l2cap_connection)
        listener.on(listener.EVENT_CONNECTION, self._offer)
        if self.model.absolute_volume:
            avrcp.Protocol(Volume(self)).listen(self.device)

    def _connected(self, connection: Connection) -> None:
        self.event("connected", peer=str(connection.peer_address))
        connection.on("disconnection", self._disconnected)
        connection.on("classic_pairing", lambda: self.event("paired"))
        connection.on("classic_pairing_failure", lambda *why: self.event("pairing failed", why=str(why)))

    def _disconnected(self, reason: int) -> None:
        self.event("disconnected", reason=reason)
        self.player.stop()
        self.protocol = self.sink = None

    def _offer(self, protocol: avdtp.Protocol) -> None:
        sink = protocol.add_sink(capabilities(self.model))
        if self.model.report_ms is not None:
            reporting = avdtp.ServiceCapabilities(avdtp.AVDTP_DELAY_REPORTING_SERVICE_CATEGORY)
            sink.capabilities = [*sink.capabilities, reporting]
        self.protocol, self.sink = protocol, sink
        sink.on(sink.EVENT_CONFIGURATION, self._configured)
        sink.on(sink.EVENT_RTP_PACKET, self.player.packet)
        for name in ("open", "start", "suspend", "close", "abort"):
            sink.on(name, lambda *_, name=name: self._stream(name))

    def _configured(self) -> None:
        assert self.sink is not None
        self.event("configured", capabilities=[str(one) for one in self.sink.configuration])
        hidden = self.random.uniform(-self.model.hidden_ms, self.model.hidden_ms)
        self.player.delay_ms = self.model.delay_ms + hidden
        self.event("hidden", ms=hidden)
        if self.model.report_ms is not None:
            later = asyncio.get_running_loop().call_later
            later(REPORT_AFTER_S, lambda: asyncio.ensure_future(self.report(self.model.report_ms)))

    def _stream(self, name: str) -> None:
        self.event(name)
        if name != "open" and name != "start":
            self.player.stop()

    async def report(self, ms: float) -> None:
        """Tells the host how long this speaker takes."""
        if self.protocol is None or self.sink is None or self.sink.stream is None:
            return
        seid = self.sink.stream.remote_endpoint.seid
        command = avdtp.DelayReport_Command(acp_seid=seid, delay=round(ms * 10))
        answer = await self.protocol.send_command(command)
        self.event("reported", ms=ms, answer=type(answer).__name__)

    async def _reachable(self, on: bool) -> None:
        self.on = on
        await self.device.set_discoverable(on)
        await self.device.set_connectable(on)

    async def do(self, request: dict[str, Any]) -> None:
        self.event("told", request=request)
        match request["do"]:
            case "off":
                await self._reachable(False)
                for connection in list(self.device.connections.values()):
                    await connection.disconnect(POWER_OFF)
            case "unreachable":
                await self._reachable(False)
            case "on":
                await self._reachable(True)
            case "report":
                await self.report(request["ms"])
            case "lose_every":
                self.player.lose_every(request["s"])
            case "forget":
                await self.device.keystore.delete_all()


async def commands(speaker: Speaker) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            await speaker.do(json.loads(line))
        except Exception as wrong:
            speaker.event("could not", why=repr(wrong))


def first() -> None:
    """Goes before whatever else runs from here on; not before, since starting a speaker takes a processor for a second."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=SpeakerModel.read, required=True)
    parser.add_argument("--air", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, filename=given.out / f"{given.model.name}.log")
    speaker = Speaker(given.model, given.out)
    async with await open_transport(f"unix:{given.air}") as transport:
        await speaker.start(transport.source, transport.sink)
        first()
        playing = asyncio.create_task(speaker.player.run())
        # Standard input ends when the lab does.
        await commands(speaker)
        playing.cancel()
        speaker.player.close()


if __name__ == "__main__":
    asyncio.run(main())
