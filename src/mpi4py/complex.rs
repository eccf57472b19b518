//! Complex numbers in scripts. In a plan they are two values, and an array of them has its parts in a last dimension; in NumPy they
//! are one. The script is made from a plan without that dimension, and pairs of registers that hold the parts of one number become
//! expressions of complex numbers where they are those that the compiler writes.

use super::code::Writer;
use super::expr::{self, Py, level};
use super::{No, Script};
use crate::ir::format::complex_text;
use crate::ir::kernel::{AccessId, Affine, ArrayId, BinaryOp, Inst, Nest, Op, Reg, ScalarId, Sym, UnaryOp};
use crate::ir::plan::{Home, Item, Plan, PlanNestId};
use crate::ir::ty::Ty;
use std::collections::BTreeMap;

/// Which part accesses and stores of nests mean; where none is said, a whole number (of copies).
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub loads: BTreeMap<(PlanNestId, usize), i64>,
    pub stores: BTreeMap<(PlanNestId, usize), i64>,
}

/// The plan with elements that are complex numbers, and which parts of them its nests mean.
pub fn without_parts(plan: &Plan) -> (Plan, Parts) {
    let (mut out, mut parts) = (plan.clone(), Parts::default());
    let complex = |a: ArrayId| plan.array(a).array.complex;
    for a in out.arrays.iter_mut().filter(|a| a.array.complex) {
        let element = a.array.element();
        let (placement, edges) = a.array.declared();
        (a.array.placement, a.array.edges, a.array.ty, a.array.complex) = (placement, edges, element, false);
        a.array.shape.pop();
        a.ghost.pop();
        short(&mut a.layout);
    }
    for e in &mut out.exchanges {
        for item in &mut e.items {
            if let Item::Ghost { array, arms } = item
                && complex(*array)
            {
                arms.iter_mut().for_each(|arm| arm.widths.truncate(arm.widths.len() - 1));
            }
        }
    }
    for (k, n) in out.nests.iter_mut().enumerate() {
        let id = PlanNestId(k as u32);
        let nest = &mut n.nest;
        let array = |nest: &Nest, o: crate::ir::kernel::OperandId| nest.operands[o.0 as usize].array;
        if let Home::Owner { layout, index, .. } = &mut n.home
            && index.len() > 1
            && plan.arrays.iter().any(|a| a.array.complex && a.layout == *layout)
            && index.last().is_some_and(|i| part_of(i, nest).is_some())
        {
            index.pop();
            short(layout);
        }
        for s in 0..nest.stores.len() {
            if complex(array(nest, nest.stores[s].operand)) {
                parts.stores.extend(taken(&mut nest.stores[s].index).map(|p| ((id, s), p)));
            }
        }
        for a in 0..nest.accesses.len() {
            if complex(array(nest, nest.accesses[a].operand)) {
                parts.loads.extend(taken(&mut nest.accesses[a].index).map(|p| ((id, a), p)));
            }
        }
        for o in &mut nest.operands {
            if complex(o.array) {
                (o.ty, o.rank) = (out.arrays[o.array.0 as usize].array.ty, o.rank - 1);
            }
        }
        // A copy goes over the parts too: over whole numbers it has a dimension less.
        let whole = (0..nest.stores.len())
            .any(|s| complex(array(nest, nest.stores[s].operand)) && !parts.stores.contains_key(&(id, s)));
        if whole {
            nest.domain.dims.pop();
            nest.accesses.iter_mut().for_each(|a| a.within.dims.truncate(a.within.dims.len() - 1));
        }
    }
    (out, parts)
}

/// The part that a last subscript means: a number, or the last dimension of the domain.
fn part_of(i: &Affine, nest: &Nest) -> Option<()> {
    match i.terms[..] {
        [] => (i.konst == 0 || i.konst == 1).then_some(()),
        [(Sym::Dim(d), 1)] => (d + 1 == nest.domain.rank() && nest.domain.dims[d].len() == 2).then_some(()),
        _ => None,
    }
}

/// Takes the last subscript away; gives it where it is a number.
fn taken(index: &mut Vec<Affine>) -> Option<i64> {
    let last = index.pop()?;
    last.terms.is_empty().then_some(last.konst)
}

fn short(layout: &mut crate::ir::layout::Layout) {
    layout.shape.pop();
    layout.dists.pop();
    layout.cuts.pop();
}

/// Where the real and the imaginary part of a number come from.
struct Pair<'c>(&'c Op, &'c Op);

impl<'c> Writer<'c> {
    /// The operation that sets a register, if one alone does, outside of loops.
    fn made(&self, r: Reg) -> Option<&'c Op> {
        let mut found = vec![];
        setters(&self.code.body, r, &mut found);
        if let [Some(op)] = found[..] { Some(op) } else { None }
    }

    /// The complex number whose parts two registers hold, if they are what the compiler writes for one.
    pub(super) fn joined(&self, s: &mut Script, re: Reg, im: Reg, ty: Ty) -> Option<Py> {
        let (a, b) = self.made(re).zip(self.made(im))?;
        let pair = Pair(a, b);
        self.leaf(s, &pair, ty)
            .or_else(|| self.function(s, re, im, ty))
            .or_else(|| self.operation(s, &pair, (re, im), ty))
    }

    /// A number that is read.
    fn leaf(&self, s: &mut Script, Pair(re, im): &Pair, ty: Ty) -> Option<Py> {
        match (re, im) {
            (Op::Load(a), Op::Load(b)) => self.both_parts(s, *a, *b),
            (Op::Const(a), Op::Const(b)) if b.bits == 0 => Some(Py { ty, ..Py::value(*a) }),
            (Op::Const(a), Op::Const(b)) => {
                let text = complex_text(*a, *b, None);
                (!text.contains("inf") && !text.contains("nan")).then(|| Py::atom(text, ty, 0))
            }
            (Op::Scalar(a), Op::Scalar(b)) if b.0 == a.0 + 1 && s.plan.program.scalars[a.0 as usize].complex => {
                Some(s.complex_scalar(*a))
            }
            _ => None,
        }
    }

    fn both_parts(&self, s: &mut Script, a: AccessId, b: AccessId) -> Option<Py> {
        let id = self.nest?;
        let nest = &s.plan.nest(id).nest;
        let (x, y) = (&nest.accesses[a.0 as usize], &nest.accesses[b.0 as usize]);
        let part = |k: AccessId| s.parts.loads.get(&(id, k.0 as usize)).copied();
        if x.operand != y.operand || x.index != y.index || (part(a), part(b)) != (Some(0), Some(1)) {
            return None;
        }
        s.load_whole(id, a.0 as usize, &self.axes).ok()
    }

    /// What a function gives: `exp`, `log`.
    fn function(&self, s: &mut Script, re: Reg, im: Reg, ty: Ty) -> Option<Py> {
        let call = |r: Reg, name: &str| self.calls.get(&r).filter(|c| c.name == name).map(|c| c.args.clone());
        let reg = |a: &crate::ir::kernel::Argument| match a {
            crate::ir::kernel::Argument::Reg(r) => Some(*r),
            _ => None,
        };
        let of = |z: Py, name: &str| Py::compound(format!("np.{name}({})", z.text), level::ATOM, ty, z.over);
        if let (Some(Op::Binary(BinaryOp::Mul, size, c)), Some(Op::Binary(BinaryOp::Mul, again, t))) =
            (self.made(re), self.made(im))
            && size == again
            && let (Some(x), Some(y), Some(z)) = (call(*size, "exp"), call(*c, "cos"), call(*t, "sin"))
            && y == z
        {
            return Some(of(self.joined(s, reg(&x[0])?, reg(&y[0])?, ty)?, "exp"));
        }
        let (size, angle) = (call(re, "log")?, call(im, "atan2")?);
        let parts = call(reg(&size[0])?, "hypot")?;
        if parts != [angle[1].clone(), angle[0].clone()] {
            return None;
        }
        Some(of(self.joined(s, reg(&parts[0])?, reg(&parts[1])?, ty)?, "log"))
    }

    fn operation(&self, s: &mut Script, Pair(re, im): &Pair, regs: (Reg, Reg), ty: Ty) -> Option<Py> {
        use BinaryOp as B;
        match (re, im) {
            (Op::Copy(a), Op::Copy(b)) => self.joined(s, *a, *b, ty),
            (Op::Unary(UnaryOp::Neg, a), Op::Unary(UnaryOp::Neg, b)) => {
                Some(expr::unary(UnaryOp::Neg, &self.joined(s, *a, *b, ty)?))
            }
            (Op::Cast(a), Op::Cast(b)) => {
                let from = if *self.code.regs.get(a.0 as usize)? == Ty::F32 { Ty::C64 } else { Ty::C128 };
                let z = self.joined(s, *a, *b, from).filter(|z| z.ty == from)?;
                Some(expr::cast(&z, ty))
            }
            (_, Op::Unary(UnaryOp::Neg, b)) => {
                let z = self.joined(s, regs.0, *b, ty)?;
                Some(Py::compound(format!("np.conj({})", z.text), level::ATOM, ty, z.over))
            }
            (Op::Select(c, a, b), Op::Select(d, x, y)) if c == d => {
                let (yes, no) = (self.joined(s, *a, *x, ty)?, self.joined(s, *b, *y, ty)?);
                Some(expr::choice(&self.get(*c).ok()?, &yes, &no))
            }
            (Op::Binary(B::Mul, a, k), Op::Binary(B::Mul, b, l)) if k == l => {
                match self.quotient(s, (*a, *b), *k, ty) {
                    Some(z) => Some(z),
                    None => self.with_real(s, B::Mul, (*a, *b), *k, ty),
                }
            }
            (Op::Binary(B::Div, a, k), Op::Binary(B::Div, b, l)) if k == l => {
                self.with_real(s, B::Div, (*a, *b), *k, ty)
            }
            (Op::Binary(B::Sub, ac, bd), Op::Binary(B::Add, ad, bc))
                if self.is_product((*ac, *bd), (*ad, *bc)).is_some() =>
            {
                let ((a, b), (c, d)) = self.is_product((*ac, *bd), (*ad, *bc))?;
                let (x, y) = (self.joined(s, a, b, ty)?, self.joined(s, c, d, ty)?);
                expr::binary(B::Mul, &x, &y, ty)
            }
            (Op::Binary(op @ (B::Add | B::Sub), a, b), Op::Binary(same, c, d)) if op == same => {
                let (x, y) = (self.joined(s, *a, *c, ty)?, self.joined(s, *b, *d, ty)?);
                expr::binary(*op, &x, &y, ty)
            }
            // A real number: its imaginary part is zero.
            (_, Op::Const(zero)) if zero.bits == 0 => self.get(regs.0).ok(),
            _ => None,
        }
    }

    /// A complex number times or by a real one.
    fn with_real(&self, s: &mut Script, op: BinaryOp, z: (Reg, Reg), k: Reg, ty: Ty) -> Option<Py> {
        let z = self.joined(s, z.0, z.1, ty)?;
        expr::binary(op, &z, &self.get(k).ok()?, ty)
    }

    /// The factors of `(a c - b d) + (a d + b c) i`.
    #[allow(clippy::type_complexity)]
    fn is_product(&self, (ac, bd): (Reg, Reg), (ad, bc): (Reg, Reg)) -> Option<((Reg, Reg), (Reg, Reg))> {
        let product = |r: Reg| match self.made(r)? {
            Op::Binary(BinaryOp::Mul, x, y) => Some((*x, *y)),
            _ => None,
        };
        let ((a, c), (b, d)) = (product(ac)?, product(bd)?);
        (product(ad)? == (a, d) && product(bc)? == (b, c)).then_some(((a, b), (c, d)))
    }

    /// Smith's quotient: both parts times `s = 1 / (most + least * r)`.
    fn quotient(&self, s: &mut Script, (re, im): (Reg, Reg), by: Reg, ty: Ty) -> Option<Py> {
        let select = |r: Reg| match self.made(r)? {
            Op::Select(w, a, b) => Some((*w, *a, *b)),
            _ => None,
        };
        let Op::Binary(BinaryOp::Div, _, length) = self.made(by)? else { return None };
        let Op::Binary(BinaryOp::Add, most, _) = self.made(*length)? else { return None };
        let Op::Binary(BinaryOp::Add, first, _) = self.made(re)? else { return None };
        let ((w, c, d), (v, a, b)) = (select(*most)?, select(*first)?);
        if v != w || select(im)?.0 != w {
            return None;
        }
        let (x, y) = (self.joined(s, a, b, ty)?, self.joined(s, c, d, ty)?);
        expr::binary(BinaryOp::Div, &x, &y, ty)
    }

    /// `np.abs(z)` and `np.angle(z)`, where a function of two reals is that.
    pub(super) fn of_complex(&self, s: &mut Script, call: &crate::ir::kernel::Call) -> Option<Py> {
        use crate::ir::kernel::Argument::Reg as R;
        let (name, re, im) = match (call.name.as_str(), &call.args[..]) {
            ("hypot", [R(re), R(im)]) => ("abs", *re, *im),
            ("atan2", [R(im), R(re)]) => ("angle", *re, *im),
            _ => return None,
        };
        let part = *self.code.regs.get(re.0 as usize)?;
        let ty = if part == Ty::F32 { Ty::C64 } else { Ty::C128 };
        let z = self.joined(s, re, im, ty).filter(|z| z.ty == ty && z.over != 0)?;
        Some(Py::compound(format!("np.{name}({})", z.text), level::ATOM, part, z.over))
    }
}

/// The operations that set a register; `None` for one in a loop.
fn setters<'c>(body: &'c [Inst], r: Reg, out: &mut Vec<Option<&'c Op>>) {
    for i in body {
        match i {
            Inst::Op { dst, op } if *dst == r => out.push(Some(op)),
            Inst::Op { .. } | Inst::Break => {}
            Inst::If { then, otherwise, .. } => {
                setters(then, r, out);
                setters(otherwise, r, out);
            }
            Inst::Loop { body, .. } => {
                let before = out.len();
                setters(body, r, out);
                out[before..].iter_mut().for_each(|o| *o = None);
            }
        }
    }
}

impl Script<'_> {
    /// A complex scalar of the workflow, whose parts the script holds.
    pub fn complex_scalar(&mut self, id: ScalarId) -> Py {
        let (re, im) = (self.scalar(id), self.scalar(ScalarId(id.0 + 1)));
        let (text, ty) = (format!("complex({}, {})", re.text, im.text), re.ty);
        match ty {
            Ty::F32 => Py::atom(format!("np.complex64({text})"), Ty::C64, 0),
            _ => Py::atom(text, Ty::C128, 0),
        }
    }

    /// The parts of stores that stand beside one another, as one number where that has a form.
    pub fn stores_of_parts(&self, id: PlanNestId) -> Vec<usize> {
        let stores = &self.plan.nest(id).nest.stores;
        let part = |k: usize| self.parts.stores.get(&(id, k)).copied();
        let first = |k: &usize| {
            let next = stores.get(k + 1).filter(|n| n.operand == stores[*k].operand && n.index == stores[*k].index);
            part(*k) == Some(0) && next.is_some() && part(k + 1) == Some(1)
        };
        (0..stores.len()).filter(first).collect()
    }

    /// Takes lines away that name what nothing reads: parts that complex expressions took the place of.
    pub fn drop_unread(&mut self, from: usize) -> Result<(), No> {
        let mut k = self.lines.len();
        while k > from {
            k -= 1;
            let Some((name, _)) = self.lines[k].trim_start().split_once(" = ") else { continue };
            let (name, temporary) =
                (name.to_string(), name.starts_with('t') && name[1..].chars().all(|c| c.is_ascii_digit()));
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let read = |line: &String| {
                line.match_indices(&name)
                    .any(|(at, _)| !line[..at].ends_with(word) && !line[at + name.len()..].starts_with(word))
            };
            if temporary && !self.lines[k + 1..].iter().any(read) {
                self.lines.remove(k);
            }
        }
        Ok(())
    }
}
