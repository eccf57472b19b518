//! What a rank knows beside its arrays: its peers, the workflow's scalars, and what it has counted.

use crate::ir::kernel::{Code, Reg, ScalarId, Table};
use crate::ir::plan::{Plan, PlanNestId};
use crate::runtime::comm::Comm;
use crate::runtime::device::{Partial, scalar};
use crate::runtime::failure::Failure;
use crate::runtime::stats::Stats;
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
}

impl RankState<'_> {
    /// Combines this rank's partial results with those of all others, in one message, and sets the scalars. A collective.
    pub fn all_reduce(
        &mut self,
        plan: &Plan,
        items: &[(PlanNestId, usize)],
        mine: &mut dyn FnMut(PlanNestId, usize) -> Partial,
    ) -> Result<(), Failure> {
        let clock = Instant::now();
        if self.comm.size() == 1 {
            for (n, r) in items {
                self.set_reduced(plan, *n, *r, &mine(*n, *r));
            }
            return Ok(());
        }
        let mut words: Vec<u8> = vec![];
        for (n, r) in items {
            let partial = mine(*n, *r).as_words();
            words.extend((partial.len() as u64).to_le_bytes());
            partial.iter().for_each(|w| words.extend(w.to_le_bytes()));
        }
        let all = self.comm.all_gather(&words)?;
        self.stats.reductions += 1;
        let mut at = vec![0usize; all.len()];
        for (n, r) in items {
            let nest = &plan.nest(*n).nest;
            let red = &nest.reductions[*r];
            let ty = nest.code.regs[red.value.0 as usize];
            let mut total = Partial::new(red.op, ty);
            for (bytes, at) in all.iter().zip(&mut at) {
                total.merge(red.op, ty, &Partial::from_words(red.op, ty, &take_words(bytes, at)));
            }
            self.set_reduced(plan, *n, *r, &total);
        }
        self.stats.communication += clock.elapsed();
        Ok(())
    }

    /// Sets the scalar that a reduction gives.
    pub fn set_reduced(&mut self, plan: &Plan, id: PlanNestId, r: usize, total: &Partial) {
        let nest = &plan.nest(id).nest;
        let red = &nest.reductions[r];
        self.scalars.set(red.into, total.finish(nest.code.regs[red.value.0 as usize]).bits);
    }
}

fn take_words(bytes: &[u8], at: &mut usize) -> Vec<i64> {
    let word = |k: usize| bytes.get(k..k + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes);
    let n = word(*at) as usize;
    let words = (0..n).map(|i| word(*at + 8 + 8 * i)).collect();
    *at += 8 + 8 * n;
    words
}
