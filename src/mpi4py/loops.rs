//! Loops inside an element: sums over more axes, or Python's loops with all elements at once in each round.

use super::code::Writer;
use super::expr::{self, Py, dtype, level};
use super::place::Bound;
use super::{No, Script};
use crate::ir::kernel::{BinaryOp, Inst, Op, Reg};
use crate::ir::ty::Ty;
use std::collections::BTreeSet;

impl<'c> Writer<'c> {
    /// Loops that only add up (or multiply, …) are a sum over more axes. Whether it was one.
    pub(super) fn total(&mut self, s: &mut Script, outer: &'c Inst) -> Result<bool, No> {
        let mut at = outer;
        let mut loops = vec![];
        let inner: Vec<&'c Inst> = loop {
            let Inst::Loop { counter, from, to, by: 1, body } = at else { return Ok(false) };
            loops.push((*counter, *from, *to));
            let live: Vec<&Inst> = body.iter().filter(|i| self.lives(std::slice::from_ref(*i))).collect();
            // The ends of the inner loop may be set in the outer one, as long as they are numbers.
            match &live[..] {
                [.., l @ Inst::Loop { .. }]
                    if live[..live.len() - 1].iter().all(|i| matches!(i, Inst::Op { op: Op::Const(_), .. })) =>
                {
                    for i in &live[..live.len() - 1] {
                        if let Inst::Op { dst, op } = i {
                            self.op(s, *dst, op)?;
                        }
                    }
                    at = l;
                }
                _ => break live,
            }
        };
        let Some((Inst::Op { dst: acc, op: Op::Copy(next) }, terms)) = inner.split_last() else { return Ok(false) };
        // A chain of `fma`s is a sum of products.
        let (dst, op, a, values, terms) = match terms.split_last() {
            Some((Inst::Op { dst, op: Op::Binary(op, a, value) }, terms)) => (dst, op, a, vec![*value], terms),
            Some((Inst::Op { dst, op: Op::Fma(x, y, a) }, terms)) => (dst, &BinaryOp::Add, a, vec![*x, *y], terms),
            _ => return Ok(false),
        };
        let word = match op {
            BinaryOp::Add => "sum",
            BinaryOp::Mul => "prod",
            BinaryOp::Min => "min",
            BinaryOp::Max => "max",
            BinaryOp::Or => "any",
            BinaryOp::And => "all",
            _ => return Ok(false),
        };
        let straight = terms.iter().all(|i| match i {
            Inst::Op { dst, op } => !self.state.contains_key(dst) && !self.reads(*dst, op).contains(acc),
            _ => false,
        });
        let Some(start) = self.state.get(acc).cloned() else { return Ok(false) };
        if !straight || dst != next || a != acc || values.contains(acc) || self.axes.count() + loops.len() > 8 {
            return Ok(false);
        }
        let mut ends = vec![];
        for (_, from, to) in &loops {
            let (Some(x), Some(y)) = (self.state.get(from), self.state.get(to)) else { return Ok(false) };
            if x.over != 0 || y.over != 0 {
                return Ok(false);
            }
            let nothing = x.text.parse::<i64>().ok().zip(y.text.parse::<i64>().ok()).is_none_or(|(a, b)| a >= b);
            if matches!(word, "min" | "max") && nothing {
                return Ok(false);
            }
            let bound = |p: &Py| p.text.parse().map_or_else(|_| Bound::named(&p.text), Bound::number);
            ends.push((bound(x), bound(y)));
        }
        let (outer_axes, saved) = (self.axes.clone(), self.state.clone());
        for ((counter, ..), (lo, hi)) in loops.iter().zip(ends) {
            self.axes.summed.push(*counter);
            self.axes.lo.push(lo);
            self.axes.hi.push(hi);
            self.state.remove(counter);
        }
        for k in 0..loops.len() {
            let axis = self.axes.domain + self.axes.summed.len() - loops.len() + k;
            let p = Py {
                extra: self.axes.count() - self.axes.domain,
                ..Py::atom(self.axes.grid(axis), Ty::I64, 1 << axis)
            };
            self.state.insert(loops[k].0, p);
        }
        for i in terms {
            if let Inst::Op { dst, op } = i {
                self.op(s, *dst, op)?;
            }
        }
        let mut v = self.get(values[0])?;
        if let Some(y) = values.get(1) {
            let (y, ty) = (self.get(*y)?, self.code.regs[acc.0 as usize]);
            v = match expr::binary(BinaryOp::Mul, &v, &y, ty) {
                Some(v) => v,
                None => {
                    (self.axes, self.state) = (outer_axes, saved);
                    return Ok(false);
                }
            };
        }
        let bits = (outer_axes.count()..self.axes.count()).fold(0u64, |m, k| m | 1 << k);
        self.axes = outer_axes;
        if v.over & bits != bits {
            self.state = saved;
            return Ok(false);
        }
        self.state = saved;
        let n = loops.len();
        let axis = if n == 1 {
            "-1".into()
        } else {
            format!("{:?}", (1..=n as i64).map(|k| -k).collect::<Vec<_>>()).replace('[', "(").replace(']', ")")
        };
        let ty = self.code.regs[acc.0 as usize];
        // NumPy adds small integers in wider ones; and sums of `f32` in `f64` as the program does.
        let kind = match (word, ty) {
            ("sum" | "prod", Ty::I32 | Ty::U32) => format!(", dtype={}", dtype(ty)),
            _ => String::new(),
        };
        let sum = Py::compound(format!("np.{word}({}, axis={axis}{kind})", v.text), level::ATOM, ty, v.over & !bits);
        let nothing = match (word, start.text.as_str()) {
            ("sum", t) => matches!(t, "0" | "0.0"),
            ("prod", t) => matches!(t, "1" | "1.0"),
            ("any", t) => t == "False",
            ("all", t) => t == "True",
            // The least or greatest value of the type.
            _ => true,
        };
        let neutral = start.literal && nothing;
        let sum = if neutral { sum } else { expr::binary(*op, &start, &sum, ty).unwrap_or(sum) };
        self.set(s, *acc, sum);
        Ok(true)
    }

    /// Another loop: Python's, with all elements at once in each round.
    pub(super) fn repeat(
        &mut self,
        s: &mut Script,
        counter: Reg,
        (from, to, by): (Reg, Reg, i64),
        body: &'c [Inst],
    ) -> Result<(), No> {
        let (from, to) = (self.get(from)?, self.get(to)?);
        if from.over != 0 || to.over != 0 {
            return Err(No::new("a loop whose ends differ from element to element"));
        }
        let mut set = BTreeSet::new();
        writes(body, &mut set);
        let carried: Vec<Reg> = set.into_iter().filter(|r| self.state.contains_key(r)).collect();
        let name = s.names.fresh("step");
        let names: Vec<String> = carried.iter().map(|_| s.names.fresh("t")).collect();
        let start = self.state.clone();
        let mut over: Vec<u64> = carried.iter().map(|r| start[r].over).collect();
        let (lines, ends) = loop {
            self.state = start.clone();
            for ((r, n), over) in carried.iter().zip(&names).zip(&over) {
                self.state.insert(*r, Py { extra: start[r].extra, ..Py::atom(n.clone(), start[r].ty, *over) });
            }
            self.state.insert(counter, Py::atom(name.clone(), Ty::I64, 0));
            self.axes.counters.push((counter, name.clone()));
            let (held, done) = (s.capture(), self.done.clone());
            self.block(s, body)?;
            let lines = s.release(held);
            self.axes.counters.pop();
            let ends: Vec<Py> = carried.iter().map(|r| self.state[r].clone()).collect();
            let wider: Vec<u64> = over.iter().zip(&ends).map(|(o, e)| o | e.over).collect();
            if wider == over {
                break (lines, ends);
            }
            (over, self.done) = (wider, done);
        };
        for (r, n) in carried.iter().zip(&names) {
            let copy = if start[r].view { ".copy()" } else { "" };
            s.line(format!("{n} = {}{copy}", start[r].typed()));
        }
        let step = if by == 1 { String::new() } else { format!(", {by}") };
        s.line(format!("for {name} in range({}, {}{step}):", from.text, to.text));
        s.lines.extend(lines.into_iter().map(|l| format!("    {l}")));
        let values: Vec<String> =
            ends.iter().map(|e| if e.view { format!("{}.copy()", e.text) } else { e.typed() }).collect();
        s.line(format!("    {} = {}", names.join(", "), values.join(", ")));
        let mut state = start;
        for (k, r) in carried.iter().enumerate() {
            let p = Py { extra: state[r].extra, ..Py::atom(names[k].clone(), state[r].ty, over[k]) };
            state.insert(*r, p);
        }
        self.state = state;
        Ok(())
    }
}

/// The registers that instructions set.
fn writes(body: &[Inst], out: &mut BTreeSet<Reg>) {
    for i in body {
        match i {
            Inst::Op { dst, .. } => {
                out.insert(*dst);
            }
            Inst::If { then, otherwise, .. } => {
                writes(then, out);
                writes(otherwise, out);
            }
            Inst::Loop { body, .. } => writes(body, out),
            Inst::Break => {}
        }
    }
}
