//! The page: verdict, what to do, reasons, pictures, numbers, words.

use super::figures::{self, Figure};
use super::svg::escape;
use super::words::{Tone, Verdict, findings, verdict};
use super::{ReportContext, glossary, palette, tables};
use crate::lab::measurement::{Grade, Measurement, Severity};

pub(super) fn html(m: &Measurement, context: &ReportContext) -> String {
    let verdict = verdict(m);
    let (reasons, next) = (findings_card(m), next_card(&verdict));
    // Who cannot trust the numbers wants to know why before anything else.
    let (second, third) = if m.grade == Grade::NotTrustworthy { (reasons, next) } else { (next, reasons) };
    let parts = [
        heading(context),
        first_card(m, &verdict),
        second,
        third,
        pictures(m),
        tables::recording(m),
        tables::speakers(m),
        tables::pairs(m),
        tables::notches(m),
        notes(context),
        glossary::section(),
    ];
    let title = escape(if context.title.is_empty() { "Measurement" } else { &context.title });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}: {}</title>\n<style>\n{}{}{STYLE}</style>\n\
         </head>\n<body>\n<main>\n{}\n</main>\n\
         <footer>Made by Antiphon from one recording. This page is complete in itself: it loads nothing.</footer>\n</body>\n</html>\n",
        verdict.word,
        palette::variables(),
        palette::picture_rules(),
        parts.join("\n")
    )
}

fn heading(context: &ReportContext) -> String {
    let title = escape(if context.title.is_empty() { "Measurement" } else { &context.title });
    let mut facts = context.facts.clone();
    if !context.when.is_empty() {
        facts.insert(0, ("when".to_owned(), context.when.clone()));
    }
    let rows: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value)))
        .collect();
    let list = if rows.is_empty() { String::new() } else { format!("<dl class=\"facts\">{rows}</dl>") };
    format!("<header><h1>{title}</h1>{list}</header>")
}

fn first_card(m: &Measurement, verdict: &Verdict) -> String {
    let sentences: String = verdict.sentences.iter().map(|s| format!("<p>{}</p>", escape(s))).collect();
    let scale = match figures::scale(m) {
        Some(figure) if m.grade != Grade::NotTrustworthy => picture(&figure),
        _ => String::new(),
    };
    format!(
        "<section class=\"verdict {tone}\" id=\"verdict\"><p class=\"word\">{sign} {word}</p><div class=\"said\">{sentences}\
         <p class=\"grade\">Measurement: <b>{grade}</b></p></div>{scale}</section>",
        tone = verdict.tone.class(),
        sign = sign(verdict.tone),
        word = verdict.word,
        grade = grade(m.grade),
    )
}

/// Beside colour and word, a third sign.
fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "<span aria-hidden=\"true\">\u{2713}</span>",
        Tone::Care => "<span aria-hidden=\"true\">!</span>",
        Tone::Bad => "<span aria-hidden=\"true\">\u{2715}</span>",
    }
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "good",
        Grade::Usable => "usable",
        Grade::NotTrustworthy => "not trustworthy",
    }
}

fn next_card(verdict: &Verdict) -> String {
    let steps: String = verdict.next.iter().map(|s| format!("<li>{}</li>", with_commands(s))).collect();
    format!("<section class=\"card\" id=\"next\"><h2>What to do next</h2><ol>{steps}</ol></section>")
}

/// A text in which every second stretch between backquotes is a command.
fn with_commands(text: &str) -> String {
    let whole = text.matches('`').count() / 2 * 2;
    let mut out = String::new();
    for (n, piece) in text.splitn(whole + 1, '`').enumerate() {
        let piece = escape(piece);
        if n % 2 == 1 {
            out.push_str(&format!("<code>{piece}</code>"));
        } else {
            out.push_str(&piece);
        }
    }
    out
}

fn findings_card(m: &Measurement) -> String {
    let kinds = [
        (Severity::Refusal, "Why it is not trustworthy", "bad"),
        (Severity::Doubt, "Doubts", "care"),
        (Severity::Note, "Worth knowing", "plain"),
    ];
    let list = |(severity, heading, class): (Severity, &str, &str)| {
        let items: String = findings(m, severity)
            .into_iter()
            .map(|text| format!("<li>{}</li>", with_commands(text)))
            .collect();
        let empty = items.is_empty();
        (!empty).then(|| format!("<h2>{heading}</h2><ul class=\"{class}\">{items}</ul>"))
    };
    let lists: String = kinds.into_iter().filter_map(list).collect();
    if lists.is_empty() {
        return "<section class=\"card\" id=\"findings\"><h2>Worth knowing</h2><p>Nothing out of the ordinary was noticed.</p></section>"
            .to_owned();
    }
    format!("<section class=\"card\" id=\"findings\">{lists}</section>")
}

fn pictures(m: &Measurement) -> String {
    let cards: String = figures::all(m)
        .iter()
        .map(|f| {
            format!(
                "<section class=\"card\" id=\"{}\"><h2>{}</h2>{}</section>",
                f.name,
                f.heading,
                picture(f)
            )
        })
        .collect();
    if cards.is_empty() {
        return "<section class=\"card\" id=\"pictures\"><h2>Pictures</h2><p>There is nothing to draw: no speaker was heard.</p></section>"
            .to_owned();
    }
    format!("<div class=\"grid\" id=\"pictures\">{cards}</div>")
}

fn picture(figure: &Figure) -> String {
    format!("<figure>{}<figcaption>{}</figcaption></figure>", figure.svg.inline(), escape(&figure.caption))
}

fn notes(context: &ReportContext) -> String {
    let paragraphs: String = context.notes.iter().map(|n| format!("<p>{}</p>", with_commands(n))).collect();
    if paragraphs.is_empty() {
        return String::new();
    }
    format!("<section class=\"card\" id=\"notes\"><h2>Notes</h2>{paragraphs}</section>")
}

const STYLE: &str = "\
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;overflow-wrap:anywhere}
main{max-width:1080px;margin:0 auto;padding:12px 10px}
header{padding:4px 6px 8px}
h1{font-size:1.35rem;line-height:1.25;margin:.3em 0}
h2{font-size:1.1rem;line-height:1.3;margin:0 0 .5em}
ul+h2{margin-top:1em}
p{margin:.4em 0}
.card,.verdict{background:var(--card);border:1px solid var(--rule);border-radius:14px;padding:14px;margin:0 0 12px}
.facts{margin:0;display:flex;flex-wrap:wrap;gap:2px 18px;color:var(--soft);font-size:.9rem}
.facts div{display:flex;gap:.4em}
.facts dd{margin:0;color:var(--ink)}
.verdict{border-width:2px}
.verdict.good{border-color:var(--good)}.verdict.care{border-color:var(--care)}.verdict.bad{border-color:var(--bad)}
.word{font-size:1.75rem;line-height:1.15;font-weight:750;margin:-14px -14px 12px;padding:14px;border-radius:11px 11px 0 0}
.word span{display:inline-block;min-width:1em}
.good .word{color:var(--good);background:var(--goodbg)}
.care .word{color:var(--care);background:var(--carebg)}
.bad .word{color:var(--bad);background:var(--badbg)}
.said{font-size:1.08rem}
.grade{font-size:.95rem;color:var(--soft)}
.grade b{color:var(--ink)}
ol,ul{margin:0;padding-left:1.3em}
li{margin:.35em 0}
ul.bad,ul.care,ul.plain{list-style:none;padding:0}
ul.bad li,ul.care li,ul.plain li{padding:.5em .7em;border-left:4px solid var(--rule);border-radius:4px}
ul.bad li{border-color:var(--bad);background:var(--badbg)}
ul.care li{border-color:var(--care);background:var(--carebg)}
code{font:.92em ui-monospace,'DejaVu Sans Mono',monospace;background:var(--page);border-radius:5px;padding:.1em .35em}
figure{margin:0 -8px}
figcaption{margin:0 8px}
svg{display:block;width:100%;height:auto;max-width:520px;margin:0 auto}
figcaption{color:var(--soft);font-size:.92rem;padding-top:.5em}
table{width:100%;border-collapse:collapse;font-size:.95rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35em .5em;border-bottom:1px solid var(--rule);vertical-align:top}
td{white-space:nowrap}
thead th{color:var(--soft);font-weight:600}
.list{margin:0}
.list div{display:flex;justify-content:space-between;gap:1em;border-bottom:1px solid var(--rule);padding:.3em 0}
.list div:last-child{border:0}
.list dt{color:var(--soft)}
.list dd{margin:0;text-align:right}
.note{color:var(--soft);font-size:.92rem}
dl.words{margin:0}
.words dt{font-weight:650;margin-top:.6em}
.words dd{margin:0;color:var(--soft)}
footer{color:var(--soft);font-size:.85rem;text-align:center;padding:4px 14px 22px}
@media(max-width:719px){
.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stack,.stack tbody{display:block}
.stack tr{display:block;border-bottom:1px solid var(--rule);padding:.5em 0}
.stack tr:last-child{border:0}
.stack th,.stack td{display:flex;justify-content:space-between;gap:1em;border:0;padding:.12em 0}
.stack td{text-align:right}
.stack td::before{content:attr(data-label);color:var(--soft);text-align:left;white-space:normal}
}
@media(min-width:720px){
main{padding:20px}
.grid{columns:2;column-gap:12px;margin-bottom:12px}
.grid .card{break-inside:avoid;margin-bottom:12px}
.list{columns:2;column-gap:32px}
.list div{break-inside:avoid}
.verdict{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:0 20px;padding:18px}
.verdict .word{grid-column:1/-1;margin:-18px -18px 14px;padding:16px 18px;font-size:2.3rem}
.card{padding:18px}
.words{columns:2;column-gap:32px}
.words div{break-inside:avoid}
}
@media print{body{background:none}.card,.verdict{break-inside:avoid}}
";
