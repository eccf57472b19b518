//! The parser that pest derives from `grammar/mgpu.pest`, with a limit on the work that one input may cause.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use pest::Parser;
use pest::error::Error;
use pest::iterators::Pairs;

/// The text of the grammar, for tools that list its words.
pub const GRAMMAR: &str = include_str!("../../grammar/mgpu.pest");

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mgpu.pest"]
struct Grammar;

/// The largest call limit asked for so far: pest keeps one for the process, so it is only ever raised.
static LIMIT: AtomicUsize = AtomicUsize::new(5_000_000);

/// Runs one rule over all of `text`.
pub(super) fn run(rule: Rule, text: &str) -> Result<Pairs<'_, Rule>, Box<Error<Rule>>> {
    let wanted = text.len().saturating_mul(200);
    let limit = LIMIT.fetch_max(wanted, Ordering::Relaxed).max(wanted);
    pest::set_call_limit(NonZeroUsize::new(limit));
    Grammar::parse(rule, text).map_err(Box::new)
}
