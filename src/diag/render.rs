//! Diagnostics to text (through miette) and to JSON.

use std::fmt;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceSpan};
use serde_json::{Value, json};

use super::excerpt::Excerpt;
use super::{Diagnostic, Severity};
use crate::source::{FileId, SourceMap, Span};

/// The width that reports are wrapped to.
const WIDTH: usize = 100;

/// The report as text, with the source underlined.
pub fn render(d: &Diagnostic, map: &SourceMap, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false).with_context_lines(1);
    let mut out = String::new();
    match handler.render_report(&mut out, &Report::new(d, map)) {
        Ok(()) => out,
        Err(_) => plain(d, map),
    }
}

/// The report as one line a fact, should the drawing fail.
fn plain(d: &Diagnostic, map: &SourceMap) -> String {
    let mut out = format!("{} {}\n", d.code, d.message);
    for (span, text) in &d.labels {
        let (line, col) = map.line_col(*span);
        out += &format!("  {}:{line}:{col}: {text}\n", map.file(span.file).name);
    }
    if let Some(h) = &d.help {
        out += &format!("  help: {h}\n");
    }
    out
}

/// The report as JSON: `code`, `severity`, `message`, `labels` (file, line, column, start and end byte, text), `help`.
pub fn to_json(d: &Diagnostic, map: &SourceMap) -> Value {
    let labels: Vec<Value> = d.labels.iter().map(|(span, text)| label_json(*span, text, map)).collect();
    json!({
        "code": d.code,
        "severity": match d.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": d.message,
        "labels": labels,
        "help": d.help,
    })
}

fn label_json(span: Span, text: &str, map: &SourceMap) -> Value {
    let (line, column) = map.line_col(span);
    json!({
        "file": map.file(span.file).name,
        "line": line,
        "column": column,
        "start": span.start,
        "end": span.end,
        "text": text,
    })
}

/// What miette draws: the labels of one file, and a related note for each other file.
#[derive(Debug)]
struct Report {
    message: String,
    code: Option<&'static str>,
    severity: Option<miette::Severity>,
    help: Option<String>,
    source: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
    related: Vec<Report>,
}

impl Report {
    fn new(d: &Diagnostic, map: &SourceMap) -> Report {
        let severity = match d.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let mut files: Vec<FileId> = Vec::new();
        for (span, _) in &d.labels {
            if !files.contains(&span.file) {
                files.push(span.file);
            }
        }
        let mut report = Report {
            message: visible(&d.message),
            code: Some(d.code),
            severity: Some(severity),
            help: d.help.as_deref().map(visible),
            source: None,
            labels: Vec::new(),
            related: Vec::new(),
        };
        for (i, file) in files.iter().enumerate() {
            let (source, labels) = quote(*file, d, map, i == 0);
            if i == 0 {
                (report.source, report.labels) = (Some(source), labels);
            } else {
                report.related.push(Report {
                    message: "see also".to_string(),
                    code: None,
                    severity: Some(miette::Severity::Advice),
                    help: None,
                    source: Some(source),
                    labels,
                    related: Vec::new(),
                });
            }
        }
        report
    }
}

/// A file's text made visible, and its labels moved along.
fn quote(file: FileId, d: &Diagnostic, map: &SourceMap, first: bool) -> (Excerpt, Vec<LabeledSpan>) {
    let source = map.file(file);
    let spans: Vec<_> = d.labels.iter().filter(|l| l.0.file == file).collect();
    let places: Vec<(usize, usize)> = spans.iter().map(|(span, _)| on_text(&source.text, *span)).collect();
    // Only the lines around the labels are made visible: files may be long, and reports many.
    let (from, to) = lines_around(&source.text, &places);
    let first_line = source.text[..from].bytes().filter(|b| *b == b'\n').count();
    let text = &source.text[from..to];
    let moved = |at: usize| visible_len(text, at - from);
    let places: Vec<Range<usize>> = places.iter().map(|(start, end)| moved(*start)..moved(*end)).collect();
    let excerpt = Excerpt::new(visible(&source.name), visible(text), first_line, &places);
    let mut labels = Vec::new();
    for (i, ((_, label), place)) in spans.iter().zip(&places).enumerate() {
        let (from, to) = (excerpt.place(place.start), excerpt.place(place.end));
        let place = SourceSpan::new(from.into(), to.saturating_sub(from));
        let label = Some(visible(label));
        labels.push(if first && i == 0 {
            LabeledSpan::new_primary_with_span(label, place)
        } else {
            LabeledSpan::new_with_span(label, place)
        });
    }
    (excerpt, labels)
}

/// Bytes of a line that are looked at behind what is labelled in it. Much less is shown.
const FAR: usize = 4096;

/// Whole lines from two before the first place to two after the last, of which a very long one ends early.
fn lines_around(text: &str, places: &[(usize, usize)]) -> (usize, usize) {
    let low = places.iter().map(|p| p.0).min().unwrap_or(0);
    let high = places.iter().map(|p| p.1).max().unwrap_or(0);
    let before = text[..low].bytes().enumerate().rev().filter(|(_, b)| *b == b'\n');
    let after = text[high..].bytes().enumerate().filter(|(_, b)| *b == b'\n');
    let from = before.map(|(i, _)| i + 1).nth(2).unwrap_or(0);
    if !text.as_bytes()[high..].iter().take(FAR).any(|b| *b == b'\n') && text.len() - high > FAR {
        return (from, text.floor_char_boundary(high + FAR));
    }
    let to = after.map(|(i, _)| high + i + 1).nth(2).unwrap_or(text.len());
    (from, to)
}

/// A span that lies on text: within the file, between characters, and not on an empty last line.
fn on_text(text: &str, span: Span) -> (usize, usize) {
    let floor = |mut i: usize| {
        i = i.min(text.len());
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    let (start, end) = (floor(span.start as usize), floor(span.end.max(span.start) as usize));
    let last = text.trim_end().len();
    if start >= last && last > 0 {
        return (floor(last - 1), last);
    }
    (start, end)
}

/// The text with control characters replaced by their pictures, so that a quoted source cannot steer the terminal.
fn visible(text: &str) -> String {
    text.chars().map(picture).collect()
}

/// How long the first `end` bytes of a text are when made visible.
fn visible_len(text: &str, end: usize) -> usize {
    text.get(..end).unwrap_or(text).chars().map(|c| picture(c).len_utf8()).sum()
}

fn picture(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\r' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('�'),
        '\x7f'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => '�',
        c => c,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|c| Box::new(c) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.severity
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|r| r as &dyn miette::Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (SourceMap, Diagnostic) {
        let mut map = SourceMap::default();
        let a = map.add("heat.mgpu", "u[i, j] = u[i-1, j]\nx = \u{1b}[31m\n");
        let b = map.add("lib/flux.mgpu", "array u: f32[n]\n");
        let d = Diagnostic::error(
            "E0203",
            "index `i-1` reaches -1 when i = 0",
            Span::new(a, 10, 19),
            "reads past the edge",
        )
        .label(Span::new(b, 6, 7), "declared without an edge")
        .help("write `edge clamp`");
        (map, d)
    }

    #[test]
    fn two_files_are_both_shown() {
        let (map, d) = sample();
        let text = render(&d, &map, false);
        for part in [
            "E0203",
            "index `i-1` reaches",
            "[heat.mgpu:1:11]",
            "reads past the edge",
            "[lib/flux.mgpu:1:7]",
            "write `edge",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(render(&d, &map, true).contains('\u{1b}'));
    }

    #[test]
    fn labels_at_the_end_lie_on_text() {
        let (map, mut d) = sample();
        d.labels[0].0 = Span::new(FileId(1), 16, 16);
        d.labels.truncate(1);
        assert!(render(&d, &map, false).contains("[lib/flux.mgpu:1:15]"), "{}", render(&d, &map, false));
        d.labels.clear();
        assert!(render(&d, &map, false).contains("E0203"));
    }

    #[test]
    fn json_has_every_field() {
        let (map, d) = sample();
        let v = to_json(&d, &map);
        assert_eq!(v["code"], "E0203");
        assert_eq!(v["labels"][0]["line"], 1);
        assert_eq!(v["labels"][0]["column"], 11);
        assert_eq!(v["labels"][1]["file"], "lib/flux.mgpu");
        assert_eq!(v["help"], "write `edge clamp`");
    }
}
