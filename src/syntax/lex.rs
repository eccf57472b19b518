//! Tokens for editors: what a text is made of, whether or not it parses.

use super::scan::{Kind, scan};
use crate::diag::Sink;
use crate::source::FileId;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Word,
    Number,
    Text,
    Operator,
    Open,
    Close,
    /// The end of a line, or `;`.
    End,
    Comment,
    Doc,
    Bad,
}

/// Bytes `start..end` of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

/// The tokens of a text, comments included, blanks not.
pub fn tokens(text: &str) -> Vec<Token> {
    let kind = |k| match k {
        Kind::Word => TokenKind::Word,
        Kind::Number => TokenKind::Number,
        Kind::Str => TokenKind::Text,
        Kind::Op => TokenKind::Operator,
        Kind::Open => TokenKind::Open,
        Kind::Close => TokenKind::Close,
        Kind::Newline | Kind::Semi => TokenKind::End,
        Kind::Comment => TokenKind::Comment,
        Kind::Doc => TokenKind::Doc,
        Kind::Bad => TokenKind::Bad,
    };
    let toks = scan(FileId(0), 0, text, &mut Sink::default());
    toks.into_iter().map(|t| Token { kind: kind(t.kind), start: t.start, end: t.end }).collect()
}
