//! Bounded, seeded, structure-aware random bytes through the fuzzer's entry functions: whatever comes, no
//! parser panics and no stranger gets a session. `fuzz/` runs the same functions for as long as one likes.

mod entry;

/// A small generator (SplitMix64): a seed names a run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Values at which parsers break: ends of ranges and lengths.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7F, 0x80, 0x90, 0xBE, 0xFE, 0xFF];

/// One to four changes of the kinds that networks and attackers make.
fn mutate(random: &mut Random, input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + random.below(4) {
        let place = random.below(bytes.len());
        match random.below(7) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[place] = EDGES[random.below(EDGES.len())],
            2 => bytes.truncate(place),
            3 => {
                let piece = random.next().to_be_bytes();
                bytes.splice(place..place, piece);
            }
            4 if !bytes.is_empty() => {
                let end = place + random.below(bytes.len() - place);
                bytes.drain(place..end);
            }
            5 if !bytes.is_empty() => {
                let end = (place + 1 + random.below(16)).min(bytes.len());
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
            _ => {
                let (len, piece) = (random.below(9), random.below(1_300));
                bytes.extend(random.bytes(if len == 0 { piece } else { len }));
            }
        }
    }
    bytes
}

/// As many inputs as a second of this machine-sized test allows each entry.
fn rounds(name: &str) -> usize {
    // A handshake costs elliptic-curve work, about 0.3 ms; a parser under a microsecond.
    if name.starts_with("handshake") { 150 } else { 20_000 }
}

#[test]
fn random_bytes_disturb_no_parser() {
    for (name, run) in entry::ALL {
        let mut random = Random(0xA17F_0000 + name.len() as u64);
        for _ in 0..rounds(name) / 4 {
            // Mostly short: few parsers look further, and long ones are for the limits.
            let longest = if random.below(8) == 0 { 1_300 } else { 80 };
            let len = random.below(longest);
            run(&random.bytes(len));
        }
    }
}

#[test]
fn altered_true_messages_disturb_no_parser() {
    let seeds = entry::seeds();
    for (name, run) in entry::ALL {
        let own: Vec<_> = seeds.iter().filter(|(seed, _)| *seed == name).collect();
        assert!(!own.is_empty(), "no well-formed input for {name}");
        let mut random = Random(0x5EED_0000 + name.len() as u64);
        for round in 0..rounds(name) {
            let (_, seed) = own[round % own.len()];
            run(&mutate(&mut random, seed));
        }
    }
}
