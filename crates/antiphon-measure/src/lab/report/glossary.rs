//! The words of the page, a line each.

const WORDS: [(&str, &str); 17] = [
    ("arrival", "when a speaker\u{2019}s sound first reaches the microphone"),
    ("delay", "how much later one speaker is heard than another, at the place of the microphone"),
    ("\u{b1}", "the uncertainty: the truth lies within it in 95 of 100 cases"),
    (
        "\u{b5}s, ms",
        "a microsecond is a millionth of a second, a millisecond a thousandth; in 1 ms sound goes 34 cm",
    ),
    (
        "dB (decibel)",
        "ratio of loudness: 1 dB is just heard, 10 dB sounds twice as loud; dBFS counts from the recorder\u{2019}s loudest",
    ),
    ("grade", "good: act on it; usable: right, with a doubt; not trustworthy: do not act on it"),
    ("stereo pair", "less than 60 \u{b5}s apart: nine of ten listeners hear one stereo image"),
    ("same room", "less than 200 \u{b5}s apart: one sound, the image a little off"),
    ("fused", "less than 2 ms apart: one sound, from the side of the earlier speaker"),
    ("colouring", "2 to 20 ms apart: one sound, made hollow by comb filtering"),
    ("echo", "20 ms and more apart: two sounds"),
    (
        "comb, notch",
        "two speakers apart in time cancel at evenly spaced tones; each is a notch, all together a comb",
    ),
    ("polarity", "whether a speaker pushes when it should; one that pulls instead makes the bass vanish"),
    ("signal to noise", "how far the measure signal stands above everything else that was recorded"),
    ("direct sound", "what comes straight from the speaker, before the walls answer"),
    ("impulse response", "what a very short click would become on its way through speaker and room"),
    ("ppm", "parts per million: a clock that is 1 ppm fast gains 1 \u{b5}s in a second"),
];

pub(super) fn section() -> String {
    let entries: String =
        WORDS.iter().map(|(word, meaning)| format!("<div><dt>{word}</dt><dd>{meaning}</dd></div>")).collect();
    format!(
        "<section class=\"card\" id=\"words\"><h2>Words on this page</h2><dl class=\"words\">{entries}</dl></section>"
    )
}
