//! Codes that let browsers in as speakers, in `join.toml`.
//!
//! A code is 50 random bits, so nobody finds one by trying; of it only a hash is kept. It outlives the hub's process,
//! so that the phones of a party come back by themselves.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{files, random_bytes};
use crate::options::HubError;

/// Crockford's digits: no letter that looks like another, none that is read as a digit.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Digits of a code.
const LENGTH: usize = 10;

/// Codes kept, those that are void included: more than anybody gives away in a week.
pub const MAX_CODES: usize = 64;

/// So long a void code is remembered, to be called expired and not wrong: 7 days, in seconds.
const EPITAPH_S: u64 = 7 * 86_400;

/// The layout of the file.
const VERSION: u32 = 1;

/// What is kept of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCode {
    /// Names it, 8 hex digits.
    pub id: String,
    hash: String,
    /// In seconds of the Unix era: a wall clock, for it holds over restarts.
    pub expires_at: u64,
}

/// What a code that somebody shows is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It lets in.
    Good {
        /// The code's id.
        id: String,
    },
    /// It did once.
    Expired,
    /// There is none like it.
    Wrong,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    #[serde(default)]
    code: Vec<KeptCode>,
}

/// The codes; each change is on disk when the call returns.
#[derive(Debug)]
pub struct JoinCodes {
    path: PathBuf,
    kept: Mutex<Vec<KeptCode>>,
}

impl JoinCodes {
    /// Reads the codes kept in `dir`.
    ///
    /// # Errors
    /// The file does not read (it is left as it is), or the system refuses.
    pub fn open(dir: &Path) -> Result<Self, HubError> {
        let path = dir.join("join.toml");
        let kept = match files::read(&path)? {
            Some(text) => {
                parse(&text).map_err(|why| HubError::Damaged { path: path.clone(), why: why.to_string() })?
            }
            None => Vec::new(),
        };
        Ok(Self { path, kept: Mutex::new(kept) })
    }

    /// A new code that is good for `valid_s` seconds from `now_s`, and what is kept of it; `None` when
    /// [`MAX_CODES`] are in force.
    ///
    /// # Errors
    /// The file cannot be written, or there is no randomness; there is no new code then.
    pub fn make(&self, now_s: u64, valid_s: u64) -> Result<Option<(String, KeptCode)>, HubError> {
        let code = digits_of(u64::from_le_bytes(random_bytes()?));
        let id = format!("{:08x}", u32::from_le_bytes(random_bytes()?));
        let new = KeptCode { id, hash: hash(&code), expires_at: now_s.saturating_add(valid_s) };
        let mut kept = self.kept();
        let mut changed = kept.clone();
        changed.retain(|old| old.expires_at.saturating_add(EPITAPH_S) > now_s);
        if changed.len() >= MAX_CODES {
            let Some(void) = changed.iter().position(|old| old.expires_at <= now_s) else { return Ok(None) };
            changed.remove(void);
        }
        changed.push(new.clone());
        self.write(&changed)?;
        *kept = changed;
        Ok(Some((code, new)))
    }

    /// What `code`, as somebody typed it, is at `now_s`.
    pub fn judge(&self, now_s: u64, code: &str) -> Judged {
        let Some(code) = normal(code) else { return Judged::Wrong };
        // Compared as hashes: how long it takes tells nothing of a code.
        let wanted = hash(&code);
        match self.kept().iter().find(|kept| kept.hash == wanted) {
            Some(kept) if kept.expires_at > now_s => Judged::Good { id: kept.id.clone() },
            Some(_) => Judged::Expired,
            None => Judged::Wrong,
        }
    }

    /// Every code that is kept, oldest first.
    pub fn list(&self) -> Vec<KeptCode> {
        self.kept().clone()
    }

    /// Forgets a code; `false` where there is none of that id.
    ///
    /// # Errors
    /// The file cannot be written; the code is as good as before then.
    pub fn revoke(&self, id: &str) -> Result<bool, HubError> {
        let mut kept = self.kept();
        let left: Vec<_> = kept.iter().filter(|code| code.id != id).cloned().collect();
        if left.len() == kept.len() {
            return Ok(false);
        }
        self.write(&left)?;
        *kept = left;
        Ok(true)
    }

    fn write(&self, kept: &[KeptCode]) -> Result<(), HubError> {
        let text = Text { version: VERSION, code: kept.to_vec() };
        // Strings and numbers in tables: TOML has a form for each.
        let text = toml::to_string(&text).expect("join codes always have a text");
        files::replace(&self.path, text.as_bytes())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<KeptCode>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(text: &str) -> Result<Vec<KeptCode>, String> {
    let text: Text = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    if text.version != VERSION {
        return Err(format!("it is of version {}, and this program knows version {VERSION}", text.version));
    }
    Ok(text.code)
}

fn digits_of(random: u64) -> String {
    (0..LENGTH).map(|place| char::from(DIGITS[(random >> (5 * place)) as usize % DIGITS.len()])).collect()
}

/// A code as it is hashed: case, gaps and the letters that are read as digits do not matter.
fn normal(typed: &str) -> Option<String> {
    let mut code = String::with_capacity(LENGTH);
    for letter in typed.chars().filter(|letter| !matches!(letter, '-' | ' ')).take(LENGTH + 1) {
        let digit = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            digit => digit,
        };
        DIGITS.contains(&u8::try_from(digit).ok()?).then(|| code.push(digit))?;
    }
    (code.len() == LENGTH).then_some(code)
}

fn hash(code: &str) -> String {
    let digest = Sha256::new().chain_update(b"antiphon join code").chain_update(code).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(judged: Judged) -> Option<String> {
        match judged {
            Judged::Good { id } => Some(id),
            Judged::Expired | Judged::Wrong => None,
        }
    }

    #[test]
    fn a_code_is_good_until_it_expires_and_over_a_restart_and_only_its_hash_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (code, kept) = JoinCodes::open(dir.path()).unwrap().make(1_000, 60).unwrap().unwrap();
        let text = std::fs::read_to_string(dir.path().join("join.toml")).unwrap();
        assert!(!text.contains(&code) && code.len() == LENGTH, "{text}");
        let codes = JoinCodes::open(dir.path()).unwrap();
        assert_eq!(id(codes.judge(1_059, &code)), Some(kept.id.clone()));
        assert_eq!(codes.judge(1_060, &code), Judged::Expired);
        assert_eq!(codes.judge(1_000, "0123456789"), Judged::Wrong);
        assert!(codes.revoke(&kept.id).unwrap() && !codes.revoke(&kept.id).unwrap());
        assert_eq!(codes.judge(1_000, &code), Judged::Wrong);
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        assert_eq!(normal("k7qx2-m4a9t").as_deref(), Some("K7QX2M4A9T"));
        assert_eq!(normal("oil0123456").as_deref(), Some("0110123456"));
        for bad in ["", "K7QX2M4A9", "K7QX2M4A9TT", "K7QX2M4A9U", "K7QX2M4A9\u{e9}"] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }

    #[test]
    fn codes_are_bounded_and_void_ones_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let codes = JoinCodes::open(dir.path()).unwrap();
        *codes.kept() = (0..MAX_CODES as u64)
            .map(|n| KeptCode { id: n.to_string(), hash: n.to_string(), expires_at: 100 + n })
            .collect();
        assert_eq!(codes.make(99, 60).unwrap(), None);
        assert!(codes.make(110, 60).unwrap().is_some());
        assert_eq!(codes.list().len(), MAX_CODES);
        assert!(codes.make(110 + EPITAPH_S + 70, 60).unwrap().is_some());
        assert_eq!(codes.list().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("join.toml"), "version = 1\n[[code]]\nid").unwrap();
        let said = JoinCodes::open(dir.path()).unwrap_err().to_string();
        assert!(said.contains("join.toml") && said.contains("line"), "{said}");
    }
}
