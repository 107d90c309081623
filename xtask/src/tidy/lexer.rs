//! Tells code from comments and strings: enough of Rust's grammar for rules about lines.

/// A source file in two layers with the same line numbers.
pub struct Layers {
    /// Code alone: comments and the insides of literals are blanks.
    pub code: String,
    /// Comments alone: everything else is blanks.
    pub comments: String,
}

/// Splits `text`. Malformed code is no concern of this: the compiler has seen it.
pub fn split(text: &str) -> Layers {
    let chars: Vec<char> = text.chars().collect();
    let mut layers = Layers { code: String::new(), comments: String::new() };
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at..] {
            ['/', '/', ..] => line_end(&chars, at),
            ['/', '*', ..] => comment_end(&chars, at),
            ['"', ..] => string_end(&chars, at + 1),
            ['r', ..] if !follows_word(&chars, at) => raw_end(&chars, at + 1).unwrap_or(at),
            ['\'', ..] => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            layers.put(chars[at], true, chars[at] == '\n');
            at += 1;
            continue;
        }
        let is_comment = chars[at] == '/';
        for &c in &chars[at..end] {
            layers.put(c, false, is_comment);
        }
        at = end;
    }
    layers
}

impl Layers {
    fn put(&mut self, c: char, code: bool, comment: bool) {
        let blank = if c == '\n' { '\n' } else { ' ' };
        self.code.push(if code { c } else { blank });
        self.comments.push(if comment { c } else { blank });
    }
}

/// Whether the character at `at` continues a word, as in `for"`.
fn follows_word(chars: &[char], at: usize) -> bool {
    let word =
        |back: usize| at.checked_sub(back).map(|i| chars[i]).filter(|c| c.is_alphanumeric() || *c == '_');
    match (word(2), word(1)) {
        // The `b` of a byte string is no word of its own.
        (None, Some('b' | 'c')) => false,
        (_, before) => before.is_some(),
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |n| at + n)
}

fn comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

/// After the closing quote of a string whose inside begins at `at`.
fn string_end(chars: &[char], at: usize) -> usize {
    let mut i = at;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// After a raw string whose `r` stands before `at`; `None` where there is none.
fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    let inside = at + hashes + 1;
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let closes = |i: &usize| {
        chars[*i] == '"' && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    Some((inside..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes))
}

/// After a character literal; `at` itself for a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    match chars[at..] {
        ['\'', '\\', ..] => {
            chars[(at + 3).min(chars.len())..].iter().position(|&c| c == '\'').map_or(at, |n| at + n + 4)
        }
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanks_in_the_code() {
        let text = "let a = \"HashMap // no\"; // HashMap\n/* un\nsafe */ let b = r#\"x\" HashMap\"#;\n";
        let layers = split(text);
        assert!(!layers.code.contains("HashMap") && layers.code.contains("let b ="));
        assert!(layers.comments.contains("// HashMap") && !layers.comments.contains("no"));
        assert_eq!(layers.code.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_quotes_and_escapes_do_not_lead_astray() {
        let code =
            split("fn f<'a>(x: &'a str) -> char { if x == \"\\\"\" { '\"' } else { '\\'' } } // end").code;
        assert!(code.contains("fn f<'a>(x: &'a str)") && code.contains("else {") && !code.contains("end"));
        let code = split("let r = for_each(b\"unsafe\", br\"unsafe\", b'\\n');").code;
        assert!(!code.contains("unsafe") && code.contains("for_each("));
    }
}
