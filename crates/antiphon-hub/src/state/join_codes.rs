//! Codes that let browsers in as speakers, in `join.toml`.
//!
//! A code is 50 random bits, so nobody finds one by trying; of it only a hash is kept. It outlives the hub's process,
//! so that the phones of a party come back by themselves.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::END;
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

/// The layout that this program writes. It also reads version 1, which had no end mark and knew no makers.
const VERSION: u32 = 2;

/// What is kept of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCode {
    /// Names it, 8 hex digits.
    pub id: String,
    hash: String,
    /// In seconds of the Unix era: a wall clock, for it holds over restarts.
    pub expires_at: u64,
    /// Who made it, by its place in the list of those let in; nobody: it was made on the hub's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
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
    /// Reads the codes kept in `dir`; of a file that is of no use there are none, for a hub plays without them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(dir: &Path) -> Result<Self, HubError> {
        let path = dir.join("join.toml");
        let without = "the hub knows no join codes; make new ones with `antiphon join`";
        let kept = files::load_or_begin(&path, without, parse)?.unwrap_or_default();
        Ok(Self { path, kept: Mutex::new(kept) })
    }

    /// A new code of `maker` that is good for `valid_s` seconds from `now_s`, and what is kept of it; `None` when
    /// [`MAX_CODES`] are in force.
    ///
    /// # Errors
    /// The file cannot be written, or there is no randomness; there is no new code then.
    pub fn make(
        &self,
        now_s: u64,
        valid_s: u64,
        maker: Option<String>,
    ) -> Result<Option<(String, KeptCode)>, HubError> {
        let code = digits_of(u64::from_le_bytes(random_bytes()?));
        let id = format!("{:08x}", u32::from_le_bytes(random_bytes()?));
        let new = KeptCode { id, hash: hash(&code), expires_at: now_s.saturating_add(valid_s), maker };
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

    /// Forgets every code of these makers; the codes' ids.
    ///
    /// # Errors
    /// The file cannot be written; the codes are as good as before then.
    pub fn revoke_of(&self, makers: &[String]) -> Result<Vec<String>, HubError> {
        let mut kept = self.kept();
        let is_theirs = |code: &KeptCode| code.maker.as_ref().is_some_and(|maker| makers.contains(maker));
        let (theirs, left): (Vec<_>, Vec<_>) = kept.iter().cloned().partition(is_theirs);
        if !theirs.is_empty() {
            self.write(&left)?;
            *kept = left;
        }
        Ok(theirs.into_iter().map(|code| code.id).collect())
    }

    /// What `from` has made is `to`'s: both are the same machine.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn hand_over(&self, from: &str, to: &str) -> Result<(), HubError> {
        let mut kept = self.kept();
        let mut changed = kept.clone();
        let theirs = changed.iter_mut().filter(|code| code.maker.as_deref() == Some(from));
        theirs.for_each(|code| code.maker = Some(to.to_owned()));
        if changed != *kept {
            self.write(&changed)?;
            *kept = changed;
        }
        Ok(())
    }

    fn write(&self, kept: &[KeptCode]) -> Result<(), HubError> {
        let text = Text { version: VERSION, code: kept.to_vec() };
        // Strings and numbers in tables: TOML has a form for each.
        let text = toml::to_string(&text).expect("join codes always have a text");
        files::keep(&self.path, format!("{text}\n{END}\n").as_bytes())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<KeptCode>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(text: &str) -> Result<Vec<KeptCode>, String> {
    let whole = text.trim_end().ends_with(END);
    let text: Text = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    if !(1..=VERSION).contains(&text.version) {
        return Err(format!("it is of version {}, and this program knows version {VERSION}", text.version));
    }
    if text.version > 1 && !whole {
        return Err("it is cut off".to_owned());
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
        let (code, kept) = JoinCodes::open(dir.path()).unwrap().make(1_000, 60, None).unwrap().unwrap();
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
            .map(|n| KeptCode { id: n.to_string(), hash: n.to_string(), expires_at: 100 + n, maker: None })
            .collect();
        assert_eq!(codes.make(99, 60, None).unwrap(), None);
        assert!(codes.make(110, 60, None).unwrap().is_some());
        assert_eq!(codes.list().len(), MAX_CODES);
        assert!(codes.make(110 + EPITAPH_S + 70, 60, None).unwrap().is_some());
        assert_eq!(codes.list().len(), 1);
    }

    #[test]
    fn what_somebody_made_goes_with_it_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let codes = JoinCodes::open(dir.path()).unwrap();
        let made = |maker: Option<&str>| codes.make(0, 60, maker.map(str::to_owned)).unwrap().unwrap().1.id;
        let [_, own, anna] = [made(Some("bob")), made(None), made(Some("anna"))];
        assert_eq!(codes.revoke_of(&["bob".to_owned(), "eve".to_owned()]).unwrap().len(), 1);
        codes.hand_over("anna", "anna again").unwrap();
        assert_eq!(codes.revoke_of(&["anna".to_owned()]).unwrap(), Vec::<String>::new());
        let codes = JoinCodes::open(dir.path()).unwrap();
        assert_eq!(
            codes.list().into_iter().map(|code| code.id).collect::<Vec<_>>(),
            [own.clone(), anna.clone()]
        );
        assert_eq!(codes.revoke_of(&["anna again".to_owned()]).unwrap(), [anna]);
    }

    #[test]
    fn a_file_cut_off_at_any_byte_is_replaced_by_its_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (code, _) = JoinCodes::open(dir.path()).unwrap().make(1_000, 60, None).unwrap().unwrap();
        let path = dir.path().join("join.toml");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let codes = JoinCodes::open(dir.path()).unwrap();
            assert!(id(codes.judge(1_000, &code)).is_some(), "cut at {cut}");
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn where_file_and_copy_are_damaged_there_are_no_codes_and_the_file_is_kept_aside() {
        for bad in ["", "version = 1\n[[code]]\nid", "\u{1}nonsense", "version = 2\n"] {
            let dir = tempfile::tempdir().unwrap();
            for name in ["join.toml", "join.toml.copy"] {
                std::fs::write(dir.path().join(name), bad).unwrap();
            }
            let codes = JoinCodes::open(dir.path()).unwrap();
            assert_eq!(codes.list(), []);
            assert_eq!(std::fs::read_to_string(dir.path().join("join.toml.damaged")).unwrap(), bad);
            assert!(codes.make(0, 60, None).unwrap().is_some());
            assert_eq!(JoinCodes::open(dir.path()).unwrap().list().len(), 1);
        }
    }

    #[test]
    fn a_file_of_before_end_marks_is_read() {
        let old = "version = 1\n\n[[code]]\nid = \"00\"\nhash = \"11\"\nexpires_at = 5\n";
        assert_eq!(parse(old).unwrap().len(), 1);
    }
}
