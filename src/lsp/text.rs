//! Places in a text as the protocol counts them: lines from 0, columns in UTF-16 units.

use crate::source::Span;
use lsp_types::{Position, Range};

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines {
    starts: Vec<usize>,
    length: usize,
}

impl Lines {
    pub fn new(text: &str) -> Lines {
        let breaks = text.bytes().enumerate().filter(|b| b.1 == b'\n').map(|b| b.0 + 1);
        Lines { starts: std::iter::once(0).chain(breaks).collect(), length: text.len() }
    }

    /// The line (from 0) that holds a byte.
    pub fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|s| *s <= byte).saturating_sub(1)
    }

    /// The bytes of a line, its newline left out.
    pub fn bytes_of(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.starts.get(line).copied().unwrap_or(self.length);
        let end = self.starts.get(line + 1).map_or(self.length, |e| e - 1);
        start..end.max(start)
    }

    /// The protocol's place of a byte; inside a character, that of its start.
    pub fn position(&self, text: &str, byte: usize) -> Position {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.line_of(byte);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let column = text.get(start..byte).map_or(0, |t| t.encode_utf16().count());
        Position::new(line as u32, column as u32)
    }

    /// The byte at a place; past the end of a line, its end.
    pub fn byte(&self, text: &str, at: Position) -> usize {
        let line = self.bytes_of(at.line as usize);
        let Some(t) = text.get(line.clone()) else { return text.len() };
        let mut left = at.character as usize;
        for (i, c) in t.char_indices() {
            if left < c.len_utf16() {
                return line.start + i;
            }
            left -= c.len_utf16();
        }
        line.end
    }

    /// The range of bytes `start..end`.
    pub fn range(&self, text: &str, start: usize, end: usize) -> Range {
        Range::new(self.position(text, start), self.position(text, end.max(start)))
    }

    /// The range of a span of this text.
    pub fn range_of(&self, text: &str, span: Span) -> Range {
        self.range(text, span.start as usize, span.end as usize)
    }
}

/// The word (name or keyword) that holds a byte or ends at it.
pub fn word_at(text: &str, byte: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let is_word = |i: usize| bytes.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut start = byte.min(bytes.len());
    while start > 0 && is_word(start - 1) {
        start -= 1;
    }
    let mut end = byte.min(bytes.len());
    while is_word(end) {
        end += 1;
    }
    (end > start).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units() {
        let text = "a\n// 𝛼é x\r\nend";
        let lines = Lines::new(text);
        let x = text.find('x').unwrap_or(0);
        assert_eq!(lines.position(text, x), Position::new(1, 7));
        assert_eq!(lines.byte(text, Position::new(1, 7)), x);
        // Between the halves of a surrogate pair: the character's start.
        assert_eq!(lines.byte(text, Position::new(1, 4)), text.find('𝛼').unwrap_or(0));
        assert_eq!(lines.position(text, text.len() + 9), Position::new(2, 3));
        assert_eq!(lines.byte(text, Position::new(9, 9)), text.len());
        assert_eq!(lines.byte(text, Position::new(0, 99)), 1);
    }

    #[test]
    fn every_byte_goes_there_and_back() {
        let text = "fn é(x: f32)\n\n𝛼𝛽\n";
        let lines = Lines::new(text);
        for (i, _) in text.char_indices() {
            assert_eq!(lines.byte(text, lines.position(text, i)), i);
        }
    }

    #[test]
    fn words_are_found_from_both_ends() {
        assert_eq!(word_at("sum[i]", 0), Some((0, 3)));
        assert_eq!(word_at("sum[i]", 3), Some((0, 3)));
        assert_eq!(word_at("a + b", 2), None);
    }
}
