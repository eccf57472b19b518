//! `mgpu fmt`: the program in its standard layout. Tokens, comments and line breaks stay; blanks and indentation are made
//! uniform, and a line that is too long is broken after a comma or an operator.

use super::ast::Ast;
use super::lines::split;
use super::scan::{Kind, Tok, scan};
use super::spacing::{Around, blank_between, is_unary};
use crate::diag::Sink;
use crate::source::FileId;

/// The widest line, where it can be broken.
const WIDTH: usize = 110;
/// One step of indentation.
const STEP: usize = 4;
/// How often the layout is repeated until it stays.
const ROUNDS: usize = 12;

/// Formats the text of a parsed file. A text that is not what `ast` was parsed from comes back as it is.
pub fn format(ast: &Ast, text: &str) -> String {
    let mut out = text.to_string();
    for _ in 0..ROUNDS {
        let Some(next) = round(ast.file, &out) else { return text.to_string() };
        if next == out {
            break;
        }
        out = next;
    }
    if same_program(ast.file, text, &out) { out } else { text.to_string() }
}

/// One line of output.
struct Line {
    indent: usize,
    code: String,
    comment: Option<String>,
    /// The column of the comment in the text it came from.
    column: usize,
}

/// A bracket that is open.
struct Open {
    /// The indentation of the line, or for a brace of the statement, that opened it.
    indent: usize,
}

/// One round of layout; `None` if the text does not scan.
fn round(file: FileId, text: &str) -> Option<String> {
    let mut sink = Sink::default();
    let toks = scan(file, 0, text, &mut sink);
    let mut report = Vec::new();
    let lines = split(file, 0, text, &toks, &mut report);
    if !sink.items.is_empty() || !report.is_empty() {
        return None;
    }
    let mut layout = Layout { text, out: Vec::new(), stack: Vec::new(), statement: 0, continues: false };
    let mut start = 0;
    for i in 0..=toks.len() {
        if i == toks.len() || toks[i].kind == Kind::Newline {
            layout.line(&toks[start..i]);
            if let Some(soft) = lines.soft.get(i)
                && toks[start..i].iter().any(Tok::is_code)
            {
                layout.continues = *soft;
            }
            start = i + 1;
        }
    }
    Some(assemble(layout.out))
}

struct Layout<'a> {
    text: &'a str,
    out: Vec<Line>,
    stack: Vec<(&'a str, Open)>,
    /// The indentation of the statement at hand.
    statement: usize,
    /// The statement at hand goes on with this line.
    continues: bool,
}

impl<'a> Layout<'a> {
    /// Lays out one line of the text.
    fn line(&mut self, toks: &[Tok]) {
        let comment = toks.last().filter(|t| !t.is_code());
        let code = if comment.is_some() { &toks[..toks.len() - 1] } else { toks };
        let indent = self.indent(code);
        let column = comment.map_or(0, |c| {
            let line = self.text[..c.start].rfind('\n').map_or(0, |n| n + 1);
            self.text[line..c.start].chars().count()
        });
        let comment = comment.map(|c| c.text(self.text).trim_end().to_string());
        if code.is_empty() {
            self.out.push(Line { indent, code: String::new(), comment, column });
            return;
        }
        let opened = self.stack.len();
        let pieces = self.pieces(code, indent);
        let parts = wrap(pieces, indent);
        let last = parts.len().saturating_sub(1);
        for (i, part) in parts.into_iter().enumerate() {
            let comment = if i == last { comment.clone() } else { None };
            let indent = if i == 0 || self.stack.len() > opened && i == last { indent } else { indent + STEP };
            self.out.push(Line { indent, code: part, comment, column });
        }
    }

    /// The indentation of a line, from what is open at its start.
    fn indent(&mut self, code: &[Tok]) -> usize {
        let first = code.first().map_or("", |t| t.text(self.text));
        let leading = code.iter().take_while(|t| t.kind == Kind::Close).count();
        let inner = self.stack.last().map_or("", |o| o.0);
        if let Some(outer) = leading.checked_sub(1).and_then(|n| self.stack.len().checked_sub(n + 1)) {
            let indent = self.stack[outer].1.indent;
            if self.stack[outer].0 == "{" {
                self.statement = indent;
            }
            return indent;
        }
        let base = self.stack.last().map_or(0, |o| o.1.indent + STEP);
        if matches!(inner, "(" | "[") {
            return base;
        }
        if self.continues {
            return if first == "else" { self.statement } else { self.statement + STEP };
        }
        self.statement = base;
        base
    }

    /// The line as pieces that a break may stand between, with the depth of each piece's end; brackets are followed.
    fn pieces(&mut self, code: &[Tok], indent: usize) -> Vec<(String, Option<usize>)> {
        let mut out = Vec::new();
        let mut piece = String::new();
        let mut range = false;
        // Left of the last `=` a break is a last resort.
        let equals = code.iter().rposition(|t| t.text(self.text) == "=").unwrap_or(0);
        for (i, t) in code.iter().enumerate() {
            let word = t.text(self.text);
            match t.kind {
                Kind::Open => {
                    let at = if word == "{" { self.statement.min(indent) } else { indent };
                    let word = if word == "{" { "{" } else { if word == "(" { "(" } else { "[" } };
                    self.stack.push((word, Open { indent: at }));
                }
                Kind::Close => {
                    self.stack.pop();
                }
                _ => {}
            }
            range = match word {
                "in" | "by" => true,
                ".." => true,
                "{" | "}" | "," | ";" | "for" | "=" => false,
                "]" => false,
                _ => range,
            };
            piece.push_str(word);
            let open = self.stack.last().map_or("", |o| o.0);
            if i + 1 < code.len() && blank_between(self.text, code, i, Around { open, as_written: range }) {
                piece.push(' ');
            }
            if i + 1 < code.len() && self.may_break(code, i) {
                let depth = self.stack.len() * 2 + usize::from(i < equals) * 50 + usize::from(word == "=") * 20;
                out.push((std::mem::take(&mut piece), Some(depth)));
            }
        }
        out.push((piece, None));
        out
    }

    /// Whether a line may end after token `i`.
    fn may_break(&self, code: &[Tok], i: usize) -> bool {
        let word = code[i].text(self.text);
        let after_value = i.checked_sub(1).is_some_and(|p| {
            matches!(code[p].kind, Kind::Word | Kind::Number | Kind::Close) && code[p].text(self.text) != "in"
        });
        match word {
            "," | "=" | "->" => true,
            "+" | "*" | "/" => after_value,
            "-" => after_value && !is_unary(self.text, code, i),
            "and" | "or" => true,
            _ => false,
        }
    }
}

/// Joins pieces to lines that fit; a break goes to the last place of the least depth.
fn wrap(pieces: Vec<(String, Option<usize>)>, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = pieces;
    let mut room = WIDTH.saturating_sub(indent);
    loop {
        let width = |p: &[(String, Option<usize>)]| p.iter().map(|p| p.0.chars().count()).sum::<usize>();
        if width(&rest) <= room {
            break;
        }
        let mut used = 0;
        let mut best: Option<(usize, usize)> = None;
        for (i, (piece, depth)) in rest.iter().enumerate() {
            used += piece.chars().count();
            let Some(depth) = *depth else { break };
            if used > room + 1 && best.is_some() {
                break;
            }
            if best.is_none_or(|b| depth <= b.1) {
                best = Some((i, depth));
            }
        }
        let Some((at, _)) = best else { break };
        let tail = rest.split_off(at + 1);
        lines.push(rest.iter().map(|p| p.0.as_str()).collect::<String>().trim_end().to_string());
        rest = tail;
        room = WIDTH.saturating_sub(indent + STEP);
    }
    lines.push(rest.iter().map(|p| p.0.as_str()).collect());
    lines
}

/// Lines to text: single empty lines, comments of neighbouring lines in one column.
fn assemble(lines: Vec<Line>) -> String {
    let mut out = String::new();
    let columns = comment_columns(&lines);
    let mut empty = true;
    let mut pending = false;
    for (line, column) in lines.iter().zip(columns) {
        if line.code.is_empty() && line.comment.is_none() {
            pending = !empty;
            continue;
        }
        let closes = line.code.starts_with(['}', ')', ']']);
        if pending && !closes {
            out.push('\n');
        }
        pending = false;
        out.extend(std::iter::repeat_n(' ', line.indent));
        out += &line.code;
        if let Some(c) = &line.comment {
            if !line.code.is_empty() {
                let width = line.indent + line.code.chars().count();
                out.extend(std::iter::repeat_n(' ', column.saturating_sub(width).max(1)));
            }
            out += c;
        }
        out.push('\n');
        empty = line.code.ends_with(['{', '(', '[']);
    }
    out
}

/// The column of each line's comment: one for all neighbouring lines with comments behind code.
fn comment_columns(lines: &[Line]) -> Vec<usize> {
    let mut columns = vec![0; lines.len()];
    let trails = |l: &Line| l.comment.is_some() && !l.code.is_empty();
    let mut i = 0;
    while i < lines.len() {
        let group = lines[i..].iter().take_while(|l| trails(l)).count();
        let lines = &lines[i..i + group];
        let needed = lines.iter().map(|l| l.indent + l.code.chars().count() + 2).max().unwrap_or(0);
        let written = lines.iter().map(|l| l.column).min().unwrap_or(0);
        columns[i..i + group].fill(needed.max(written));
        i += group.max(1);
    }
    columns
}

/// Whether two texts have the same tokens, comments and ends of statements.
fn same_program(file: FileId, a: &str, b: &str) -> bool {
    let skeleton = |text: &str| {
        let toks = scan(file, 0, text, &mut Sink::default());
        let lines = split(file, 0, text, &toks, &mut Vec::new());
        let mut out: Vec<String> = Vec::new();
        for (t, soft) in toks.iter().zip(&lines.soft) {
            let end = t.kind == Kind::Newline;
            let repeated = out.last().is_none_or(|l| l == "\n" || l == "{" || l == ";");
            if !(end && (*soft || repeated)) {
                out.push(t.text(text).trim_end_matches([' ', '\t', '\r']).to_string());
                if end {
                    out.pop();
                    out.push("\n".to_string());
                }
            }
        }
        while out.last().is_some_and(|l| l == "\n") {
            out.pop();
        }
        out
    };
    skeleton(a) == skeleton(b)
}
