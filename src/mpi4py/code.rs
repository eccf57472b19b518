//! Register code as array expressions: every operation works on a rank's whole part at once.

use super::expr::{self, Py, dtype, level};
use super::place::Axes;
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
    pub(super) state: BTreeMap<Reg, Py>,
    pub(super) calls: BTreeMap<Reg, &'c Call>,
    pub(super) done: BTreeSet<Reg>,
    pub(super) uses: BTreeMap<Reg, usize>,
    /// How many conditions are around.
    guarded: usize,
}

impl<'c> Writer<'c> {
    /// `roots`: the registers whose values are wanted.
    pub fn new(code: &'c Code, nest: Option<PlanNestId>, axes: Axes, roots: &[Reg]) -> Writer<'c> {
        let known =
            |c: &&Call| expr::elementary(&c.name, &[Py::atom("x", Ty::F64, 0), Py::atom("y", Ty::F64, 0)]).is_some();
        let calls = code.calls.iter().filter(known).map(|c| (c.result, c)).collect();
        let mut out = Writer {
            code,
            nest,
            axes,
            state: BTreeMap::new(),
            calls,
            done: BTreeSet::new(),
            uses: BTreeMap::new(),
            guarded: 0,
        };
        out.count(roots);
        out
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

    pub(super) fn set(&mut self, s: &mut Script, r: Reg, p: Py) {
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

    pub(super) fn block(&mut self, s: &mut Script, body: &'c [Inst]) -> Result<(), No> {
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

    pub(super) fn op(&mut self, s: &mut Script, dst: Reg, op: &Op) -> Result<(), No> {
        let ty = self.code.regs[dst.0 as usize];
        if let Some(call) = self.calls.get(&dst).copied() {
            if self.done.insert(dst) {
                if let Some(p) = self.of_complex(s, call) {
                    self.set(s, dst, p);
                    return Ok(());
                }
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
                // Under a condition the others' subscripts may lie outside.
                let text = match self.guarded {
                    0 => format!("{}[{}]", s.table(*table), index.text),
                    _ => format!("{}.take({}, mode=\"clip\")", s.table(*table), index.text),
                };
                Py { short: false, ..Py::atom(text, ty, index.over) }
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
        self.guarded += 1;
        let held = s.capture();
        self.block(s, then)?;
        let first = s.release(held);
        let yes = std::mem::replace(&mut self.state, before.clone());
        let held = s.capture();
        self.block(s, otherwise)?;
        let second = s.release(held);
        self.guarded -= 1;
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
        for (word, lines, state) in [(format!("if {}:", cond.text), first, &yes), ("else:".to_string(), second, &no)] {
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
}

/// The value that a reduction of no terms has.
pub fn neutral(op: crate::ir::kernel::FoldOp, ty: Ty) -> String {
    use crate::ir::kernel::FoldOp as F;
    let end = |least: bool| match (ty, least) {
        (ty, true) if ty.is_float() => "-np.inf".to_string(),
        (ty, false) if ty.is_float() => "np.inf".into(),
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
