//! Register code as array expressions: every operation works on a rank's whole part at once.

use super::expr::{self, Py, dtype, level};
use super::place::{Axes, Bound};
use super::{No, Script};
use crate::ir::kernel::{Argument, BinaryOp, Call, Code, Inst, Op, Reg};
use crate::ir::plan::PlanNestId;
use crate::ir::ty::{Ty, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One piece of code being translated.
pub struct Writer<'c> {
    pub code: &'c Code,
    /// The nest, and where it runs; none for the workflow's scalars.
    pub nest: Option<PlanNestId>,
    pub axes: Axes,
    state: BTreeMap<Reg, Py>,
    calls: BTreeMap<Reg, &'c Call>,
    done: BTreeSet<Reg>,
    uses: BTreeMap<Reg, usize>,
}

impl<'c> Writer<'c> {
    /// `roots`: the registers whose values are wanted.
    pub fn new(code: &'c Code, nest: Option<PlanNestId>, axes: Axes, roots: &[Reg]) -> Writer<'c> {
        let known = |c: &&Call| expr::elementary(&c.name, &[Py::atom("x", Ty::F64, 0), Py::atom("y", Ty::F64, 0)]).is_some();
        let calls = code.calls.iter().filter(known).map(|c| (c.result, c)).collect();
        let mut out =
            Writer { code, nest, axes, state: BTreeMap::new(), calls, done: BTreeSet::new(), uses: BTreeMap::new() };
        out.count(roots);
        out
    }

    /// Counts how often each register that matters is read.
    fn count(&mut self, roots: &[Reg]) {
        let mut live: BTreeSet<Reg> = roots.iter().copied().collect();
        loop {
            let before = live.len();
            self.mark(&self.code.body, &mut live);
            if live.len() == before {
                break;
            }
        }
        let mut uses: BTreeMap<Reg, usize> = live.iter().map(|r| (*r, 0)).collect();
        roots.iter().for_each(|r| *uses.entry(*r).or_default() += 1);
        let mut called = BTreeSet::new();
        self.tally(&self.code.body, &live, &mut called, &mut uses);
        self.uses = uses;
    }

    fn mark(&self, body: &[Inst], live: &mut BTreeSet<Reg>) {
        for inst in body {
            match inst {
                Inst::Op { dst, op } if live.contains(dst) => live.extend(self.reads(*dst, op)),
                Inst::Op { .. } | Inst::Break => {}
                Inst::If { cond, then, otherwise } => {
                    self.mark(then, live);
                    self.mark(otherwise, live);
                    if [then, otherwise].iter().any(|b| self.matters(b, live)) {
                        live.insert(*cond);
                    }
                }
                Inst::Loop { from, to, body, .. } => {
                    self.mark(body, live);
                    if self.matters(body, live) {
                        live.extend([*from, *to]);
                    }
                }
            }
        }
    }

    fn tally(&self, body: &[Inst], live: &BTreeSet<Reg>, called: &mut BTreeSet<Reg>, uses: &mut BTreeMap<Reg, usize>) {
        for inst in body {
            let mut read = |r: Reg| *uses.entry(r).or_default() += 1;
            match inst {
                Inst::Op { dst, op } if live.contains(dst) => {
                    if self.calls.contains_key(dst) && !called.insert(*dst) {
                        continue;
                    }
                    match op {
                        // A square names its operand once.
                        Op::Binary(BinaryOp::Mul, a, b) if a == b => read(*a),
                        _ => self.reads(*dst, op).into_iter().for_each(&mut read),
                    }
                }
                Inst::If { cond, then, otherwise } if self.matters(then, live) || self.matters(otherwise, live) => {
                    // Once a register that the branches set.
                    read(*cond);
                    read(*cond);
                    self.tally(then, live, called, uses);
                    self.tally(otherwise, live, called, uses);
                }
                Inst::Loop { from, to, body, .. } if self.matters(body, live) => {
                    read(*from);
                    read(*to);
                    self.tally(body, live, called, uses);
                }
                _ => {}
            }
        }
    }

    /// The registers that an operation, or the function that it is the end of, reads.
    fn reads(&self, dst: Reg, op: &Op) -> Vec<Reg> {
        if let Some(call) = self.calls.get(&dst) {
            return call.args.iter().filter_map(|a| if let Argument::Reg(r) = a { Some(*r) } else { None }).collect();
        }
        match op {
            Op::Const(_) | Op::Index(_) | Op::Scalar(_) | Op::Load(_) => vec![],
            Op::Copy(a) | Op::Table { index: a, .. } | Op::Unary(_, a) | Op::Cast(a) | Op::Bits(a) => vec![*a],
            Op::Binary(_, a, b) => vec![*a, *b],
            Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
        }
    }

    /// Whether instructions set a register that matters.
    fn matters(&self, body: &[Inst], live: &BTreeSet<Reg>) -> bool {
        body.iter().any(|i| match i {
            Inst::Op { dst, .. } => live.contains(dst),
            Inst::If { then, otherwise, .. } => self.matters(then, live) || self.matters(otherwise, live),
            Inst::Loop { body, .. } => self.matters(body, live),
            Inst::Break => true,
        })
    }

    fn lives(&self, body: &[Inst]) -> bool {
        let live = self.uses.keys().copied().collect();
        self.matters(body, &live)
    }

    /// The value of a register, with the axes of the code being written.
    pub fn get(&self, r: Reg) -> Result<Py, No> {
        let p = self.state.get(&r).cloned().ok_or_else(|| No::new("a value that only some rounds of a loop set"))?;
        let extra = self.axes.count() - self.axes.domain;
        if p.over == 0 || p.extra == extra {
            return Ok(p);
        }
        let more = format!("[...{}]", ", None".repeat(extra - p.extra));
        Ok(Py { text: p.at(level::ATOM) + &more, level: level::ATOM, extra, ..p })
    }

    fn set(&mut self, s: &mut Script, r: Reg, p: Py) {
        let mut p = Py { extra: self.axes.count() - self.axes.domain, ..p };
        if self.uses.get(&r).copied().unwrap_or(0) > 1 && !p.short || p.text.len() > 400 {
            p = self.named(s, p, "t");
        }
        self.state.insert(r, p);
    }

    /// Gives a value a name.
    pub fn named(&mut self, s: &mut Script, p: Py, wish: &str) -> Py {
        let name = s.names.fresh(wish);
        let copy = if p.view { ".copy()" } else { "" };
        s.line(format!("{name} = {}{copy}", if p.over == 0 { p.typed() } else { p.text.clone() }));
        Py { text: name, level: level::ATOM, literal: false, short: true, view: false, ..p }
    }

    /// Translates all instructions.
    pub fn run(&mut self, s: &mut Script) -> Result<(), No> {
        let body: &'c [Inst] = &self.code.body;
        self.block(s, body)
    }

    fn block(&mut self, s: &mut Script, body: &'c [Inst]) -> Result<(), No> {
        for inst in body {
            match inst {
                Inst::Op { dst, op } => {
                    if self.uses.contains_key(dst) {
                        self.op(s, *dst, op)?;
                    }
                }
                Inst::If { cond, then, otherwise } => {
                    if self.lives(then) || self.lives(otherwise) {
                        self.branch(s, *cond, then, otherwise)?;
                    }
                }
                Inst::Loop { counter, from, to, by, body } => {
                    if self.lives(body) && !self.total(s, inst)? {
                        self.repeat(s, *counter, (*from, *to, *by), body)?;
                    }
                }
                Inst::Break => return Err(No::new("a loop that ends at another round for every element")),
            }
        }
        Ok(())
    }

    fn op(&mut self, s: &mut Script, dst: Reg, op: &Op) -> Result<(), No> {
        let ty = self.code.regs[dst.0 as usize];
        if let Some(call) = self.calls.get(&dst).copied() {
            if self.done.insert(dst) {
                let args: Result<Vec<Py>, No> = call
                    .args
                    .iter()
                    .map(|a| match a {
                        Argument::Reg(r) => self.get(*r),
                        Argument::Const(v) => Ok(Py::value(*v)),
                    })
                    .collect();
                let p = expr::elementary(&call.name, &args?).ok_or_else(|| No::new(format!("`{}`", call.name)))?;
                self.set(s, dst, p);
            }
            return Ok(());
        }
        let p = match op {
            Op::Const(v) => Py::value(*v),
            Op::Copy(a) => self.get(*a)?,
            Op::Index(d) => {
                s.grids |= 1 << d;
                Py::atom(self.axes.grid(*d), Ty::I64, 1 << d)
            }
            Op::Scalar(id) => s.scalar(*id),
            Op::Load(a) => {
                let nest = self.nest.ok_or_else(|| No::new("a read outside a nest"))?;
                s.load(nest, a.0 as usize, &self.axes)?
            }
            Op::Table { table, index } => {
                let index = self.get(*index)?;
                Py { short: false, ..Py::atom(format!("{}[{}]", s.table(*table), index.text), ty, index.over) }
            }
            Op::Unary(op, a) => expr::unary(*op, &self.get(*a)?),
            Op::Binary(op, a, b) => expr::binary(*op, &self.get(*a)?, &self.get(*b)?, ty)
                .ok_or_else(|| No::new("the high half of a 64-bit product"))?,
            Op::Fma(a, b, c) => {
                let product = expr::binary(BinaryOp::Mul, &self.get(*a)?, &self.get(*b)?, ty);
                let product = product.ok_or_else(|| No::new("`fma`"))?;
                expr::binary(BinaryOp::Add, &product, &self.get(*c)?, ty).ok_or_else(|| No::new("`fma`"))?
            }
            Op::Select(c, a, b) => expr::choice(&self.get(*c)?, &self.get(*a)?, &self.get(*b)?),
            Op::Cast(a) => expr::cast(&self.get(*a)?, ty),
            Op::Bits(a) => {
                let a = self.get(*a)?;
                let text = if a.over == 0 { format!("{}({})", dtype(a.ty), a.text) } else { a.at(level::ATOM) };
                Py::compound(format!("{text}.view({})", dtype(ty)), level::ATOM, ty, a.over)
            }
        };
        self.set(s, dst, p);
        Ok(())
    }

    /// `if`: both branches are computed and one chosen, element by element; or a plain `if` where all elements agree.
    fn branch(&mut self, s: &mut Script, cond: Reg, then: &'c [Inst], otherwise: &'c [Inst]) -> Result<(), No> {
        let cond = self.get(cond)?;
        let before = self.state.clone();
        let held = s.capture();
        self.block(s, then)?;
        let first = s.release(held);
        let yes = std::mem::replace(&mut self.state, before.clone());
        let held = s.capture();
        self.block(s, otherwise)?;
        let second = s.release(held);
        let no = std::mem::replace(&mut self.state, before.clone());
        let both: Vec<Reg> = yes
            .keys()
            .filter(|r| no.contains_key(r) && (yes.get(r) != before.get(r) || no.get(r) != before.get(r)))
            .copied()
            .collect();
        if cond.over != 0 || first.is_empty() && second.is_empty() {
            s.lines.extend(first);
            s.lines.extend(second);
            for r in both {
                self.set(s, r, expr::choice(&cond, &yes[&r], &no[&r]));
            }
            return Ok(());
        }
        let names: Vec<String> = both.iter().map(|_| s.names.fresh("t")).collect();
        for (word, lines, state) in
            [(format!("if {}:", cond.text), first, &yes), ("else:".to_string(), second, &no)]
        {
            s.line(word);
            s.lines.extend(lines.into_iter().map(|l| format!("    {l}")));
            for (r, name) in both.iter().zip(&names) {
                let p = &state[r];
                let copy = if p.view { ".copy()" } else { "" };
                s.line(format!("    {name} = {}{copy}", p.typed()));
            }
            if both.is_empty() {
                s.line("    pass".into());
            }
        }
        for (r, name) in both.iter().zip(names) {
            let p = Py { over: yes[r].over | no[r].over, ..Py::atom(name, yes[r].ty, 0) };
            self.state.insert(*r, p);
        }
        Ok(())
    }

    /// Loops that only add up (or multiply, …) are a sum over more axes. Whether it was one.
    fn total(&mut self, s: &mut Script, outer: &'c Inst) -> Result<bool, No> {
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
        let Some((Inst::Op { dst, op: Op::Binary(op, a, value) }, terms)) = terms.split_last() else { return Ok(false) };
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
        if !straight || dst != next || a != acc || value == acc || self.axes.count() + loops.len() > 8 {
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
            let p = Py { extra: self.axes.count() - self.axes.domain, ..Py::atom(self.axes.grid(axis), Ty::I64, 1 << axis) };
            self.state.insert(loops[k].0, p);
        }
        for i in terms {
            if let Inst::Op { dst, op } = i {
                self.op(s, *dst, op)?;
            }
        }
        let v = self.get(*value)?;
        let bits = (outer_axes.count()..self.axes.count()).fold(0u64, |m, k| m | 1 << k);
        self.axes = outer_axes;
        if v.over & bits != bits {
            self.state = saved;
            return Ok(false);
        }
        self.state = saved;
        let n = loops.len();
        let axis = if n == 1 { "-1".into() } else { format!("{:?}", (1..=n as i64).map(|k| -k).collect::<Vec<_>>()).replace('[', "(").replace(']', ")") };
        let ty = self.code.regs[acc.0 as usize];
        // NumPy adds small integers in wider ones; and sums of `f32` in `f64` as the program does.
        let kind = match (word, ty) {
            ("sum" | "prod", Ty::I32 | Ty::U32) => format!(", dtype={}", dtype(ty)),
            _ => String::new(),
        };
        let sum = Py::compound(format!("np.{word}({}, axis={axis}{kind})", v.text), level::ATOM, ty, v.over & !bits);
        let neutral = start.literal
            && matches!((word, start.text.as_str()), ("sum", "0" | "0.0") | ("prod", "1" | "1.0") | ("any", "False") | ("all", "True"))
            || matches!(word, "min" | "max") && start.literal;
        let sum = if neutral { sum } else { expr::binary(*op, &start, &sum, ty).unwrap_or(sum) };
        self.set(s, *acc, sum);
        Ok(true)
    }

    /// Another loop: Python's, with all elements at once in each round.
    fn repeat(
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
        let values: Vec<String> = ends.iter().map(|e| if e.view { format!("{}.copy()", e.text) } else { e.typed() }).collect();
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

/// The value that a reduction of no terms has.
pub fn neutral(op: crate::ir::kernel::FoldOp, ty: Ty) -> String {
    use crate::ir::kernel::FoldOp as F;
    let end = |least: bool| match (ty, least) {
        (Ty::F32 | Ty::F64, true) => "-np.inf".to_string(),
        (Ty::F32 | Ty::F64, false) => "np.inf".into(),
        (_, true) => format!("np.iinfo({}).min", dtype(ty)),
        (_, false) => format!("np.iinfo({}).max", dtype(ty)),
    };
    match op {
        F::Sum => Py::value(Value::int(Ty::I64, 0)).text,
        F::Prod => "1".into(),
        F::Min => end(false),
        F::Max => end(true),
        F::Any => "False".into(),
        F::All => "True".into(),
    }
}
