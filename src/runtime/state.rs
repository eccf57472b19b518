//! What a rank knows beside its arrays: its peers, the workflow's scalars, and what it has counted.

use crate::ir::kernel::{Code, Reg, ScalarId, Table};
use crate::ir::plan::panels::Panels;
use crate::ir::plan::{Plan, PlanNestId};
use crate::runtime::comm::{Comm, Gathered};
use crate::runtime::device::{Partial, scalar};
use crate::runtime::failure::Failure;
use crate::runtime::stats::Stats;
use crate::runtime::trace::Kind;
use std::time::Instant;

/// The workflow's scalars on the host. A device may compute one that the host does not know until it asks.
#[derive(Clone, Debug, Default)]
pub struct Scalars {
    pub bits: Vec<u64>,
    known: Vec<bool>,
    /// Counts the host's changes of each scalar, so that a device knows when its copy is old.
    version: Vec<u32>,
    regs: Vec<u64>,
}

impl Scalars {
    pub fn new(count: usize) -> Scalars {
        Scalars { bits: vec![0; count], known: vec![true; count], version: vec![0; count], regs: vec![] }
    }

    /// Sets a scalar on the host.
    pub fn set(&mut self, id: ScalarId, bits: u64) {
        let k = id.0 as usize;
        (self.bits[k], self.known[k]) = (bits, true);
        self.version[k] = self.version[k].wrapping_add(1);
    }

    /// The device has a value that the host does not.
    pub fn forget(&mut self, id: ScalarId) {
        self.known[id.0 as usize] = false;
    }

    /// The device's value, fetched.
    pub fn fetched(&mut self, id: ScalarId, bits: u64) {
        let k = id.0 as usize;
        (self.bits[k], self.known[k]) = (bits, true);
    }

    pub fn is_known(&self, id: ScalarId) -> bool {
        self.known[id.0 as usize]
    }

    pub fn version(&self, id: ScalarId) -> u32 {
        self.version[id.0 as usize]
    }

    /// The round of the loop that takes these panels.
    pub fn round_of(&self, panels: &Panels) -> usize {
        panels.round_of(self.bits[panels.first.0 as usize] as i64) as usize
    }

    /// Evaluates scalar code on the host.
    pub fn eval(&mut self, code: &Code, results: &[(Reg, ScalarId)], tables: &[Table]) {
        let mut regs = std::mem::take(&mut self.regs);
        scalar::eval(code, &self.bits, tables, &mut regs);
        for (reg, id) in results {
            self.set(*id, regs[reg.0 as usize]);
        }
        self.regs = regs;
    }
}

/// One rank's peers, scalars and counters.
pub struct RankState<'a> {
    pub comm: &'a mut dyn Comm,
    pub scalars: Scalars,
    pub stats: Stats,
    /// What all-reduces work with, kept because loops run them.
    reduced: Reduced,
}

#[derive(Default)]
struct Reduced {
    mine: Vec<u8>,
    all: Gathered,
    /// How far each rank's contribution has been read.
    at: Vec<usize>,
    /// The leaves of a product.
    leaves: Vec<(u64, u64)>,
}

impl<'a> RankState<'a> {
    pub fn new(comm: &'a mut dyn Comm, scalars: usize) -> RankState<'a> {
        RankState { comm, scalars: Scalars::new(scalars), stats: Stats::default(), reduced: Reduced::default() }
    }

    /// Combines this rank's partial results with those of all others, in one message, and sets the scalars; `write` appends
    /// this rank's part of an item (see [`Partial::write`]). A collective.
    pub fn all_reduce(
        &mut self,
        plan: &Plan,
        items: &[(PlanNestId, usize)],
        write: &mut dyn FnMut(usize, &mut Vec<u8>),
    ) -> Result<(), Failure> {
        let clock = Instant::now();
        let Reduced { mut mine, mut all, mut at, mut leaves } = std::mem::take(&mut self.reduced);
        mine.clear();
        (0..items.len()).for_each(|k| write(k, &mut mine));
        self.comm.all_gather(&mine, &mut all)?;
        self.stats.reductions += 1;
        at.clear();
        at.resize(all.ranks(), 0);
        for (n, r) in items {
            let nest = &plan.nest(*n).nest;
            let red = &nest.reductions[*r];
            let ty = nest.code.regs[red.value.0 as usize];
            let mut total = Partial::new(red.op, ty);
            if let Partial::Leaves(list) = &mut total {
                *list = std::mem::take(&mut leaves);
                list.clear();
            }
            for (bytes, at) in all.iter().zip(&mut at) {
                total.merge_written(red.op, ty, bytes, at);
            }
            self.set_reduced(plan, *n, *r, &mut total);
            if let Partial::Leaves(list) = total {
                leaves = list;
            }
        }
        self.reduced = Reduced { mine, all, at, leaves };
        self.stats.spent(Kind::Reduce, clock);
        Ok(())
    }

    /// Sets the scalar that a reduction gives.
    pub fn set_reduced(&mut self, plan: &Plan, id: PlanNestId, r: usize, total: &mut Partial) {
        let nest = &plan.nest(id).nest;
        let red = &nest.reductions[r];
        self.scalars.set(red.into, total.finish(nest.code.regs[red.value.0 as usize]).bits);
    }
}
