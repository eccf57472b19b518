//! Which elements of a view a rank reads: the code that decides the subscripts, run point by point, and the lists that its owners
//! and it make of that.

use super::Binding;
use super::scalar::{Point, eval_at};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{AccessId, Nest, Sym};
use crate::ir::plan::{Inspection, Item, Plan, ViewId};
use crate::runtime::copy::strides;
use crate::runtime::failure::Failure;
use crate::runtime::numbers::{Numbers, picked, placed, tell, width, word};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use std::time::Instant;

/// The elements of a view that a rank reads, by owner, and those that it sends.
#[derive(Debug, Default)]
pub struct Lists {
    /// By receiver: which elements of this rank's storage of the array it reads; its own too.
    pub sends: Vec<Numbers>,
    /// By owner: where the elements belong in the view.
    pub takes: Vec<Numbers>,
}

/// One point after the other, as the code that decides subscripts sees it.
struct Walk<'a> {
    nest: &'a Nest,
    bindings: &'a [Binding],
    /// The view's operand, its box and the strides of that.
    target: (u32, &'a IndexBox, Vec<i64>),
    at: Vec<i64>,
    read: Vec<bool>,
}

impl Walk<'_> {
    /// The element that an access reads.
    fn element(&self, access: AccessId, regs: &[u64]) -> impl Iterator<Item = i64> {
        let value = |sym: &Sym| match sym {
            Sym::Dim(d) => self.at[*d],
            Sym::Counter(r) => regs[r.0 as usize] as i64,
            Sym::Scalar(_) => 0,
        };
        self.nest.accesses[access.0 as usize]
            .index
            .iter()
            .map(move |a| a.terms.iter().fold(a.konst, |sum, (sym, k)| sum.wrapping_add(k.wrapping_mul(value(sym)))))
    }
}

impl Point for Walk<'_> {
    fn index(&mut self, dim: usize) -> i64 {
        self.at[dim]
    }

    /// An element of the view is noted; one of another array is read. Subscripts that a check will report give 0.
    fn load(&mut self, access: AccessId, regs: &[u64]) -> u64 {
        let operand = self.nest.accesses[access.0 as usize].operand.0;
        if operand == self.target.0 {
            let mut at = 0;
            for ((i, d), stride) in self.element(access, regs).zip(&self.target.1.dims).zip(&self.target.2) {
                if i < d.lo || i >= d.hi {
                    return 0;
                }
                at += (i - d.lo) * stride;
            }
            self.read[at as usize] = true;
            return 0;
        }
        let (binding, size) = (&self.bindings[operand as usize], self.nest.operands[operand as usize].ty.size());
        let mut at = 0;
        for (d, i) in self.element(access, regs).enumerate() {
            if i < binding.lo[d] || i >= binding.hi[d] {
                return 0;
            }
            at += (i - binding.lo[d]) * binding.strides[d];
        }
        if binding.ptr.is_null() {
            return 0;
        }
        let mut bits = [0; 8];
        // SAFETY: the element lies in the box that the binding stands for.
        unsafe { std::ptr::copy_nonoverlapping(binding.ptr.add(at as usize * size), bits.as_mut_ptr(), size) };
        u64::from_le_bytes(bits)
    }
}

/// Runs the code over a part of the nest; gives for every element of the view's box whether it is read.
pub fn read_elements(
    plan: &Plan,
    (view, inspection): (ViewId, &Inspection),
    part: &IndexBox,
    bindings: &[Binding],
    me: i64,
) -> Vec<bool> {
    let v = &plan.views[view.0 as usize];
    let region = plan.view_box(view, me);
    let mut walk = Walk {
        nest: &plan.nest(v.nest).nest,
        bindings,
        target: (v.operand as u32, &region, strides(&region)),
        at: part.dims.iter().map(|d| d.lo).collect(),
        read: vec![false; region.len().max(0) as usize],
    };
    let mut regs = vec![];
    for _ in 0..part.len() {
        eval_at(&inspection.code, &[], &plan.program.tables, &mut regs, &mut walk);
        // The next point, the last dimension first.
        for d in (0..part.rank()).rev() {
            walk.at[d] += 1;
            if walk.at[d] < part.dims[d].hi {
                break;
            }
            walk.at[d] = part.dims[d].lo;
        }
    }
    walk.read
}

impl Lists {
    /// Tells the owners what this rank reads; `None` where the ranks together read more than half of what lies in their views' boxes at
    /// other ranks: then whole boxes are the shorter messages. A collective.
    pub fn agreed(plan: &Plan, view: ViewId, read: &[bool], state: &mut RankState) -> Result<Option<Lists>, Failure> {
        let (me, ranks, clock) = (state.comm.rank(), state.comm.size(), Instant::now());
        let array = plan.array(plan.views[view.0 as usize].array);
        let region = plan.view_box(view, me);
        let stored: Vec<(IndexBox, Vec<i64>)> =
            (0..ranks).map(|r| (array.storage(r), strides(&array.storage(r)))).collect();
        let mut wants: Vec<Numbers> = stored.iter().map(|s| Numbers::new(width(s.0.len()))).collect();
        let mut takes: Vec<Numbers> = stored.iter().map(|_| Numbers::new(width(region.len()))).collect();
        let (mut few, mut all) = (0u64, 0u64);
        let inside = strides(&region);
        for piece in plan.needs(&Item::View(view), me).pieces {
            let (owner, (of, steps)) = (piece.from, &stored[piece.from as usize]);
            let elsewhere = u64::from(owner != me);
            all += elsewhere * piece.len() as u64;
            for (src, dst) in piece.each() {
                let mut at = vec![0; dst.rank()];
                for _ in 0..dst.len() {
                    let offset = |b: &IndexBox, from: &IndexBox, steps: &[i64]| -> i64 {
                        let along = b.dims.iter().zip(&from.dims).zip(steps).zip(&at);
                        along.map(|(((b, d), s), i)| (b.lo + i - d.lo) * s).sum()
                    };
                    let place = offset(&dst, &region, &inside);
                    if read[place as usize] {
                        wants[owner as usize].push(offset(&src, of, steps) as u64);
                        takes[owner as usize].push(place as u64);
                        few += elsewhere;
                    }
                    for d in (0..at.len()).rev() {
                        at[d] += 1;
                        if at[d] < dst.dims[d].len() {
                            break;
                        }
                        at[d] = 0;
                    }
                }
            }
        }
        state.stats.spent(Kind::Compute, clock);
        let mine: Vec<u8> = [few, all].iter().flat_map(|n| n.to_le_bytes()).collect();
        let told = state.comm.gathered(&mine)?;
        let sum = |k: usize| told.iter().map(|m| word(&m[8 * k..8 * k + 8])).sum::<u64>();
        if 2 * sum(0) > sum(1) {
            return Ok(None);
        }
        let sends = tell(state, wants, width(stored[me as usize].0.len()))?;
        Ok(Some(Lists { sends, takes }))
    }

    /// Carries the elements from the owners' storage to the views.
    pub fn carry(&self, from: &[u8], to: &mut [u8], size: usize, state: &mut RankState) -> Result<(), Failure> {
        let (me, mut sent, clock) = (state.comm.rank() as usize, (0, 0), Instant::now());
        for (peer, list) in self.sends.iter().enumerate().filter(|p| p.0 != me && !p.1.is_empty()) {
            let mut m = state.comm.buffer(list.len() * size);
            picked(list, from, size, &mut m);
            sent = (sent.0 + 1, sent.1 + m.len() as u64);
            state.comm.send(peer as i64, m)?;
        }
        let mut own = state.comm.buffer(self.sends[me].len() * size);
        picked(&self.sends[me], from, size, &mut own);
        placed(&self.takes[me], &own, size, to);
        state.comm.recycle(me as i64, own);
        state.stats.sent_beside(sent);
        state.stats.spent(Kind::Send, clock);
        let clock = Instant::now();
        for (peer, list) in self.takes.iter().enumerate().filter(|p| p.0 != me && !p.1.is_empty()) {
            let m = state.comm.receive(peer as i64, list.len() * size)?;
            placed(list, &m, size, to);
            state.comm.recycle(peer as i64, m);
        }
        state.stats.spent(Kind::Wait, clock);
        Ok(())
    }
}
