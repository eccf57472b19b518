//! Text to syntax tree: the file is cut into declarations, each is parsed by itself, and a faulty statement is cut out
//! so that the rest of its declaration is checked too.
//!
//! The codes of this stage:
//!
//! | code | what |
//! |---|---|
//! | E0101 | a character that means nothing |
//! | E0102 | another language's operator or comment |
//! | E0103 | a text without its end, or an unknown escape |
//! | E0104 | a bracket that is never closed |
//! | E0105 | a faulty number |
//! | E0106 | something else was expected |
//! | E0107 | a bracket that closes nothing |
//! | E0108 | comparisons that chain |
//! | E0109 | a number too large |
//! | E0110 | a limit: size, nesting, expressions |
//! | E0111 | a line at the top level that starts no declaration |
//! | E0112 | no such type |
//! | E0113 | a reserved word as a name |

use super::ast::{Ast, Comment, Ident, Item};
use super::build::Builder;
use super::explain::{Place, explain, stop_at};
use super::grammar::{Rule, run};
use super::lines::{Chunk, Lines, split};
use super::scan::{Kind, Tok, scan};
use crate::diag::{Diagnostic, MOST_ERRORS, Sink, did_you_mean};
use crate::source::{FileId, Span};

/// The largest source file.
const MAX_BYTES: usize = 1 << 20;
/// The most errors reported for one declaration.
const MAX_ERRORS: usize = 20;
/// Room for recursion: nesting is limited, so this is never used up.
const STACK: usize = 64 << 20;

/// Parses a file. Faulty declarations are left out of the tree and reported in `sink`; `None` if nothing could be read.
pub fn parse(file: FileId, text: &str, sink: &mut Sink) -> Option<Ast> {
    parse_as(file, text, false, sink)
}

/// [`parse`], but a declaration stays in the tree without its faulty statements, as far as it can be read: for editors.
pub fn parse_tolerant(file: FileId, text: &str, sink: &mut Sink) -> Option<Ast> {
    parse_as(file, text, true, sink)
}

fn parse_as(file: FileId, text: &str, keep: bool, sink: &mut Sink) -> Option<Ast> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} (1 MiB) are read", text.len());
        let d = Diagnostic::error("E0110", message, Span::new(file, 0, 0), "too large");
        sink.push(d.help("split the file, or read data with `load`"));
        return None;
    }
    let work = |sink: &mut Sink| Parser::new(file, text, keep, sink).file();
    std::thread::scope(|s| {
        let handle = std::thread::Builder::new().stack_size(STACK).spawn_scoped(s, || {
            let mut own = Sink::default();
            let ast = work(&mut own);
            (ast, own)
        });
        let (ast, own) = match handle.map(|h| h.join()) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => {
                sink.push(Diagnostic::bare("E0110", format!("no thread to parse on: {e}")));
                return None;
            }
        };
        own.items.into_iter().for_each(|d| sink.push(d));
        Some(ast)
    })
}

struct Parser<'a> {
    file: FileId,
    text: &'a str,
    toks: Vec<Tok>,
    lines: Lines,
    /// Errors of single tokens and of brackets, by place.
    early: Vec<Diagnostic>,
    /// Faulty declarations stay in the tree.
    keep: bool,
    sink: &'a mut Sink,
}

impl<'a> Parser<'a> {
    fn new(file: FileId, text: &'a str, keep: bool, sink: &'a mut Sink) -> Parser<'a> {
        let mut lexical = Sink::default();
        let toks = scan(file, 0, text, &mut lexical);
        let mut early = lexical.items;
        let lines = split(file, 0, text, &toks, &mut early);
        early.sort_by_key(start_of);
        early.truncate(MOST_ERRORS);
        Parser { file, text, toks, lines, early, keep, sink }
    }

    fn file(mut self) -> Ast {
        let chunks = std::mem::take(&mut self.lines.chunks);
        let mut own = Sink::default();
        let mut builder = Builder::new(self.file, self.text, &mut own);
        let (mut items, mut faulty) = (Vec::new(), Vec::new());
        let mut docs = Docs::new(self.text, &self.toks);
        for chunk in &chunks {
            let doc = docs.of(chunk);
            if let Some((kind, span)) = self.chunk(chunk, &mut builder) {
                items.push(Item { kind, doc, span });
            } else {
                faulty.extend(self.declared(chunk));
            }
            if builder.is_full() || builder.sink().is_full() {
                break;
            }
        }
        let exprs = builder.finish();
        let mut found = own.items;
        found.append(&mut self.early);
        found.sort_by_key(start_of);
        found.into_iter().for_each(|d| self.sink.push(d));
        let comments = comments(self.file, self.text, &self.toks, &docs.used);
        Ast { file: self.file, items, faulty, exprs, comments, doc: docs.head }
    }

    /// The names that a faulty declaration begins with: `array u, v …`.
    fn declared(&self, chunk: &Chunk) -> Vec<Ident> {
        let words: Vec<(&str, &Tok)> =
            self.toks.get(chunk.toks.clone()).unwrap_or(&[]).iter().map(|t| (t.text(self.text), t)).collect();
        let declares = ["param", "let", "partition", "array", "fn", "kernel", "workflow"];
        // Also one whose first word is nearly right.
        if !words.first().is_some_and(|w| declares.contains(&w.0) || did_you_mean(w.0, declares).is_some()) {
            return vec![];
        }
        let list =
            words[1..].chunks(2).take_while(|c| c[0].0.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
        let more = |c: &&[(&str, &Tok)]| c.get(1).is_some_and(|w| w.0 == ",");
        let count = list.clone().take_while(more).count() + 1;
        let ident = |c: &[(&str, &Tok)]| Ident {
            name: c[0].0.to_string(),
            span: Span::new(self.file, c[0].1.start, c[0].1.end),
        };
        list.take(count).map(ident).collect()
    }

    fn chunk(&self, chunk: &Chunk, builder: &mut Builder<'_>) -> Option<(super::ast::ItemKind, Span)> {
        if chunk.fatal {
            return None;
        }
        let toks = self.toks.get(chunk.toks.clone())?;
        let soft = self.lines.soft.get(chunk.toks.clone())?;
        let (start, end) = (toks.first()?.start, toks.last()?.end);
        let lone = chunk.unpaired.iter().map(|u| u.open).chain(chunk.strays.iter().copied());
        let mut lone: Vec<usize> = lone.map(|i| i - chunk.toks.start).collect();
        lone.sort_unstable();
        let place = Place { file: self.file, origin: 0, text: self.text, toks, soft, base: start, unpaired: lone };
        let mut bytes = self.lines.blanked.get(start..end)?.as_bytes().to_vec();
        let mut bad = !chunk.unpaired.is_empty() || !chunk.strays.is_empty();
        let mut errors = 0;
        for t in chunk.strays.iter().filter_map(|i| self.toks.get(*i)) {
            if let Some(b) = bytes.get_mut(t.start - start) {
                *b = b' ';
            }
        }
        let open_brace = chunk.unpaired.iter().any(|u| self.toks[u.open].text(self.text) == "{");
        for d in self.early.iter().filter(|d| d.code != "E0107" && (start..end).contains(&start_of(d))) {
            bad = true;
            if blank_statement(&place, start_of(d), &mut bytes).is_none() {
                errors = MAX_ERRORS;
            }
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let mut kept = None;
        let mut unpaired: Vec<_> = chunk.unpaired.iter().map(|u| Some(*u)).collect();
        while errors < MAX_ERRORS {
            let text = String::from_utf8_lossy(&bytes);
            let pairs = match run(Rule::one_item, &text) {
                Ok(pairs) => pairs,
                Err(e) => {
                    errors += 1;
                    bad = true;
                    let at = stop_at(&e, &place);
                    let d = explain(&e, &place);
                    self.take_unpaired(&d, at, end, &mut unpaired, builder);
                    if open_brace || blank_statement(&place, at, &mut bytes) != Some(true) {
                        break;
                    }
                    continue;
                }
            };
            let before = builder.exprs().len();
            builder.base = start;
            builder.bad = bad;
            let item = pairs.flat_map(|p| p.into_inner()).find(|p| p.as_rule() == Rule::item);
            let built = item.and_then(|p| builder.item(p));
            if !builder.bad {
                return built;
            }
            if self.keep {
                kept = built;
            } else {
                builder.truncate(before);
            }
            break;
        }
        for u in unpaired.into_iter().flatten() {
            builder.sink().push(self.never_closed(u.open, u.suspect));
        }
        kept
    }

    /// Reports a parse error together with the bracket whose absence caused it.
    fn take_unpaired(
        &self,
        d: &Diagnostic,
        at: usize,
        end: usize,
        unpaired: &mut [Option<super::lines::Unpaired>],
        builder: &mut Builder<'_>,
    ) {
        let cause = unpaired.iter_mut().find(|u| {
            u.is_some_and(|u| {
                let brace = self.toks[u.open].text(self.text) == "{";
                self.toks[u.open].start <= at && at <= if brace { end } else { u.noticed }
            })
        });
        match cause.and_then(Option::take) {
            Some(u) if self.toks[u.open].text(self.text) == "{" || !names_closer(d) => {
                let brace = self.toks[u.open].text(self.text) == "{";
                builder.error(self.never_closed(u.open, u.suspect));
                if brace && at < end {
                    builder.error(d.clone());
                }
            }
            Some(u) => {
                let open = &self.toks[u.open];
                let mut d = Diagnostic { code: "E0104", ..d.clone() };
                let span = Span::new(self.file, open.start, open.end);
                if d.labels.iter().all(|l| l.0 != span) {
                    d = d.label(span, format!("this `{}` is never closed", open.text(self.text)));
                }
                builder.error(d);
            }
            None => builder.error(d.clone()),
        }
    }

    fn never_closed(&self, open: usize, suspect: Option<usize>) -> Diagnostic {
        let t = &self.toks[open];
        let text = t.text(self.text);
        let message = format!("this `{text}` is never closed");
        let mut d = Diagnostic::error("E0104", message, Span::new(self.file, t.start, t.end), "opened here");
        if let Some(s) = suspect.map(|s| &self.toks[s]) {
            let label = "the `}` may be missing here: by its indentation the next one closes another";
            d = d.label(Span::new(self.file, s.start, s.end), label);
        }
        let close = match text {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        d.help(format!("write the `{close}` that belongs to it"))
    }
}

/// Whether a message asks for a closing bracket.
fn names_closer(d: &Diagnostic) -> bool {
    d.message.contains("`)`") || d.message.contains("`]`")
}

/// Where a diagnostic's first label starts.
fn start_of(d: &Diagnostic) -> usize {
    d.labels.first().map_or(0, |l| l.0.start as usize)
}

/// Blanks the statement around byte `at`, if it stands in a block, and says whether it was not blank before.
fn blank_statement(place: &Place<'_>, at: usize, bytes: &mut [u8]) -> Option<bool> {
    let (start, end) = statement_around(place, at)?;
    let part = bytes.get_mut(start - place.base..end - place.base)?;
    let busy = part.iter().any(|b| !b.is_ascii_whitespace());
    part.fill(b' ');
    Some(busy)
}

/// The bytes of the innermost statement around byte `at`; `None` in a declaration's head.
fn statement_around(place: &Place<'_>, at: usize) -> Option<(usize, usize)> {
    let toks = place.toks;
    let is_hard = |i: usize| toks[i].kind == Kind::Semi || toks[i].kind == Kind::Newline && !place.soft[i];
    let is_brace = |i: usize| toks[i].text(place.text) == "{";
    let mut k = toks.iter().position(|t| t.end > at).unwrap_or(toks.len() - 1);
    while k > 0 && (!toks[k].is_code() || is_hard(k) || toks[k].kind == Kind::Close && toks[k].text(place.text) == "}")
    {
        k -= 1;
    }
    let kind = |i: usize| if place.unpaired.binary_search(&i).is_ok() { Kind::Bad } else { toks[i].kind };
    let mut depth = 0usize;
    let start = (0..k).rev().find(|&i| match kind(i) {
        Kind::Close => {
            depth += 1;
            false
        }
        Kind::Open if depth == 0 => is_brace(i),
        Kind::Open => {
            depth -= 1;
            false
        }
        _ => depth == 0 && is_hard(i),
    })? + 1;
    let mut depth = 0usize;
    let end = (start..toks.len()).find(|&i| match kind(i) {
        Kind::Open => {
            depth += 1;
            false
        }
        Kind::Close if depth == 0 => true,
        Kind::Close => {
            depth -= 1;
            false
        }
        _ => depth == 0 && is_hard(i),
    })?;
    Some((toks[start].start, toks[end].start))
}

/// The documentation comments of a file, handed to the declarations they stand before or behind.
struct Docs<'a> {
    text: &'a str,
    toks: &'a [Tok],
    /// The first token not looked at.
    next: usize,
    head: Option<String>,
    /// Where the documentation comments that were handed out start.
    used: Vec<usize>,
}

impl<'a> Docs<'a> {
    fn new(text: &'a str, toks: &'a [Tok]) -> Docs<'a> {
        Docs { text, toks, next: 0, head: None, used: Vec::new() }
    }

    /// The documentation of a declaration.
    fn of(&mut self, chunk: &Chunk) -> Option<String> {
        let mut lines: Vec<String> = Vec::new();
        let (mut newlines, first) = (0, self.next == 0);
        for i in self.next..chunk.toks.start {
            match self.toks[i].kind {
                Kind::Newline => newlines += 1,
                Kind::Doc => {
                    if newlines > 1 {
                        self.end_head(first, &mut lines);
                    }
                    newlines = 0;
                    lines.push(self.line(i));
                }
                _ => {
                    if newlines > 1 {
                        self.end_head(first, &mut lines);
                    }
                    newlines = 0;
                }
            }
        }
        if newlines > 1 {
            self.end_head(first, &mut lines);
        }
        let end = chunk.toks.end;
        if self.toks.get(end).is_some_and(|t| t.kind == Kind::Doc) {
            lines.push(self.line(end));
        }
        self.next = end + usize::from(self.toks.get(end).is_some_and(|t| t.kind == Kind::Doc));
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Documentation at the head of the file, with an empty line after it, is the file's.
    fn end_head(&mut self, first: bool, lines: &mut Vec<String>) {
        if first && self.head.is_none() && !lines.is_empty() {
            self.head = Some(std::mem::take(lines).join("\n"));
        }
    }

    fn line(&mut self, i: usize) -> String {
        self.used.push(self.toks[i].start);
        let text = self.toks[i].text(self.text).trim_start_matches('/').trim_end();
        text.strip_prefix(' ').unwrap_or(text).to_string()
    }
}

/// The comments that document nothing.
fn comments(file: FileId, text: &str, toks: &[Tok], docs: &[usize]) -> Vec<Comment> {
    let mut out = Vec::new();
    for (i, t) in toks.iter().enumerate() {
        let doc = t.kind == Kind::Doc && docs.binary_search(&t.start).is_ok();
        if doc || !matches!(t.kind, Kind::Comment | Kind::Doc) {
            continue;
        }
        let body = t.text(text).get(2..).unwrap_or("").trim_end().to_string();
        let own_line = i == 0 || toks[i - 1].kind == Kind::Newline;
        out.push(Comment { span: Span::new(file, t.start, t.end), text: body, own_line });
    }
    out
}
