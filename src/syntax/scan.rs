//! Text to tokens, comments and newlines among them, in one pass. Characters that no token starts with are reported here.

use crate::diag::{Diagnostic, Sink};
use crate::source::{FileId, Span};

/// What a token is, as far as lines, brackets and layout need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Str,
    Op,
    Open,
    Close,
    Newline,
    Semi,
    /// `//` to the end of its line.
    Comment,
    /// `///` to the end of its line.
    Doc,
    /// Reported already.
    Bad,
}

/// A token: bytes `start..end` of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tok {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Tok {
    /// The token's text.
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }

    /// Neither a comment nor a newline.
    pub fn is_code(&self) -> bool {
        !matches!(self.kind, Kind::Newline | Kind::Comment | Kind::Doc)
    }
}

/// What other languages write, and what is written here instead: text, message, help.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("..=", "`..=` is not a range here", "a range leaves its end out: write `a..b+1`"),
    ("...", "`...` is not a range here", "write `a..b`, which leaves `b` out"),
    ("===", "`===` is not an operator here", "write `==`"),
    ("!==", "`!==` is not an operator here", "write `!=`"),
    ("&&", "`&&` is not an operator here", "write `and`"),
    ("||", "`||` is not an operator here", "write `or`"),
    ("**", "`**` is not an operator here", "write `^` for a power"),
    ("@", "`@` is not an operator here", "a product of matrices is `c[i, j] = sum[k] a[i, k] * b[k, j]`"),
    ("<<", "`<<` is not an operator here", "write `shl`"),
    (">>", "`>>` is not an operator here", "write `shr`"),
    ("<>", "`<>` is not an operator here", "write `!=`"),
    ("=>", "`=>` is not an operator here", "write `>=` to compare, `->` before a result"),
    (":=", "`:=` is not an operator here", "write `=`; `let name = …` makes a new name"),
    ("%=", "`%=` is not an operator here", "write `x = x mod y`"),
    ("^=", "`^=` is not an operator here", "write `x = x ^ y`"),
    ("++", "`++` is not an operator here", "write `+= 1`"),
    ("::", "`::` is not an operator here", "write `.` between a library's names"),
    ("%", "`%` is not an operator here", "write `mod`"),
    ("!", "`!` is not an operator here", "write `not`"),
    ("&", "`&` is not an operator here", "write `bitand`, or `and` for conditions"),
    ("|", "`|` is not an operator here", "write `bitor`, or `or` for conditions"),
    ("~", "`~` is not an operator here", "write `x bitxor -1`"),
    ("?", "`?` is not an operator here", "write `if c { a } else { b }`"),
    ("#", "`#` starts nothing here", "a comment starts with `//`"),
];

/// Operators and punctuation, longest first.
const OPS: &[&str] = &[
    "->", "..", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "+", "-", "*", "/", "^", "=", "<", ">", ",", ":", ".",
];

/// Words before a name that gets a value.
const DECLARES: &[&str] = &["let", "var", "param", "partition"];

/// Splits `text`, which starts at byte `base` of `file`, into tokens (offsets count from the start of `text`).
pub(super) fn scan(file: FileId, base: usize, text: &str, sink: &mut Sink) -> Vec<Tok> {
    let mut s = Scanner { file, base, text, at: 0, toks: Vec::new(), sink };
    while s.at < text.len() {
        s.token();
    }
    s.toks
}

struct Scanner<'a> {
    file: FileId,
    base: usize,
    text: &'a str,
    at: usize,
    toks: Vec<Tok>,
    sink: &'a mut Sink,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The length of the longest prefix of the rest, from `skip` on, whose bytes satisfy `f`.
    fn run(&self, skip: usize, f: impl Fn(u8) -> bool) -> usize {
        let rest = self.rest();
        skip + rest.get(skip..).map_or(0, |r| r.iter().take_while(|b| f(**b)).count())
    }

    fn push(&mut self, kind: Kind, len: usize) {
        let end = (self.at + len.max(1)).min(self.text.len());
        self.toks.push(Tok { kind, start: self.at, end });
        self.at = end;
    }

    fn report(&mut self, code: &'static str, len: usize, message: String, label: &str, help: &str) {
        let span = Span::new(self.file, self.base + self.at, self.base + self.at + len);
        let mut d = Diagnostic::error(code, message, span, label);
        if !help.is_empty() {
            d = d.help(help);
        }
        self.sink.push(d);
    }

    fn token(&mut self) {
        let rest = self.rest();
        let Some(&first) = rest.first() else { return };
        match first {
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'\n' => self.push(Kind::Newline, 1),
            b';' => self.push(Kind::Semi, 1),
            b'(' | b'[' | b'{' => self.push(Kind::Open, 1),
            b')' | b']' | b'}' => self.push(Kind::Close, 1),
            b'"' => self.string(),
            b'/' if rest.starts_with(b"//") => {
                let doc = rest.starts_with(b"///") && !rest.starts_with(b"////");
                let len = self.run(0, |b| b != b'\n');
                self.push(if doc { Kind::Doc } else { Kind::Comment }, len);
            }
            b'/' if rest.starts_with(b"/*") => self.block_comment(),
            b'\'' | b'`' => {
                let quoted = self.run(1, |b| b != first && b != b'\n' && b != b'}');
                let len = if rest.get(quoted) == Some(&first) { quoted + 1 } else { 1 };
                let help = "text stands in double quotes: `\"text\"`";
                self.report("E0102", len, "text in these quotes does not exist here".into(), "unknown here", help);
                self.push(Kind::Bad, len);
            }
            b'0'..=b'9' => self.number(),
            b'm' if self.compares_and_assigns() => self.push(Kind::Op, 4),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len = self.run(1, is_word);
                self.push(Kind::Word, len);
            }
            _ => self.operator(),
        }
    }

    /// Whether `min=` or `max=` comes here, and not a name before its `=`: what it changes stands in front.
    fn compares_and_assigns(&self) -> bool {
        let rest = &self.text[self.at..];
        let written = (rest.starts_with("min=") || rest.starts_with("max=")) && !rest[4..].starts_with('=');
        let changed = |t: &Tok| match t.kind {
            Kind::Close => true,
            Kind::Word => !DECLARES.contains(&&self.text[t.start..t.end]),
            _ => false,
        };
        written && self.toks.last().is_some_and(changed)
    }

    fn operator(&mut self) {
        let rest: &'a str = &self.text[self.at..];
        let ne = rest.starts_with("!=") && !rest.starts_with("!==");
        if !ne && let Some((t, message, help)) = FOREIGN.iter().find(|(t, ..)| rest.starts_with(t)) {
            self.report("E0102", t.len(), (*message).to_string(), "unknown here", help);
            return self.push(Kind::Bad, t.len());
        }
        if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
            let number = *op == "." && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
            if number && self.toks.last().is_none_or(|t| t.end != self.at) {
                self.report(
                    "E0105",
                    1,
                    "a number cannot start with a point".into(),
                    "write `0.` here",
                    "write `0.5`, not `.5`",
                );
                let len = self.run(1, is_word);
                return self.push(Kind::Bad, len);
            }
            return self.push(Kind::Op, op.len());
        }
        let c = rest.chars().next().unwrap_or(' ');
        let len = c.len_utf8();
        let (message, help) = if c.is_alphabetic() {
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(40).collect();
            (format!("`{word}` is not a name"), "names are made of the letters a-z and A-Z, digits and `_`")
        } else if c.is_control() || c.is_whitespace() || c == '\u{feff}' {
            if self.at == 0 && c == '\u{feff}' {
                self.at += len;
                return;
            }
            (format!("the character U+{:04X} means nothing here", c as u32), "delete it, or write a blank")
        } else {
            let help = match c {
                '“' | '”' | '„' => "text stands in straight double quotes: `\"text\"`",
                '−' | '–' | '—' => "write the ASCII minus `-`",
                '×' | '·' => "write `*`",
                '÷' => "write `/`",
                '≤' => "write `<=`",
                '≥' => "write `>=`",
                '≠' => "write `!=`",
                '→' => "write `->`",
                '…' => "write `..` for a range",
                _ => "",
            };
            (format!("`{c}` means nothing here"), help)
        };
        let run = rest.chars().take_while(|c| c.is_alphabetic() && !c.is_ascii()).map(char::len_utf8).sum::<usize>();
        self.report("E0101", len.max(run), message, "no token starts like this", help);
        self.push(Kind::Bad, len.max(run));
    }

    /// A number, and the letters that may be stuck to it.
    fn number(&mut self) {
        let rest = self.rest();
        let digit = |b: u8| b.is_ascii_digit() || b == b'_';
        let mut len = if rest.starts_with(b"0x") || rest.starts_with(b"0X") {
            self.run(2, |b| b.is_ascii_hexdigit() || b == b'_')
        } else {
            self.run(1, digit)
        };
        let hex = len > 1 && matches!(rest.get(1), Some(b'x' | b'X'));
        if !hex && rest.get(len) == Some(&b'.') && rest.get(len + 1).is_some_and(u8::is_ascii_digit) {
            len = self.run(len + 1, digit);
        }
        let point = !hex && rest.get(len) == Some(&b'.') && rest.get(len + 1) != Some(&b'.');
        if !hex && matches!(rest.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
            let end = self.run(len + 1 + sign, |b| b.is_ascii_digit());
            if end > len + 1 + sign {
                len = end;
            }
        }
        let end = self.run(len, is_word);
        let shown = |n: usize| String::from_utf8_lossy(&rest[..n.min(60)]).into_owned();
        if end > len || rest.starts_with(b"0X") || rest[..len].eq_ignore_ascii_case(b"0x") {
            let number = shown(end);
            let tail = String::from_utf8_lossy(&rest[len..end.min(len + 60)]).into_owned();
            let help = match tail.to_ascii_lowercase().as_str() {
                "f" | "f32" | "f64" | "u" | "l" | "ul" | "i32" | "i64" | "u32" | "u64" => {
                    "a literal takes the type around it; write `f32(…)` where nothing decides".to_string()
                }
                "i" | "j" if !hex => self.imaginary(&shown(len), &tail),
                _ if hex || rest.starts_with(b"0X") => "hexadecimal digits follow a small `0x`: `0xff`".to_string(),
                _ => format!("write `{} * {tail}` for a product; a name starts with a letter", shown(len)),
            };
            self.report("E0105", end, format!("`{number}` is not a number"), "a number ends before a letter", &help);
            return self.push(Kind::Bad, end);
        }
        if point {
            let help = format!("write `{}.0`", shown(len));
            self.report(
                "E0105",
                len + 1,
                "a number cannot end with a point".into(),
                "digits must follow the point",
                &help,
            );
            return self.push(Kind::Bad, len + 1);
        }
        self.push(Kind::Number, len);
    }

    /// `1 + 2j`, which may be a product.
    fn imaginary(&self, number: &str, letter: &str) -> String {
        let text = |t: &Tok| &self.text[t.start..t.end];
        let whole = match self.toks.last_chunk::<2>() {
            Some([a, sign]) if a.kind == Kind::Number && matches!(text(sign), "+" | "-") => {
                let minus = if text(sign) == "-" { "-" } else { "" };
                format!("complex({}, {minus}{number})", text(a))
            }
            _ => format!("complex(0, {number})"),
        };
        format!("write `{whole}` for a complex number, `{number} * {letter}` for a product")
    }

    /// A string; it ends on its line.
    fn string(&mut self) {
        let bytes = self.rest();
        let mut i = 1;
        while let Some(&b) = bytes.get(i) {
            match b {
                b'"' => return self.push(Kind::Str, i + 1),
                b'\\' if bytes.get(i + 1).is_some_and(|b| *b != b'\n') => i += 2,
                b'\n' => break,
                _ => i += 1,
            }
        }
        let len = self.text[self.at..self.at + i].trim_end().len();
        self.report(
            "E0103",
            1,
            "this text has no closing `\"`".into(),
            "opened here",
            "text ends on the line where it starts",
        );
        self.push(Kind::Bad, len);
    }

    /// `/* … */`, which this language does not have.
    fn block_comment(&mut self) {
        let len = self.text[self.at..].find("*/").map_or(2, |i| i + 2);
        let help = "begin each line of a comment with `//`";
        self.report("E0102", 2, "comments between `/*` and `*/` do not exist here".into(), "not a comment", help);
        self.push(Kind::Bad, len);
    }
}

/// Whether a byte may continue a word.
pub(super) fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
