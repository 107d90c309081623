//! What is tried again and again fails again and again: each reason is said once, until there is another.

/// The reason that was last said.
#[derive(Debug, Default)]
pub struct Changes(Option<String>);

impl Changes {
    /// `reason`, if it is another one than the last.
    pub fn changed(&mut self, reason: String) -> Option<&str> {
        if self.0.as_ref() == Some(&reason) {
            return None;
        }
        Some(self.0.insert(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_once_until_there_is_another() {
        let mut changes = Changes::default();
        let said: Vec<bool> =
            ["a", "a", "b", "b", "a"].iter().map(|why| changes.changed((*why).into()).is_some()).collect();
        assert_eq!(said, [true, false, true, false, true]);
    }
}
