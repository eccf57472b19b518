//! Products panel by panel: a loop of the plan around a contraction, each round of which fetches and multiplies some of the terms.
//!
//! The factors that other ranks own arrive a panel at a time, in a view whose box moves with the rounds. Every rank takes the
//! panels in the order of the terms, and the chain of an element goes on from what the round before has stored.

use super::{Exchange, Item, Plan, ViewId};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Access, Affine, ArrayId, Nest, OperandId, Reg, ScalarId, Sym};
use crate::ir::program::Counted;

/// How the terms of a nest are taken panel by panel.
#[derive(Clone, Debug)]
pub struct Panels {
    /// The counter of the nest's loop over its terms.
    pub term: Reg,
    /// The counter of the plan's loop: the first term of a round.
    pub first: ScalarId,
    /// The terms, and how many a round takes.
    pub terms: Counted,
    /// The arrays that arrive panel by panel.
    pub moving: Vec<ArrayId>,
}

impl Panels {
    /// How many panels there are.
    pub fn rounds(&self) -> i64 {
        self.terms.rounds()
    }

    /// The terms of a round.
    pub fn of_round(&self, round: i64) -> Interval {
        let first = self.terms.from + round * self.terms.by;
        Interval::new(first, (first + self.terms.by).min(self.terms.to))
    }

    /// The round whose first term this is.
    pub fn round_of(&self, first: i64) -> i64 {
        (first - self.terms.from) / self.terms.by
    }

    /// Whether an operand is read at the terms, so that a round needs a panel of it.
    pub fn follows(&self, nest: &Nest, operand: OperandId) -> bool {
        let at_term = |a: &Access| a.index.iter().any(|i| i.coef(Sym::Counter(self.term)) != 0);
        self.moving.contains(&nest.operands[operand.0 as usize].array)
            && nest.accesses.iter().any(|a| a.operand == operand && at_term(a))
    }

    /// An access as one round makes it.
    fn narrowed(&self, access: &Access, round: i64) -> Access {
        let terms = self.of_round(round);
        let mut out = access.clone();
        for (_, lo, hi) in out.counters.iter_mut().filter(|c| c.0 == self.term) {
            (*lo, *hi) = (Affine::constant(terms.lo), Affine::constant(terms.hi));
        }
        out
    }
}

impl Plan {
    /// The panels of a view that holds another one in every round.
    pub fn panels_of_view(&self, id: ViewId) -> Option<&Panels> {
        let view = &self.views[id.0 as usize];
        let n = self.nest(view.nest);
        n.panels.as_ref().filter(|p| p.follows(&n.nest, OperandId(view.operand as u32)))
    }

    /// The panels that an exchange brings one by one.
    pub fn panels_of(&self, exchange: &Exchange) -> Option<&Panels> {
        exchange.items.iter().find_map(|i| if let Item::View(v) = i { self.panels_of_view(*v) } else { None })
    }

    /// How many different sets of messages an exchange stands for, one a round.
    pub fn rounds_of(&self, exchange: &Exchange) -> i64 {
        self.panels_of(exchange).map_or(1, Panels::rounds)
    }

    /// The box that a rank keeps in a view in a round.
    pub fn view_box_in(&self, id: ViewId, rank: i64, round: i64) -> IndexBox {
        let view = &self.views[id.0 as usize];
        let panels = self.panels_of_view(id);
        let n = self.nest(view.nest);
        let mut out = IndexBox::new(vec![Interval::EMPTY; n.nest.operands[view.operand].rank.max(1)]);
        let Some(part) = n.part(rank) else { return out };
        for a in n.nest.accesses.iter().filter(|a| a.operand.0 as usize == view.operand) {
            let narrow = panels.map(|p| p.narrowed(a, round));
            if let Some(b) = narrow.as_ref().unwrap_or(a).image(&part, &|s| self.scalar_range(s)) {
                out = out.hull(&b);
            }
        }
        out
    }

    /// The box of elements (past the edges too) that a rank keeps in a view; of panels, the largest.
    pub fn view_box(&self, id: ViewId, rank: i64) -> IndexBox {
        let rounds = self.panels_of_view(id).map_or(1, Panels::rounds);
        let largest = (0..rounds).map(|k| self.view_box_in(id, rank, k)).max_by_key(|b| b.len());
        largest.unwrap_or_else(|| self.view_box_in(id, rank, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_take_every_term_once_in_order() {
        for (from, to) in [(0, 1), (0, 7), (3, 20), (5, 6)] {
            for by in 1..9 {
                let terms = Counted { from, to, by };
                let p = Panels { term: Reg(0), first: ScalarId(0), terms, moving: vec![] };
                let mut at = from;
                for round in 0..p.rounds() {
                    let terms = p.of_round(round);
                    assert_eq!((terms.lo, p.round_of(at)), (at, round));
                    assert!(!terms.is_empty() && terms.len() <= by);
                    at = terms.hi;
                }
                assert_eq!(at, to);
            }
        }
    }
}
