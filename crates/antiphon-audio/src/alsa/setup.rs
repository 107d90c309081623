//! What a device and this program agree on: rate, channels, samples, buffer.
//!
//! Of the rates the one that the programme has is wished for, of a device that has another one its own: the renderer
//! is told that rate, and nothing converts twice. Which one is taken is decided by [`choose`], which is pure but for
//! what the device answers.

use ::alsa::pcm::{Access, HwParams, PCM, TstampType};
use ::alsa::{Result, ValueOr};
use antiphon_base::{SampleRate, Span};
use nix::time::ClockId;

use super::samples::Sample;

/// Rates, best first: the programme's, its multiples, then the other family.
const RATES: [u32; 6] = [48_000, 96_000, 192_000, 44_100, 88_200, 176_400];

/// What the device holds: short enough to be started within a fifth of a second, long enough for a machine with
/// other work.
const BUFFER: Span = Span::from_ms(100);

/// The device calls this often.
const PERIOD: Span = Span::from_ms(10);

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    /// The device's own rate.
    pub rate: SampleRate,
    /// Interleaved channels of the device.
    pub channels: u16,
    /// How it writes samples.
    pub sample: Sample,
    /// Frames from one call of the device to the next.
    pub period: i64,
    /// Frames that the device holds.
    pub buffer: i64,
    /// The clock of its stamps.
    pub stamps: ClockId,
}

impl Setup {
    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.sample.bytes()
    }
}

/// Why nothing can be agreed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSetup {
    /// No rate that this program has.
    #[error(
        "it takes none of the rates from 44.1 to 192 kHz that Antiphon has, but {0} to {1} Hz; plughw: in place of hw: \
         converts"
    )]
    Rate(u32, u32),
    /// No sample format that this program has.
    #[error("it takes no samples of 16, 24 or 32 bits or float; plughw: in place of hw: converts")]
    Sample,
    /// More channels than anybody asks for.
    #[error("it has at least {0} channels, and no more than {1} are taken; plughw: in place of hw: converts")]
    Channels(u32, u32),
    /// The system.
    #[error("{0}")]
    System(String),
}

impl From<::alsa::Error> for NoSetup {
    fn from(error: ::alsa::Error) -> Self {
        Self::System(format!("it cannot be set up: {error}"))
    }
}

/// A device that answers and narrows what it will do.
trait Device {
    fn channels(&self) -> Result<(u32, u32)>;
    fn rates(&self) -> Result<(u32, u32)>;
    fn take_channels(&self, channels: u32) -> bool;
    fn take_rate(&self, hz: u32) -> bool;
    fn take_sample(&self, sample: Sample) -> bool;
    /// Lets a converter of a configuration change rates.
    fn convert_rates(&self);
}

/// Rate, channels and samples, wishing for 2 channels and taking no more than `most`.
fn choose(device: &impl Device, most: u32) -> std::result::Result<(u32, u16, Sample), NoSetup> {
    let (least, _) = device.channels()?;
    let wished = [2, 1, least].into_iter().find(|n| *n <= most && device.take_channels(*n));
    let channels = wished.ok_or(NoSetup::Channels(least, most))?;
    let mut rate = RATES.into_iter().find(|hz| device.take_rate(*hz));
    if rate.is_none() {
        device.convert_rates();
        rate = RATES.into_iter().find(|hz| device.take_rate(*hz));
    }
    let Some(rate) = rate else {
        let (least, most) = device.rates()?;
        return Err(NoSetup::Rate(least, most));
    };
    let sample = Sample::ALL.into_iter().find(|sample| device.take_sample(*sample)).ok_or(NoSetup::Sample)?;
    Ok((rate, channels as u16, sample))
}

impl Device for HwParams<'_> {
    fn channels(&self) -> Result<(u32, u32)> {
        Ok((self.get_channels_min()?, self.get_channels_max()?))
    }

    fn rates(&self) -> Result<(u32, u32)> {
        Ok((self.get_rate_min()?, self.get_rate_max()?))
    }

    fn take_channels(&self, channels: u32) -> bool {
        self.test_channels(channels).is_ok() && self.set_channels(channels).is_ok()
    }

    fn take_rate(&self, hz: u32) -> bool {
        self.test_rate(hz).is_ok() && self.set_rate(hz, ValueOr::Nearest).is_ok()
    }

    fn take_sample(&self, sample: Sample) -> bool {
        self.test_format(sample.format()).is_ok() && self.set_format(sample.format()).is_ok()
    }

    fn convert_rates(&self) {
        // Where it is refused no rate will be taken either, which is what is told.
        let _ = self.set_rate_resample(true);
    }
}

/// What the device would do, without letting it: rate and channels.
pub(super) fn probe(pcm: &PCM, most: u32) -> std::result::Result<(u32, u16), NoSetup> {
    choose(&wishes(pcm)?, most).map(|(rate, channels, _)| (rate, channels))
}

/// Agrees with the device, with no more channels than `most`; it is ready to be primed then.
pub(super) fn agree(pcm: &PCM, most: u32) -> std::result::Result<Setup, NoSetup> {
    let wishes = wishes(pcm)?;
    let (rate, channels, sample) = choose(&wishes, most)?;
    wishes.set_period_time_near(us(PERIOD), ValueOr::Nearest)?;
    wishes.set_buffer_time_near(us(BUFFER), ValueOr::Nearest)?;
    pcm.hw_params(&wishes)?;
    let (period, buffer) = (wishes.get_period_size()?, wishes.get_buffer_size()?);
    drop(wishes);
    let stamps = set_software(pcm, period)?;
    let rate = SampleRate::new(rate).unwrap_or(SampleRate::MEDIA);
    Ok(Setup { rate, channels, sample, period, buffer, stamps })
}

fn wishes(pcm: &PCM) -> Result<HwParams<'_>> {
    let wishes = HwParams::any(pcm)?;
    // A configuration's converter would hide the device's own rate.
    wishes.set_rate_resample(false)?;
    wishes.set_access(Access::RWInterleaved)?;
    Ok(wishes)
}

fn us(span: Span) -> u32 {
    (span.as_ns() / 1_000) as u32
}

/// The device starts when it is told, stops when it runs dry, and stamps its position; says by which clock.
fn set_software(pcm: &PCM, period: i64) -> Result<ClockId> {
    let clocks = [
        (TstampType::MonotonicRaw, ClockId::CLOCK_MONOTONIC_RAW),
        (TstampType::Monotonic, ClockId::CLOCK_MONOTONIC),
    ];
    for (kind, clock) in clocks {
        let software = pcm.sw_params_current()?;
        software.set_start_threshold(software.get_boundary()?)?;
        software.set_avail_min(period)?;
        software.set_tstamp_mode(true)?;
        if software.set_tstamp_type(kind).is_ok() && pcm.sw_params(&software).is_ok() {
            return Ok(clock);
        }
    }
    // What alsa-lib stamps with where nothing else is known.
    let software = pcm.sw_params_current()?;
    software.set_start_threshold(software.get_boundary()?)?;
    software.set_avail_min(period)?;
    pcm.sw_params(&software)?;
    Ok(ClockId::CLOCK_REALTIME)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Card {
        channels: (u32, u32),
        rates: Vec<u32>,
        samples: Vec<Sample>,
        converts: bool,
        converting: Cell<bool>,
    }

    impl Device for Card {
        fn channels(&self) -> Result<(u32, u32)> {
            Ok(self.channels)
        }
        fn rates(&self) -> Result<(u32, u32)> {
            Ok((self.rates[0], self.rates[self.rates.len() - 1]))
        }
        fn take_channels(&self, channels: u32) -> bool {
            (self.channels.0..=self.channels.1).contains(&channels)
        }
        fn take_rate(&self, hz: u32) -> bool {
            self.converting.get() || self.rates.contains(&hz)
        }
        fn take_sample(&self, sample: Sample) -> bool {
            self.samples.contains(&sample)
        }
        fn convert_rates(&self) {
            self.converting.set(self.converts);
        }
    }

    fn card(rates: &[u32], channels: (u32, u32), samples: &[Sample]) -> Card {
        let converting = Cell::new(false);
        Card { channels, rates: rates.into(), samples: samples.into(), converts: false, converting }
    }

    const S16: &[Sample] = &[Sample::S16];

    #[test]
    fn a_card_that_can_plays_the_programmes_own_rate_in_the_best_samples() {
        let studio = card(&[44_100, 48_000, 96_000], (2, 8), &[Sample::S16, Sample::S24Packed, Sample::S32]);
        assert_eq!(choose(&studio, 8), Ok((48_000, 2, Sample::S32)));
        let usb = card(&[44_100, 48_000], (2, 2), &[Sample::S16, Sample::S24Packed]);
        assert_eq!(choose(&usb, 8), Ok((48_000, 2, Sample::S24Packed)));
    }

    #[test]
    fn a_card_of_another_rate_keeps_its_own() {
        assert_eq!(choose(&card(&[44_100], (2, 2), S16), 8), Ok((44_100, 2, Sample::S16)));
        assert_eq!(choose(&card(&[96_000, 192_000], (2, 2), S16), 8), Ok((96_000, 2, Sample::S16)));
    }

    #[test]
    fn channels_are_two_or_what_comes_nearest() {
        assert_eq!(choose(&card(&[48_000], (1, 1), S16), 8).map(|got| got.1), Ok(1));
        assert_eq!(choose(&card(&[48_000], (6, 8), S16), 8).map(|got| got.1), Ok(6));
        assert_eq!(choose(&card(&[48_000], (18, 18), S16), 8), Err(NoSetup::Channels(18, 8)));
    }

    #[test]
    fn rates_of_telephones_are_converted_where_a_configuration_can_and_named_where_not() {
        let hardware = card(&[8_000, 16_000], (1, 1), S16);
        assert_eq!(choose(&hardware, 8), Err(NoSetup::Rate(8_000, 16_000)));
        let said = choose(&hardware, 8).unwrap_err().to_string();
        assert!(said.contains("8000 to 16000 Hz") && said.contains("plughw:"), "{said}");
        let converted = Card { converts: true, ..card(&[8_000], (1, 1), S16) };
        assert_eq!(choose(&converted, 8), Ok((48_000, 1, Sample::S16)));
    }

    #[test]
    fn a_card_of_strange_samples_is_told_so() {
        assert_eq!(choose(&card(&[48_000], (2, 2), &[]), 8), Err(NoSetup::Sample));
    }
}
