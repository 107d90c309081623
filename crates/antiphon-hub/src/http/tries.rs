//! Wrong codes, by who sent them: each one more costs a longer wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong tries without a wait: as many as a code stands, for fingers slip.
const FREE: u32 = 3;

/// The first wait; each further wrong try doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// The longest wait: then the code that somebody guesses at has expired.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Neighbours that are remembered. With more of them guessing at once, the one whose wait ends first is forgotten.
const MOST: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Guesser {
    wrong: u32,
    /// Until then nothing is heard of it; and it is remembered for [`LONGEST_WAIT`] longer.
    until: Instant,
}

/// Who sent how many wrong codes of late.
#[derive(Debug, Default)]
pub struct Tries(BTreeMap<IpAddr, Guesser>);

impl Tries {
    /// How long `peer` must still wait; `None`: it may try.
    pub fn wait(&self, now: Instant, peer: IpAddr) -> Option<Duration> {
        let guesser = self.0.get(&neighbour(peer))?;
        guesser.until.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// `peer` sent a wrong code.
    pub fn wrong(&mut self, now: Instant, peer: IpAddr) {
        self.0.retain(|_, guesser| now < guesser.until + LONGEST_WAIT);
        let peer = neighbour(peer);
        if self.0.len() >= MOST
            && !self.0.contains_key(&peer)
            && let Some(first) = self.0.iter().min_by_key(|(_, guesser)| guesser.until).map(|(peer, _)| *peer)
        {
            self.0.remove(&first);
        }
        let guesser = self.0.entry(peer).or_insert(Guesser { wrong: 0, until: now });
        guesser.wrong = guesser.wrong.saturating_add(1);
        guesser.until = now + wait_after(guesser.wrong);
    }

    /// `peer` sent a right one.
    pub fn right(&mut self, peer: IpAddr) {
        self.0.remove(&neighbour(peer));
    }
}

fn wait_after(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => (FIRST_WAIT * 2u32.saturating_pow(more.min(16))).min(LONGEST_WAIT),
    }
}

/// One machine of the network: of an IPv6 address the first half, as the rest is its own choice.
pub fn neighbour(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_guesser_waits_longer_and_longer_and_others_do_not() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        let guesser = ip("10.0.0.9");
        let mut now = start;
        let mut waits = vec![];
        for _ in 0..12 {
            assert_eq!(tries.wait(now, guesser), None);
            tries.wrong(now, guesser);
            let wait = tries.wait(now, guesser).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600]);
        assert_eq!(tries.wait(start, ip("10.0.0.8")), None);
        tries.right(guesser);
        assert_eq!(tries.wait(start, guesser), None);
    }

    #[test]
    fn a_machine_with_many_ipv6_addresses_is_one_guesser() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        for host in 0..3 {
            tries.wrong(now, ip(&format!("fd00::{host}")));
        }
        assert!(tries.wait(now, ip("fd00::99")).is_some());
        assert_eq!(tries.wait(now, ip("fd00:0:0:1::1")), None);
        for _ in 0..3 {
            tries.wrong(now, ip("::ffff:10.0.0.1"));
        }
        assert!(tries.wait(now, ip("10.0.0.1")).is_some());
    }

    #[test]
    fn a_network_full_of_guessers_grows_no_memory() {
        let (mut tries, now) = (Tries::default(), Instant::now());
        for n in 0..10_000u32 {
            tries.wrong(now, IpAddr::V4(n.into()));
        }
        assert_eq!(tries.0.len(), MOST);
        tries.wrong(now + Duration::from_secs(3_600), ip("10.9.9.9"));
        assert_eq!(tries.0.len(), 1, "what is an hour old is forgotten");
    }
}
