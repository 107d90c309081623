//! An SBC decoder written from the standard's formulas alone (A2DP 1.3, appendix B), in f64 and
//! without a thought for speed. It shares nothing with the encoder under test, not even a table.

use std::f64::consts::PI;

pub struct Decoder {
    /// The synthesis filterbank's memory, newest first.
    v: [Vec<f64>; 2],
}

#[derive(Debug)]
pub struct Frame {
    /// Bytes that the frame took.
    pub length: usize,
    /// Which subbands were sum and difference.
    pub joint: Vec<bool>,
    /// Each channel's samples, full scale +-1.
    pub samples: Vec<Vec<f64>>,
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<u32, &'static str> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or("the frame is too short")?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

struct Head {
    rate: usize,
    blocks: usize,
    mode: u32,
    snr: bool,
    subbands: usize,
    bitpool: i32,
}

impl Decoder {
    pub fn new() -> Self {
        Self { v: [vec![0.0; 160], vec![0.0; 160]] }
    }

    pub fn decode(&mut self, bytes: &[u8]) -> Result<Frame, &'static str> {
        let mut bits = Bits { bytes, at: 0 };
        if bits.take(8)? != 0x9C {
            return Err("no sync word");
        }
        let head = Head {
            rate: bits.take(2)? as usize,
            blocks: 4 * (bits.take(2)? as usize + 1),
            mode: bits.take(2)?,
            snr: bits.take(1)? == 1,
            subbands: if bits.take(1)? == 1 { 8 } else { 4 },
            bitpool: bits.take(8)? as i32,
        };
        let check = bits.take(8)?;
        let channels = if head.mode == 0 { 1 } else { 2 };
        let mut joint = vec![false; head.subbands];
        if head.mode == 3 {
            for flag in &mut joint {
                *flag = bits.take(1)? == 1;
            }
        }
        let mut factors = vec![vec![0; head.subbands]; channels];
        for factor in factors.iter_mut().flatten() {
            *factor = bits.take(4)? as i32;
        }
        if checksum(bytes, bits.at) != check {
            return Err("the checksum is wrong");
        }
        let share = allocation(&head, &factors);
        let mut out = vec![Vec::new(); channels];
        for _ in 0..head.blocks {
            let mut samples = vec![vec![0.0; head.subbands]; channels];
            for channel in 0..channels {
                for subband in 0..head.subbands {
                    let count = share[channel][subband] as usize;
                    let level = bits.take(count)?;
                    if count > 0 {
                        let levels = f64::from((1_u32 << count) - 1);
                        let scale = f64::from(factors[channel][subband] + 1).exp2();
                        samples[channel][subband] = scale * ((2.0 * f64::from(level) + 1.0) / levels - 1.0);
                    }
                }
            }
            for subband in (0..head.subbands).filter(|subband| joint[*subband]) {
                let (sum, difference) = (samples[0][subband], samples[1][subband]);
                (samples[0][subband], samples[1][subband]) = (sum + difference, sum - difference);
            }
            for channel in 0..channels {
                synthesis(&mut self.v[channel], &samples[channel], &mut out[channel]);
            }
        }
        Ok(Frame { length: bits.at.div_ceil(8), joint, samples: out })
    }
}

/// Over everything between the sync word and `end`, but for the checksum itself.
fn checksum(bytes: &[u8], end: usize) -> u32 {
    let mut crc = 0x0F_u32;
    for at in (8..24).chain(32..end) {
        let bit = u32::from(bytes[at / 8] >> (7 - at % 8) & 1);
        let feed = crc >> 7 ^ bit;
        crc = crc << 1 & 0xFF ^ if feed == 1 { 0x1D } else { 0 };
    }
    crc
}

fn allocation(head: &Head, factors: &[Vec<i32>]) -> Vec<Vec<i32>> {
    let needs: Vec<Vec<i32>> = factors
        .iter()
        .map(|factors| factors.iter().enumerate().map(|(s, f)| need(head, s, *f)).collect())
        .collect();
    if head.mode < 2 {
        let order = |channel| (0..head.subbands).map(move |subband| (channel, subband)).collect::<Vec<_>>();
        let mut bits = vec![vec![0; head.subbands]; factors.len()];
        for channel in 0..factors.len() {
            allocate(head.bitpool, &needs, &order(channel), &mut bits);
        }
        return bits;
    }
    let order: Vec<_> = (0..head.subbands).flat_map(|subband| [(0, subband), (1, subband)]).collect();
    let mut bits = vec![vec![0; head.subbands]; 2];
    allocate(head.bitpool, &needs, &order, &mut bits);
    bits
}

fn need(head: &Head, subband: usize, factor: i32) -> i32 {
    const OFFSETS_4: [[i32; 4]; 4] = [[-1, 0, 0, 0], [-2, 0, 0, 1], [-2, 0, 0, 1], [-2, 0, 0, 1]];
    const OFFSETS_8: [[i32; 8]; 4] = [
        [-2, 0, 0, 0, 0, 0, 0, 1],
        [-3, 0, 0, 0, 0, 0, 1, 2],
        [-4, 0, 0, 0, 0, 0, 1, 2],
        [-4, 0, 0, 0, 0, 0, 1, 2],
    ];
    if head.snr {
        return factor;
    }
    if factor == 0 {
        return -5;
    }
    let offset =
        if head.subbands == 4 { OFFSETS_4[head.rate][subband] } else { OFFSETS_8[head.rate][subband] };
    let loudness = factor - offset;
    if loudness > 0 { loudness / 2 } else { loudness }
}

/// The standard's slices: from the highest need down, until the pool is used.
fn allocate(bitpool: i32, needs: &[Vec<i32>], order: &[(usize, usize)], bits: &mut [Vec<i32>]) {
    let need = |at: &(usize, usize)| needs[at.0][at.1];
    let mut slice = order.iter().map(need).fold(0, i32::max) + 1;
    let (mut count, mut in_slice) = (0, 0);
    loop {
        slice -= 1;
        count += in_slice;
        in_slice = 0;
        for at in order {
            if need(at) > slice + 1 && need(at) < slice + 16 {
                in_slice += 1;
            } else if need(at) == slice + 1 {
                in_slice += 2;
            }
        }
        if count + in_slice >= bitpool {
            break;
        }
    }
    if count + in_slice == bitpool {
        count += in_slice;
        slice -= 1;
    }
    for at in order {
        bits[at.0][at.1] = if need(at) < slice + 2 { 0 } else { (need(at) - slice).min(16) };
    }
    for at in order {
        let bits = &mut bits[at.0][at.1];
        if count < bitpool && *bits >= 2 && *bits < 16 {
            *bits += 1;
            count += 1;
        } else if bitpool > count + 1 && need(at) == slice + 1 {
            *bits = 2;
            count += 2;
        }
    }
    for at in order {
        let bits = &mut bits[at.0][at.1];
        if count < bitpool && *bits < 16 {
            *bits += 1;
            count += 1;
        }
    }
}

fn synthesis(v: &mut [f64], subbands: &[f64], out: &mut Vec<f64>) {
    let n = subbands.len();
    let prototype: &[f64] = if n == 4 { &PROTO_4_40 } else { &PROTO_8_80 };
    v.copy_within(..v.len() - 2 * n, 2 * n);
    for (k, v) in v.iter_mut().enumerate().take(2 * n) {
        let angle = |i: usize| (i as f64 + 0.5) * (k as f64 + n as f64 / 2.0) * PI / n as f64;
        *v = subbands.iter().enumerate().map(|(i, s)| angle(i).cos() * s).sum();
    }
    let mut u = vec![0.0; 10 * n];
    for i in 0..5 {
        for j in 0..n {
            u[i * 2 * n + j] = v[i * 4 * n + j];
            u[i * 2 * n + n + j] = v[i * 4 * n + 3 * n + j];
        }
    }
    for j in 0..n {
        let sum: f64 = (0..10).map(|i| u[j + n * i] * prototype[j + n * i]).sum();
        out.push(-(n as f64) * sum / 32_768.0);
    }
}

#[rustfmt::skip]
const PROTO_4_40: [f64; 40] = [
    0.0, 5.36548976e-04, 1.49188357e-03, 2.73370904e-03,
    3.83720193e-03, 3.89205149e-03, 1.86581691e-03, -3.06012286e-03,
    1.09137620e-02, 2.04385087e-02, 2.88757392e-02, 3.21939290e-02,
    2.58767811e-02, 6.13245186e-03, -2.88217274e-02, -7.76463494e-02,
    1.35593274e-01, 1.94987841e-01, 2.46636662e-01, 2.81828203e-01,
    2.94315332e-01, 2.81828203e-01, 2.46636662e-01, 1.94987841e-01,
    -1.35593274e-01, -7.76463494e-02, -2.88217274e-02, 6.13245186e-03,
    2.58767811e-02, 3.21939290e-02, 2.88757392e-02, 2.04385087e-02,
    -1.09137620e-02, -3.06012286e-03, 1.86581691e-03, 3.89205149e-03,
    3.83720193e-03, 2.73370904e-03, 1.49188357e-03, 5.36548976e-04,
];

#[rustfmt::skip]
const PROTO_8_80: [f64; 80] = [
    0.0, 1.56575398e-04, 3.43256425e-04, 5.54620202e-04,
    8.23919506e-04, 1.13992507e-03, 1.47640169e-03, 1.78371725e-03,
    2.01182542e-03, 2.10371989e-03, 1.99454554e-03, 1.61656283e-03,
    9.02154502e-04, -1.78805361e-04, -1.64973098e-03, -3.49717454e-03,
    5.65949473e-03, 8.02941163e-03, 1.04584443e-02, 1.27472335e-02,
    1.46525263e-02, 1.59045603e-02, 1.62208471e-02, 1.53184106e-02,
    1.29371806e-02, 8.85757540e-03, 2.92408442e-03, -4.91578024e-03,
    -1.46404076e-02, -2.61098752e-02, -3.90751381e-02, -5.31873032e-02,
    6.79989431e-02, 8.29847578e-02, 9.75753918e-02, 1.11196689e-01,
    1.23264548e-01, 1.33264415e-01, 1.40753505e-01, 1.45389847e-01,
    1.46955068e-01, 1.45389847e-01, 1.40753505e-01, 1.33264415e-01,
    1.23264548e-01, 1.11196689e-01, 9.75753918e-02, 8.29847578e-02,
    -6.79989431e-02, -5.31873032e-02, -3.90751381e-02, -2.61098752e-02,
    -1.46404076e-02, -4.91578024e-03, 2.92408442e-03, 8.85757540e-03,
    1.29371806e-02, 1.53184106e-02, 1.62208471e-02, 1.59045603e-02,
    1.46525263e-02, 1.27472335e-02, 1.04584443e-02, 8.02941163e-03,
    -5.65949473e-03, -3.49717454e-03, -1.64973098e-03, -1.78805361e-04,
    9.02154502e-04, 1.61656283e-03, 1.99454554e-03, 2.10371989e-03,
    2.01182542e-03, 1.78371725e-03, 1.47640169e-03, 1.13992507e-03,
    8.23919506e-04, 5.54620202e-04, 3.43256425e-04, 1.56575398e-04,
];
