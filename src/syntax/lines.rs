//! Tokens to chunks, one a top-level declaration: pairs brackets, decides which newlines end a statement, and blanks
//! comments and all other newlines, so that byte offsets stay what they were.

use super::ast::AssignOp;
use super::scan::{Kind, Tok};
use crate::diag::Diagnostic;
use crate::source::{FileId, Span};

/// The deepest nesting of brackets.
pub(super) const MAX_NESTING: usize = 128;
/// The most branches of one `if … else if … else`: the tree of one is as deep.
const MAX_BRANCHES: usize = 128;

/// Words that only a declaration starts with, so that an open `{` before them was never closed.
const ITEM_WORDS: &[&str] = &["use", "param", "partition", "fn", "kernel", "workflow", "test"];
/// Words that only a statement starts with, so that an open `(` or `[` before them was never closed.
const STMT_WORDS: &[&str] = &["let", "var", "array", "while", "print", "break"];
/// Words that continue on the next line when a line ends in them.
const JOINING_WORDS: &[&str] = &["and", "or", "not", "div", "mod", "bitand", "bitor", "bitxor", "shl", "shr"];

/// A bracket that does not pair up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpaired {
    /// The opening token, by index.
    pub open: usize,
    /// Where its absence was noticed: the byte where something came that it cannot hold.
    pub noticed: usize,
    /// For a brace: an inner brace closed by a `}` with another indentation, likely the one that lacks its own.
    pub suspect: Option<usize>,
}

/// The tokens of one declaration.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Indices of the first token and the one past the last.
    pub toks: std::ops::Range<usize>,
    pub unpaired: Vec<Unpaired>,
    /// Closing brackets that close nothing, by index.
    pub strays: Vec<usize>,
    /// Nested too deep: the chunk is not parsed.
    pub fatal: bool,
}

/// A file in chunks.
pub(super) struct Lines {
    /// The text with comments and newlines inside statements blanked, of the same length.
    pub blanked: String,
    pub chunks: Vec<Chunk>,
    /// For each token: a newline that does not end a statement.
    pub soft: Vec<bool>,
}

struct Open {
    tok: usize,
    indent: usize,
}

/// Pairs brackets and cuts the file; errors go to `report`.
pub(super) fn split(file: FileId, base: usize, text: &str, toks: &[Tok], report: &mut Vec<Diagnostic>) -> Lines {
    let mut s = Splitter {
        text,
        toks,
        file,
        base,
        next: next_code(toks),
        stack: Vec::new(),
        for_line: (usize::MAX, false),
        soft: vec![false; toks.len()],
        chunks: Vec::new(),
        start: None,
        last: 0,
        unpaired: Vec::new(),
        strays: Vec::new(),
        fatal: false,
        chains: vec![],
        suspect: None,
        report,
    };
    s.walk();
    let (soft, chunks) = (s.soft, s.chunks);
    let mut bytes = text.as_bytes().to_vec();
    for (t, soft) in toks.iter().zip(&soft) {
        if *soft || matches!(t.kind, Kind::Comment | Kind::Doc) {
            bytes[t.start..t.end].fill(b' ');
        }
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes[..3].fill(b' ');
    }
    Lines { blanked: String::from_utf8_lossy(&bytes).into_owned(), chunks, soft }
}

/// For each token, the first token of code at or after it.
fn next_code(toks: &[Tok]) -> Vec<usize> {
    let mut next = vec![toks.len(); toks.len() + 1];
    for i in (0..toks.len()).rev() {
        next[i] = if toks[i].is_code() { i } else { next[i + 1] };
    }
    next
}

struct Splitter<'a> {
    text: &'a str,
    toks: &'a [Tok],
    file: FileId,
    base: usize,
    next: Vec<usize>,
    stack: Vec<Open>,
    /// The last `for` that began a line, and whether that line opens a brace.
    for_line: (usize, bool),
    soft: Vec<bool>,
    chunks: Vec<Chunk>,
    start: Option<usize>,
    last: usize,
    unpaired: Vec<Unpaired>,
    strays: Vec<usize>,
    fatal: bool,
    /// The chains of `else` that go on, by how many brackets are open around them, and their branches so far.
    chains: Vec<(usize, usize)>,
    suspect: Option<usize>,
    report: &'a mut Vec<Diagnostic>,
}

impl<'a> Splitter<'a> {
    fn word(&self, i: usize) -> &'a str {
        self.toks.get(i).map_or("", |t| t.text(self.text))
    }

    fn span(&self, i: usize) -> Span {
        let t = &self.toks[i];
        Span::new(self.file, self.base + t.start, self.base + t.end)
    }

    fn innermost(&self) -> &str {
        self.stack.last().map_or("", |o| self.word(o.tok))
    }

    fn walk(&mut self) {
        let mut line_start = true;
        let mut indent = 0;
        for i in 0..self.toks.len() {
            match self.toks[i].kind {
                Kind::Newline => {
                    self.newline(i);
                    line_start = true;
                    continue;
                }
                Kind::Comment | Kind::Doc => continue,
                Kind::Semi if self.stack.is_empty() => {
                    self.end_chunk();
                    continue;
                }
                _ => {}
            }
            if line_start {
                indent = self.toks[i].start - self.text[..self.toks[i].start].rfind('\n').map_or(0, |n| n + 1);
                self.resynchronise(i);
            }
            if self.start.is_none() {
                self.start = Some(i);
            }
            self.code(i, indent, line_start);
            self.last = i;
            line_start = false;
        }
        while let Some(open) = self.stack.pop() {
            self.unclosed(open.tok, self.text.len());
        }
        self.end_chunk();
    }

    /// One token of code; brackets are paired.
    fn code(&mut self, i: usize, indent: usize, line_start: bool) {
        match self.toks[i].kind {
            Kind::Open => {
                self.stack.push(Open { tok: i, indent });
                if self.stack.len() > MAX_NESTING && !self.fatal {
                    self.fatal = true;
                    let message = format!("brackets are nested more than {MAX_NESTING} deep");
                    let d = Diagnostic::error("E0110", message, self.span(i), "this one is too deep");
                    self.report.push(d.help("name parts of it with `let`"));
                }
            }
            Kind::Close => self.close(i, indent, line_start),
            _ => {}
        }
    }

    fn close(&mut self, i: usize, indent: usize, line_start: bool) {
        let open = match self.word(i) {
            ")" => "(",
            "]" => "[",
            _ => "{",
        };
        let Some(at) = self.stack.iter().rposition(|o| self.word(o.tok) == open) else {
            self.strays.push(i);
            let message = format!("this `{}` closes nothing", self.word(i));
            let d = Diagnostic::error("E0107", message, self.span(i), format!("no `{open}` is open here"));
            self.report.push(d);
            return;
        };
        while self.stack.len() > at + 1 {
            if let Some(o) = self.stack.pop() {
                self.unclosed(o.tok, self.toks[i].start);
            }
        }
        let closed = self.stack.pop();
        if open == "{" {
            self.branch(i);
        }
        let closed = closed.filter(|o| open == "{" && line_start && o.indent != indent);
        self.suspect = self.suspect.or(closed.map(|o| o.tok));
    }

    /// A block has ended: counts the branches of the chain that it may be one of.
    fn branch(&mut self, i: usize) {
        let depth = self.stack.len();
        self.chains.truncate(self.chains.partition_point(|c| c.0 <= depth));
        let otherwise = self.next[i + 1];
        let goes_on = self.word(otherwise) == "else";
        match self.chains.last_mut().filter(|c| c.0 == depth) {
            Some(chain) if goes_on => chain.1 += 1,
            Some(_) => drop(self.chains.pop()),
            None if goes_on => self.chains.push((depth, 1)),
            None => {}
        }
        if self.chains.last().is_some_and(|c| c.1 > MAX_BRANCHES) && !self.fatal {
            self.fatal = true;
            let message = format!("this `if` has more than {MAX_BRANCHES} branches");
            let d = Diagnostic::error("E0110", message, self.span(otherwise), "this one is too many");
            self.report.push(d.help("look values up in a table: `let w = [1.0, 2.0]`, then `w[i]`"));
        }
    }

    fn unclosed(&mut self, open: usize, noticed: usize) {
        let suspect = if self.word(open) == "{" { self.suspect.filter(|s| *s > open) } else { None };
        self.unpaired.push(Unpaired { open, noticed, suspect });
    }

    /// A line that starts with a word that brackets cannot hold closes them.
    fn resynchronise(&mut self, i: usize) {
        let after = self.next[i + 1];
        let named = self.toks.get(after).is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Str));
        if self.toks[i].kind != Kind::Word || self.stack.is_empty() {
            return;
        }
        let word = self.word(i);
        if named && ITEM_WORDS.contains(&word) {
            while let Some(o) = self.stack.pop() {
                self.unclosed(o.tok, self.toks[i].start);
            }
            self.end_chunk();
        } else if (named || word == "break") && STMT_WORDS.contains(&word) {
            while let Some(o) = self.stack.pop_if(|o| self.toks[o.tok].text(self.text) != "{") {
                self.unclosed(o.tok, self.toks[i].start);
            }
            if self.stack.is_empty() {
                self.end_chunk();
            }
        }
    }

    fn newline(&mut self, i: usize) {
        if self.start.is_none() {
            return;
        }
        if self.is_soft(i) {
            self.soft[i] = true;
            return;
        }
        if self.stack.is_empty() {
            self.end_chunk();
        }
    }

    /// Whether the newline `i` continues the statement.
    fn is_soft(&mut self, i: usize) -> bool {
        let next = self.next[i];
        let word = self.word(next);
        let line_word = self.toks.get(next).is_some_and(|t| t.kind == Kind::Word);
        let after = self.toks.get(self.next[(next + 1).min(self.toks.len())]);
        let named = line_word && after.is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Str));
        if matches!(self.innermost(), "(" | "[") {
            let resumes = named && (ITEM_WORDS.contains(&word) || STMT_WORDS.contains(&word));
            return !resumes;
        }
        let last = &self.toks[self.last];
        let joins = match last.kind {
            Kind::Op => !self.is_whole_dimension(),
            Kind::Word => JOINING_WORDS.contains(&last.text(self.text)),
            _ => false,
        };
        if joins {
            return word != "}" && !(named && (ITEM_WORDS.contains(&word) || STMT_WORDS.contains(&word)));
        }
        if word == "{" && self.stack.is_empty() {
            let line = self.span(self.last);
            let d = Diagnostic::error("E0106", "this `{` belongs to the line before", self.span(next), "begins a line");
            self.report.push(d.label(line, "write it after this"));
            return true;
        }
        match word {
            "->" => true,
            "else" => line_word,
            "otherwise" => !self
                .toks
                .get(next + 1)
                .map(|t| t.text(self.text))
                .is_some_and(|t| AssignOp::is(t) || matches!(t, "[" | "(" | ",")),
            "for" => {
                if self.for_line.0 != next {
                    self.for_line = (next, self.line_opens_brace(next));
                }
                !self.for_line.1
            }
            _ => false,
        }
    }

    /// Whether the last token is the `*` of `in *` or `= *`, which is a distribution, not an operator.
    fn is_whole_dimension(&self) -> bool {
        self.word(self.last) == "*" && self.last > 0 && matches!(self.word(self.last - 1), "in" | "=")
    }

    /// Whether a `{` stands on the line of token `i`, after it.
    fn line_opens_brace(&self, i: usize) -> bool {
        let line = self.toks[i..].iter().take_while(|t| t.kind != Kind::Newline);
        let mut line = line.filter(|t| t.kind == Kind::Open);
        line.any(|t| t.text(self.text) == "{")
    }

    fn end_chunk(&mut self) {
        if let Some(start) = self.start.take() {
            let unpaired = std::mem::take(&mut self.unpaired);
            let fatal = std::mem::take(&mut self.fatal);
            self.chains.clear();
            let strays = std::mem::take(&mut self.strays);
            self.chunks.push(Chunk { toks: start..self.last + 1, unpaired, strays, fatal });
        }
        self.suspect = None;
    }
}
