//! The messages of an exchange one by one, and what a whole run sends.

use super::prose::exchange_of;
use super::region::Piece;
use super::text::bytes;
use super::{Exchange, Item, Plan, Step, StepKind};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;

/// Boxes of a message that are named one by one.
const LISTED: usize = 64;

/// Elements of one array that travel from one rank to another.
pub struct Carried {
    pub array: ArrayId,
    /// Which elements of the sender: the box of indices around them.
    pub source: IndexBox,
    /// Where the receiver puts them: the box around these places in its storage.
    pub target: IndexBox,
    /// Both as text, in indices: `[0..128, 127..128]`, or `[0..16 by 64 x 3, 0..8]` for three tiles.
    pub text: (String, String),
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
    /// Its boxes as text: `u[0..128, 127..128]`. Of very many the first ones.
    pub fn boxes(&self, plan: &Plan) -> Vec<String> {
        let one = |c: &Carried| format!("{}{}", plan.array(c.array).array.name, c.text.0);
        let more = (self.carried.len() > LISTED).then(|| format!("… {} more", self.carried.len() - LISTED));
        self.carried.iter().take(LISTED).map(one).chain(more).collect()
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
    /// Some exchange sends only the elements that the run lists; it comes on top.
    pub listed: bool,
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
                out[k].bytes += p.len() * size;
                out[k].carried.push(self.carried(item, &p, in_place));
            }
        }
        out.sort_by_key(|m| m.from);
        out
    }

    /// What a piece of an item carries.
    fn carried(&self, item: &Item, p: &Piece, in_place: bool) -> Carried {
        let array = self.item_array(item).0;
        let (cuts, deals) = (&self.array(array).layout.cuts, self.deals(item));
        let index = |d: usize, at: i64| cuts[d].map_or(at, |c| c.index(at));
        let place = |d: usize, at: i64| deals[d].map_or(at, |deal| deal.index(at));
        let (mut source, target) = p.around();
        let steps = |d: usize, src: bool| -> Vec<(i64, i64)> {
            let of = p.steps.iter().filter(|s| s.0 == d);
            of.map(|s| (s.1.count, if src { s.1.src } else { s.1.dst })).collect()
        };
        let seen = self.array(array).array.extents().len();
        let text = |b: &IndexBox, src: bool, at: &dyn Fn(usize, i64) -> i64| {
            let one = |d: usize| run_text(b.dims[d], &steps(d, src), &|i| at(d, i));
            format!("[{}]", (0..b.rank().min(seen)).map(one).collect::<Vec<_>>().join(", "))
        };
        let text = (text(&p.src, true, &index), text(&p.dst, false, &place));
        for (d, r) in source.dims.iter_mut().enumerate() {
            *r = Interval::new(index(d, r.lo), index(d, r.hi - 1) + 1);
        }
        Carried { array, source, target, text, in_place }
    }

    /// All messages of an exchange, by receiver and sender; panel by panel.
    pub fn messages(&self, exchange: &Exchange) -> Vec<Message> {
        (0..self.rounds_of(exchange)).flat_map(|round| self.messages_in(exchange, round)).collect()
    }

    /// The messages of one round of an exchange.
    pub fn messages_in(&self, exchange: &Exchange, round: i64) -> Vec<Message> {
        (0..self.ranks).flat_map(|to| self.messages_to_in(exchange, to, round)).collect()
    }

    /// Bytes that each rank may hold at once for messages on their way: the most that it sends and receives in one exchange. `None` of more
    /// ranks than are looked at one by one.
    pub fn under_way(&self) -> Option<Vec<i64>> {
        let mut most = vec![0; self.ranks as usize];
        for e in &self.exchanges {
            self.load(e).1?;
            for round in 0..self.rounds_of(e) {
                let mut now = vec![0; self.ranks as usize];
                for m in self.messages_in(e, round) {
                    now[m.from as usize] += m.bytes;
                    now[m.to as usize] += m.bytes;
                }
                most.iter_mut().zip(now).for_each(|(m, n)| *m = n.max(*m));
            }
        }
        Some(most)
    }

    /// What a run sends; `None` of more ranks than are looked at one by one.
    pub fn totals(&self) -> Option<Totals> {
        let mut out = Totals { exact: true, ..Totals::default() };
        self.add_totals(&self.steps, 1, &mut out)?;
        Some(out)
    }

    fn add_totals(&self, steps: &[Step], times: i64, out: &mut Totals) -> Option<()> {
        for s in steps {
            let exchange = exchange_of(s).map(|e| &self.exchanges[e.0 as usize]);
            if exchange.is_some_and(|e| e.listed) {
                (out.exact, out.listed) = (false, true);
            } else if let Some(e) = exchange {
                let (messages, bytes) = self.load(e).1?;
                // The rounds of panels are counted already.
                let times = times / self.rounds_of(e);
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

/// A run of a storage in indices, and how it comes again: `16..20 by 64 x 3`.
fn run_text(run: Interval, steps: &[(i64, i64)], index: &dyn Fn(i64) -> i64) -> String {
    let (first, last) = (index(run.lo), index(run.hi - 1));
    let mut out = Interval::new(first, last + 1).to_string();
    if last - first + 1 != run.len() {
        out = format!("{} of {out}", run.len());
    }
    for (count, step) in steps.iter().rev() {
        out += &format!(" by {} x {count}", index(run.lo + step) - first);
    }
    out
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
