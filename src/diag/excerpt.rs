//! Quoted text whose very long lines are cut to what surrounds their labels.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use std::ops::Range;

/// Lines up to this many bytes stay whole.
const LONG: usize = 400;
/// Bytes that stay on both sides of a label in a longer one.
const AROUND: usize = 60;

/// A text as it is quoted.
#[derive(Debug)]
pub struct Excerpt {
    name: String,
    text: String,
    /// Lines of the file before the text.
    before: usize,
    /// Nothing where all lines are whole.
    lines: Vec<Line>,
}

/// What stays of a line: where it began, the bytes kept, and where these are in the excerpt.
#[derive(Debug)]
struct Line {
    start: usize,
    kept: Range<usize>,
    at: usize,
}

impl Excerpt {
    /// Cuts a text, which so many lines precede in its file, around labels.
    pub fn new(name: String, text: String, before: usize, labels: &[Range<usize>]) -> Excerpt {
        if text.split('\n').all(|l| l.len() <= LONG) {
            return Excerpt { name, text, before, lines: vec![] };
        }
        let (mut out, mut lines, mut start) = (String::new(), vec![], 0);
        for line in text.split('\n') {
            let kept = keep(&text, start..start + line.len(), labels);
            if kept.start > start {
                out.push('…');
            }
            lines.push(Line { start, kept: kept.clone(), at: out.len() });
            out.push_str(&text[kept.clone()]);
            if kept.end < start + line.len() {
                out.push('…');
            }
            out.push('\n');
            start += line.len() + 1;
        }
        Excerpt { name, text: out, before, lines }
    }

    /// Where an offset of the whole text is in the excerpt; the nearest place that stays.
    pub fn place(&self, offset: usize) -> usize {
        let k = self.lines.partition_point(|l| l.start <= offset);
        match k.checked_sub(1).map(|k| &self.lines[k]) {
            Some(l) => l.at + offset.clamp(l.kept.start, l.kept.end) - l.kept.start,
            None => offset,
        }
    }

    /// How many bytes of the line are missing before an offset of the excerpt.
    fn missing(&self, place: usize) -> usize {
        let k = self.lines.partition_point(|l| l.at <= place);
        k.checked_sub(1).map(|k| &self.lines[k]).map_or(0, |l| (l.kept.start - l.start).saturating_sub('…'.len_utf8()))
    }
}

/// The part of a line that is quoted: all of it, or what is around the first label in it.
fn keep(text: &str, line: Range<usize>, labels: &[Range<usize>]) -> Range<usize> {
    if line.len() <= LONG {
        return line;
    }
    let inside = |l: &&Range<usize>| l.start <= line.end && l.end >= line.start;
    let label = labels.iter().find(inside).cloned().unwrap_or(line.start..line.start);
    let first = label.start.clamp(line.start, line.end);
    let last = label.end.clamp(first, line.end.min(first + LONG - 2 * AROUND));
    let floor = |mut i: usize| {
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    floor(first.saturating_sub(AROUND).max(line.start))..floor((last + AROUND).min(line.end))
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let c = self.text.read_span(span, before, after)?;
        // The column that the report names is that of the whole line; lines count from the start of the file.
        let column = c.column() + if before == 0 { self.missing(span.offset()) } else { 0 };
        let (name, place, line) = (self.name.clone(), *c.span(), self.before + c.line());
        Ok(Box::new(MietteSpanContents::new_named(name, c.data(), place, line, column, self.before + c.line_count())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: String, label: Range<usize>) -> Excerpt {
        Excerpt::new("a".into(), text, 0, &[label])
    }

    #[test]
    fn short_lines_stay() {
        let e = cut("one\ntwo".into(), 4..7);
        assert_eq!((e.text.as_str(), e.place(5)), ("one\ntwo", 5));
    }

    #[test]
    fn a_long_line_is_cut_around_its_label() {
        let text = format!("first\n{}HERE{}\nlast", "é".repeat(1000), "y".repeat(5000));
        let at = 6 + 2000;
        let e = cut(text.clone(), at..at + 4);
        let want = format!("first\n…{}HERE{}…\nlast\n", "é".repeat(30), "y".repeat(60));
        assert_eq!(e.text, want);
        assert_eq!(&e.text[e.place(at)..e.place(at + 4)], "HERE");
        assert_eq!(&e.text[e.place(text.len() - 4)..][..4], "last");
        let c = e.read_span(&(e.place(at), 4).into(), 0, 0).unwrap();
        assert_eq!((c.line(), c.column()), (1, 2000));
        // A label that is itself long, and a line without one.
        let e = cut("x".repeat(10_000), 0..10_000);
        assert_eq!(e.text.len(), LONG - 2 * AROUND + AROUND + 3 + 1);
        let e = cut(format!("{}\nb", "x".repeat(10_000)), 10_001..10_002);
        assert_eq!(e.text, format!("{}…\nb\n", "x".repeat(AROUND)));
    }
}
