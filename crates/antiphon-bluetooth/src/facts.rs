//! What a device is, from what it tells: nothing is guessed that was not read.

use crate::Address;
use crate::gatt::Told;
use crate::makers::maker;
use crate::sbc::SbcCapabilities;
use crate::tree::{AUDIO_SINK, AUDIO_SOURCE, Adapter, Device, RemoteEndpoint, Tree, is_uuid};
use crate::trouble::{Trouble, Who};

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The device.
    pub address: Address,
    /// Its name, where it has told one.
    pub name: Option<String>,
    /// The adapter that knows it, as in `hci0`.
    pub adapter: String,
    /// What it is.
    pub kind: Kind,
    /// Who made it, from its Device ID record, or by its own word.
    pub maker: Option<String>,
    /// Class of device.
    pub class: Option<u32>,
    /// Its services.
    pub uuids: Vec<String>,
    /// Signal strength in dBm when it was last heard in a scan.
    pub rssi: Option<i16>,
    /// A key is shared with it.
    pub paired: bool,
    /// The key is kept; `None`: this BlueZ does not say.
    pub bonded: Option<bool>,
    /// It may connect by itself.
    pub trusted: bool,
    /// It is connected.
    pub connected: bool,
    /// Charge in percent.
    pub battery: Option<u8>,
    /// Its audio sinks, one for each codec; empty while it has never been connected.
    pub sinks: Vec<SinkCodec>,
    /// Its firmware by its own word, where it was asked ([`crate::Bluetooth::ask`]) and tells one.
    pub firmware: Told,
    /// Its model by its own word, likewise.
    pub model: Option<String>,
}

/// What a device is to Antiphon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has an A2DP sink: it plays.
    Speaker,
    /// Its class is that of a loudspeaker or headphones; it has not told its services.
    ProbablySpeaker,
    /// It sends audio and does not play any.
    SourceOnly,
    /// It told its services, and audio is not among them.
    NotAudio,
    /// It has told nothing yet.
    Unknown,
}

/// One codec that a device's sink understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkCodec {
    /// `SBC`, `AAC`, `LDAC`, ...
    pub codec: String,
    /// Whether it reports its delay; `None`: this BlueZ does not say.
    pub delay_reporting: Option<bool>,
    /// What it can do, for SBC.
    pub sbc: Option<SbcCapabilities>,
}

impl Facts {
    pub(crate) fn of(device: &Device, tree: &Tree) -> Option<Self> {
        let endpoints = tree.endpoints_of(&device.path);
        Some(Self {
            address: device.address?,
            name: device.name.clone(),
            adapter: tree.adapter(&device.adapter).map(|Adapter { name, .. }| name).unwrap_or_default(),
            kind: kind(device, &endpoints),
            maker: device.modalias.as_deref().and_then(maker),
            class: device.class,
            uuids: device.uuids.clone(),
            rssi: device.rssi,
            paired: device.paired,
            bonded: device.bonded,
            trusted: device.trusted,
            connected: device.connected,
            battery: device.battery,
            sinks: sinks(&endpoints),
            firmware: Told::Unasked,
            model: None,
        })
    }

    /// The device by name and address, for sentences.
    pub fn who(&self) -> Who {
        Who { address: self.address, name: self.name.clone() }
    }

    /// Whether it plays, or may: everything else is of no use here.
    pub fn may_play(&self) -> bool {
        matches!(self.kind, Kind::Speaker | Kind::ProbablySpeaker)
    }

    /// Whether its SBC sink reports its delay; `None`: not known before it is connected.
    pub fn delay_reporting(&self) -> Option<bool> {
        self.sinks.iter().find(|sink| sink.sbc.is_some())?.delay_reporting
    }
}

/// Why a device that is connected cannot be played to; `None`: it has an SBC sink, or says nothing.
pub(crate) fn why_no_sink(device: &Device, endpoints: &[RemoteEndpoint], who: &Who) -> Option<Trouble> {
    match kind(device, endpoints) {
        Kind::SourceOnly => Some(Trouble::SourceOnly(who.clone())),
        Kind::NotAudio => Some(Trouble::NotAudio(who.clone())),
        Kind::Speaker if !endpoints.is_empty() && sinks(endpoints).iter().all(|sink| sink.sbc.is_none()) => {
            Some(Trouble::NoSbc(who.clone()))
        }
        _ => None,
    }
}

fn kind(device: &Device, endpoints: &[RemoteEndpoint]) -> Kind {
    let has = |short| {
        device.uuids.iter().any(|uuid| is_uuid(uuid, short))
            || endpoints.iter().any(|endpoint| is_uuid(&endpoint.uuid, short))
    };
    match () {
        () if has(AUDIO_SINK) => Kind::Speaker,
        () if has(AUDIO_SOURCE) => Kind::SourceOnly,
        () if device.class.is_some_and(plays) => Kind::ProbablySpeaker,
        () if device.uuids.is_empty() => Kind::Unknown,
        () => Kind::NotAudio,
    }
}

/// Major class audio/video with the minor classes that play: headset, loudspeaker, headphones,
/// portable audio, car audio, hi-fi (Assigned Numbers, section 2.8).
fn plays(class: u32) -> bool {
    let (major, minor) = ((class >> 8) & 0x1f, (class >> 2) & 0x3f);
    major == 4 && matches!(minor, 1 | 5 | 6 | 7 | 8 | 10)
}

fn sinks(endpoints: &[RemoteEndpoint]) -> Vec<SinkCodec> {
    let sinks = endpoints.iter().filter(|endpoint| is_uuid(&endpoint.uuid, AUDIO_SINK));
    sinks
        .map(|endpoint| SinkCodec {
            codec: codec(endpoint),
            delay_reporting: endpoint.delay_reporting,
            sbc: (endpoint.codec == 0)
                .then(|| SbcCapabilities::from_octets(&endpoint.capabilities).ok())
                .flatten(),
        })
        .collect()
}

/// A2DP's codec numbers (Assigned Numbers, section 6.5.1), and makers' own by company and number.
fn codec(endpoint: &RemoteEndpoint) -> String {
    let vendor = endpoint.vendor.or_else(|| {
        let [a, b, c, d, e, f, ..] = endpoint.capabilities[..] else { return None };
        // Company, 32 bits, then codec, 16, both little endian.
        (endpoint.codec == 0xff && c == 0 && d == 0)
            .then(|| u32::from(u16::from_le_bytes([a, b])) << 16 | u32::from(u16::from_le_bytes([e, f])))
    });
    match (endpoint.codec, vendor) {
        (0, _) => "SBC".into(),
        (1, _) => "MPEG audio".into(),
        (2, _) => "AAC".into(),
        (3, _) => "MPEG-D USAC".into(),
        (4, _) => "ATRAC".into(),
        (0xff, Some(0x004f_0001)) => "aptX".into(),
        (0xff, Some(0x00d7_0024)) => "aptX HD".into(),
        (0xff, Some(0x00d7_00ad)) => "aptX Adaptive".into(),
        (0xff, Some(0x000a_0002)) => "aptX LL".into(),
        (0xff, Some(0x012d_00aa)) => "LDAC".into(),
        (0xff, Some(0x053a_484c)) => "LHDC".into(),
        (0xff, Some(other)) => format!("vendor codec 0x{other:08X}"),
        (other, _) => format!("codec 0x{other:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::uuid;

    fn device(uuids: &[u16], class: u32) -> Device {
        let uuids = uuids.iter().map(|short| uuid(*short).to_uppercase()).collect();
        Device { uuids, class: (class > 0).then_some(class), ..Device::default() }
    }

    #[test]
    fn a_device_is_what_its_services_say_and_only_then_what_its_class_says() {
        for (uuids, class, expected) in [
            (&[AUDIO_SINK, AUDIO_SOURCE][..], 0, Kind::Speaker),
            (&[AUDIO_SOURCE], 0x24_0414, Kind::SourceOnly),
            (&[], 0x24_0414, Kind::ProbablySpeaker),
            (&[], 0x24_0404, Kind::ProbablySpeaker),
            (&[0x1124], 0x00_2540, Kind::NotAudio),
            (&[], 0x00_2540, Kind::Unknown),
            (&[], 0, Kind::Unknown),
        ] {
            assert_eq!(kind(&device(uuids, class), &[]), expected, "{uuids:x?} {class:x}");
        }
    }

    #[test]
    fn makers_own_codecs_are_named_by_company_and_number() {
        let endpoint = |codec, capabilities: &[u8]| RemoteEndpoint {
            uuid: uuid(AUDIO_SINK),
            codec,
            vendor: None,
            capabilities: capabilities.to_vec(),
            delay_reporting: None,
        };
        assert_eq!(codec(&endpoint(0xff, &[0x2d, 1, 0, 0, 0xaa, 0, 0x3c, 7])), "LDAC");
        assert_eq!(codec(&endpoint(0xff, &[0x4f, 0, 0, 0, 1, 0, 0x32])), "aptX");
        assert_eq!(codec(&endpoint(0xff, &[1, 2])), "codec 0xFF");
        assert_eq!(codec(&endpoint(2, &[])), "AAC");
    }

    #[test]
    fn a_speaker_whose_sinks_have_no_sbc_is_told_apart() {
        let who = Who { address: Address([0; 6]), name: None };
        let aac = RemoteEndpoint {
            uuid: uuid(AUDIO_SINK),
            codec: 2,
            vendor: None,
            capabilities: vec![],
            delay_reporting: None,
        };
        let speaker = device(&[AUDIO_SINK], 0);
        assert_eq!(why_no_sink(&speaker, &[aac], &who), Some(Trouble::NoSbc(who.clone())));
        assert_eq!(why_no_sink(&speaker, &[], &who), None);
    }
}
