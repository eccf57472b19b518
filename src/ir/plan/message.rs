//! The messages of an exchange one by one, and what a whole run sends.

use super::prose::exchange_of;
use super::text::bytes;
use super::{Exchange, Item, Plan, Step, StepKind};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;

/// Elements of one array that travel from one rank to another.
pub struct Carried {
    pub array: ArrayId,
    /// Which elements of the sender.
    pub source: IndexBox,
    /// Where the receiver puts them.
    pub target: IndexBox,
    /// They go into the array's own storage, beside the receiver's part; else into a copy of their own.
    pub in_place: bool,
}

/// All that one rank sends to another in an exchange.
pub struct Message {
    pub from: i64,
    pub to: i64,
    pub bytes: i64,
    pub carried: Vec<Carried>,
}

impl Message {
    /// Its boxes as text: `u[0..128, 127..128]`.
    pub fn boxes(&self, plan: &Plan) -> Vec<String> {
        let one = |c: &Carried| {
            let a = &plan.array(c.array).array;
            format!("{}{}", a.name, a.seen(&c.source))
        };
        self.carried.iter().map(one).collect()
    }

    /// The message in words: `rank 0 to rank 1: u[0..128, 127..128], 512 B`.
    pub fn text(&self, plan: &Plan) -> String {
        format!("rank {} to rank {}: {}, {}", self.from, self.to, self.boxes(plan).join(", "), bytes(self.bytes))
    }

    /// The message in a short line: `0 -> 1: u[0..128, 127..128], 512 B`.
    pub fn line(&self, plan: &Plan) -> String {
        format!("{} -> {}: {}, {}", self.from, self.to, self.boxes(plan).join(", "), bytes(self.bytes))
    }
}

/// What the exchanges and all-reduces of a whole run send, as far as it is known before the run.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Totals {
    pub messages: i64,
    pub bytes: i64,
    pub all_reduces: i64,
    /// Nothing is decided by the data; else what stands in `while`, in `if`, behind a `break`, or is done again when something has
    /// changed comes on top or is left out.
    pub exact: bool,
}

impl Plan {
    /// The messages that a rank receives in an exchange, by sender; panel by panel.
    pub fn messages_to(&self, exchange: &Exchange, to: i64) -> Vec<Message> {
        (0..self.rounds_of(exchange)).flat_map(|round| self.messages_to_in(exchange, to, round)).collect()
    }

    fn messages_to_in(&self, exchange: &Exchange, to: i64, round: i64) -> Vec<Message> {
        let mut out: Vec<Message> = vec![];
        for item in &exchange.items {
            let (array, in_place) = (self.item_array(item).0, matches!(item, Item::Ghost { .. }));
            let size = self.array(array).array.ty.size() as i64;
            for p in self.needs_in(item, to, round).pieces.into_iter().filter(|p| p.from != to) {
                let k = out.iter().position(|m| m.from == p.from).unwrap_or_else(|| {
                    out.push(Message { from: p.from, to, bytes: 0, carried: vec![] });
                    out.len() - 1
                });
                out[k].bytes += p.src.len() * size;
                out[k].carried.push(Carried { array, source: p.src, target: p.dst, in_place });
            }
        }
        out.sort_by_key(|m| m.from);
        out
    }

    /// All messages of an exchange, by receiver and sender; panel by panel.
    pub fn messages(&self, exchange: &Exchange) -> Vec<Message> {
        (0..self.rounds_of(exchange)).flat_map(|round| self.messages_in(exchange, round)).collect()
    }

    /// The messages of one round of an exchange.
    pub fn messages_in(&self, exchange: &Exchange, round: i64) -> Vec<Message> {
        (0..self.ranks).flat_map(|to| self.messages_to_in(exchange, to, round)).collect()
    }

    /// What a run sends; `None` of more ranks than are looked at one by one.
    pub fn totals(&self) -> Option<Totals> {
        let mut out = Totals { exact: true, ..Totals::default() };
        self.add_totals(&self.steps, 1, &mut out)?;
        Some(out)
    }

    fn add_totals(&self, steps: &[Step], times: i64, out: &mut Totals) -> Option<()> {
        for s in steps {
            if let Some(e) = exchange_of(s) {
                let exchange = &self.exchanges[e.0 as usize];
                let (messages, bytes) = self.load(exchange).1?;
                // The rounds of panels are counted already.
                let times = times / self.rounds_of(exchange);
                out.messages += messages.saturating_mul(times);
                out.bytes += bytes.saturating_mul(times);
            }
            match &s.kind {
                StepKind::AllReduce(_) => out.all_reduces += if self.ranks > 1 { times } else { 0 },
                StepKind::For { counter, body, .. } if !has_break(body) && self.rounds(*counter).is_some() => {
                    let rounds = self.rounds(*counter).unwrap_or(0);
                    self.add_totals(body, times.saturating_mul(rounds), out)?;
                }
                kind => out.exact &= !kind.blocks().into_iter().any(sends),
            }
        }
        Some(())
    }
}

/// Whether steps leave the loop around them.
pub fn has_break(steps: &[Step]) -> bool {
    steps.iter().any(|s| match &s.kind {
        StepKind::Break => true,
        StepKind::If { then, otherwise, .. } => has_break(then) || has_break(otherwise),
        _ => false,
    })
}

/// Whether steps hold an exchange or an all-reduce.
fn sends(steps: &[Step]) -> bool {
    steps.iter().any(|s| {
        exchange_of(s).is_some() || matches!(s.kind, StepKind::AllReduce(_)) || s.kind.blocks().into_iter().any(sends)
    })
}
