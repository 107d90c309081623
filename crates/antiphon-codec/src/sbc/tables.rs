//! The numbers of the standard, in the shape in which the filterbank wants them.

/// What a full-scale sample counts inside the codec: decoders are made for 16-bit audio.
const FULL_SCALE: f64 = 32_768.0;

/// First half and middle of the symmetric low-pass prototype for 4 subbands (A2DP 1.3, 12.8).
/// The standard prints it with the sign of every second group of 8 turned.
#[rustfmt::skip]
const PROTOTYPE_4: [f64; 21] = [
    0.0, 5.36548976e-04, 1.49188357e-03, 2.73370904e-03,
    3.83720193e-03, 3.89205149e-03, 1.86581691e-03, -3.06012286e-03,
    -1.09137620e-02, -2.04385087e-02, -2.88757392e-02, -3.21939290e-02,
    -2.58767811e-02, -6.13245186e-03, 2.88217274e-02, 7.76463494e-02,
    1.35593274e-01, 1.94987841e-01, 2.46636662e-01, 2.81828203e-01,
    2.94315332e-01,
];

/// The same for 8 subbands and groups of 16 (A2DP 1.3, 12.8).
#[rustfmt::skip]
const PROTOTYPE_8: [f64; 41] = [
    0.0, 1.56575398e-04, 3.43256425e-04, 5.54620202e-04,
    8.23919506e-04, 1.13992507e-03, 1.47640169e-03, 1.78371725e-03,
    2.01182542e-03, 2.10371989e-03, 1.99454554e-03, 1.61656283e-03,
    9.02154502e-04, -1.78805361e-04, -1.64973098e-03, -3.49717454e-03,
    -5.65949473e-03, -8.02941163e-03, -1.04584443e-02, -1.27472335e-02,
    -1.46525263e-02, -1.59045603e-02, -1.62208471e-02, -1.53184106e-02,
    -1.29371806e-02, -8.85757540e-03, -2.92408442e-03, 4.91578024e-03,
    1.46404076e-02, 2.61098752e-02, 3.90751381e-02, 5.31873032e-02,
    6.79989431e-02, 8.29847578e-02, 9.75753918e-02, 1.11196689e-01,
    1.23264548e-01, 1.33264415e-01, 1.40753505e-01, 1.45389847e-01,
    1.46955068e-01,
];

/// cos(k pi / 16) for k = 0 to 8: a quarter of a turn.
const COS_SIXTEENTHS: [f64; 9] = [
    1.0,
    0.980_785_280_403_230_4,
    0.923_879_532_511_286_7,
    0.831_469_612_302_545_2,
    std::f64::consts::FRAC_1_SQRT_2,
    0.555_570_233_019_602_2,
    0.382_683_432_365_089_8,
    0.195_090_322_016_128_27,
    0.0,
];

/// Analysis windows, oldest sample first, full scale included.
pub(super) static WINDOW_4: [f32; 40] = window(&PROTOTYPE_4);
/// See [`WINDOW_4`].
pub(super) static WINDOW_8: [f32; 80] = window(&PROTOTYPE_8);

/// `COSINES_8[n][i]` = cos((2 i + 1) n pi / 16), for the lower half of the subbands.
pub(super) static COSINES_8: [[f32; 4]; 8] = cosines(1);
/// `COSINES_4[n][i]` = cos((2 i + 1) n pi / 8).
pub(super) static COSINES_4: [[f32; 2]; 4] = cosines(2);

/// What is taken off the scale factor of each subband before bits are given by loudness, for 16, 32,
/// 44.1 and 48 kHz (A2DP 1.3, appendix B).
pub(super) const LOUDNESS_OFFSETS_4: [[i32; 4]; 4] =
    [[-1, 0, 0, 0], [-2, 0, 0, 1], [-2, 0, 0, 1], [-2, 0, 0, 1]];
/// The same for 8 subbands.
pub(super) const LOUDNESS_OFFSETS_8: [[i32; 8]; 4] = [
    [-2, 0, 0, 0, 0, 0, 0, 1],
    [-3, 0, 0, 0, 0, 0, 1, 2],
    [-4, 0, 0, 0, 0, 0, 1, 2],
    [-4, 0, 0, 0, 0, 0, 1, 2],
];

const fn window<const TAPS: usize>(half: &[f64]) -> [f32; TAPS] {
    let mut window = [0.0; TAPS];
    let mut age = 0;
    while age < TAPS {
        let mirrored = if age <= TAPS / 2 { age } else { TAPS - age };
        // Every second group of the five changes sign: the cosines repeat in twice a group.
        let sign = if (age * 5 / TAPS) % 2 == 1 { -FULL_SCALE } else { FULL_SCALE };
        window[TAPS - 1 - age] = (sign * half[mirrored]) as f32;
        age += 1;
    }
    window
}

const fn cosines<const N: usize, const HALF: usize>(step: usize) -> [[f32; HALF]; N] {
    let mut table = [[0.0; HALF]; N];
    let mut n = 0;
    while n < N {
        let mut i = 0;
        while i < HALF {
            table[n][i] = cos_sixteenths((2 * i + 1) * n * step) as f32;
            i += 1;
        }
        n += 1;
    }
    table
}

const fn cos_sixteenths(k: usize) -> f64 {
    match k % 32 {
        k @ 0..=8 => COS_SIXTEENTHS[k],
        k @ 9..=16 => -COS_SIXTEENTHS[16 - k],
        k @ 17..=24 => -COS_SIXTEENTHS[k - 16],
        k => COS_SIXTEENTHS[32 - k],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_cosines() {
        for (n, row) in COSINES_8.iter().enumerate() {
            for (i, x) in row.iter().enumerate() {
                let angle = ((2 * i + 1) * n) as f64 * std::f64::consts::PI / 16.0;
                assert!((f64::from(*x) - angle.cos()).abs() < 1e-7, "{n} {i}");
            }
        }
        for (n, row) in COSINES_4.iter().enumerate() {
            for (i, x) in row.iter().enumerate() {
                let angle = ((2 * i + 1) * n) as f64 * std::f64::consts::PI / 8.0;
                assert!((f64::from(*x) - angle.cos()).abs() < 1e-7, "{n} {i}");
            }
        }
    }
}
