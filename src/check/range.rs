//! What is known about integers before the program runs: the interval of every value, so that subscripts can be proved.

use super::Checker;
use super::emit::{Val, ValKind};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, BinaryOp, OperandId, ScalarId, UnaryOp};
use crate::ir::ty::{Ty, Value};
use crate::source::{FileId, Span};

/// Bounds that stand for none: far beyond any extent, and safe to add.
const FAR: i64 = 1 << 60;

/// Everything: what a scalar of unknown range may be.
pub(super) const ANYTHING: Interval = Interval { lo: -FAR, hi: FAR };

/// Whether both ends are known.
fn bounded(r: Interval) -> bool {
    r.lo > -FAR && r.hi < FAR
}

impl Checker<'_> {
    /// The range of a workflow scalar where the code being written runs: what its declaration says, and the conditions
    /// around the code.
    pub(super) fn scalar_range(&self, id: ScalarId) -> Option<Interval> {
        let known = self.program.scalar_ranges.get(&id).copied().unwrap_or(ANYTHING);
        let facts = self.scalar_facts.iter().filter(|f| f.id == id);
        let r = facts.fold(known, |r, f| r.intersect(f.range));
        bounded(r).then_some(r)
    }

    /// The range of an affine value where the code being written runs.
    pub(super) fn affine_range(&mut self, a: &Affine) -> Option<Interval> {
        let within = self.builder().within_box();
        let counters = self.builder().counters_of(std::slice::from_ref(a))?;
        let span = Span::new(FileId(0), 0, 0);
        let probe = Access { operand: OperandId(0), index: vec![a.clone()], within, counters, checks: vec![], span };
        let image = probe.image(&probe.within, &|s| self.scalar_range(s))?;
        image.dims.first().copied()
    }

    /// The interval of an integer's values where the code being written runs.
    pub(super) fn known_range(&mut self, v: &Val) -> Option<Interval> {
        if let ValKind::Reg(_) = v.kind {
            return v.range;
        }
        let a = v.as_affine()?;
        self.affine_range(&a)
    }

    /// `a op b` on two values of one type, with what is known of the result.
    pub(super) fn arithmetic(&mut self, op: BinaryOp, a: &Val, b: &Val) -> Val {
        let v = self.builder().binary(op, a, b);
        if !v.ty.is_int() || !matches!(v.kind, ValKind::Reg(_)) {
            return v;
        }
        let (x, y) = (self.known_range(a), self.known_range(b));
        let range = image(op, x, y).filter(|r| fits(*r, v.ty));
        v.ranged(range)
    }

    /// `op a`, with what is known of the result.
    pub(super) fn arithmetic_unary(&mut self, op: UnaryOp, a: &Val) -> Val {
        let v = self.builder().unary(op, a);
        if !v.ty.is_int() || !matches!(v.kind, ValKind::Reg(_)) {
            return v;
        }
        let range = self.known_range(a).filter(|r| !r.is_empty()).and_then(|r| match op {
            UnaryOp::Neg => Some(Interval::new(1 - r.hi, 1 - r.lo)),
            UnaryOp::Abs if r.lo >= 0 => Some(r),
            UnaryOp::Abs if r.hi <= 1 => Some(Interval::new(1 - r.hi, 1 - r.lo)),
            UnaryOp::Abs => Some(Interval::new(0, r.hi.max(1 - r.lo))),
            _ => None,
        });
        v.ranged(range.filter(|r| fits(*r, a.ty)))
    }

    /// A conversion, with what is known of the result.
    pub(super) fn cast_value(&mut self, a: &Val, ty: Ty) -> Val {
        let v = self.builder().cast(a, ty);
        if !ty.is_int() || !a.ty.is_int() || !matches!(v.kind, ValKind::Reg(_)) {
            return v;
        }
        let range = self.known_range(a).filter(|r| fits(*r, ty));
        v.ranged(range)
    }
}

/// Whether a type holds every value of an interval.
fn fits(r: Interval, ty: Ty) -> bool {
    let holds = |v: i64| Value::int(ty, v as i128).as_int() == Some(v as i128);
    r.is_empty() || (holds(r.lo) && holds(r.hi - 1))
}

/// The interval of `a op b`; an operand may be unknown where the other decides.
fn image(op: BinaryOp, a: Option<Interval>, b: Option<Interval>) -> Option<Interval> {
    use BinaryOp as B;
    if a.is_some_and(|r| r.is_empty()) || b.is_some_and(|r| r.is_empty()) {
        return Some(Interval::EMPTY);
    }
    match (op, a, b) {
        (B::Mod, Some(a), Some(b)) if a.lo >= 0 && a.hi <= b.lo => Some(a),
        (B::Mod, _, Some(b)) if b.lo > 0 => Some(Interval::new(0, b.hi - 1)),
        (B::And, Some(a), _) if a.lo >= 0 => Some(Interval::new(0, a.hi)),
        (B::And, _, Some(b)) if b.lo >= 0 => Some(Interval::new(0, b.hi)),
        (B::IntDiv, Some(a), Some(b)) if b.lo > 0 => corners(a, b, |x, y| Some(x.div_euclid(y))),
        (B::Shr, Some(a), Some(b)) if b.lo >= 0 && b.hi <= 32 => corners(a, b, |x, y| Some(x >> y)),
        (B::Add, Some(a), Some(b)) => corners(a, b, i64::checked_add),
        (B::Sub, Some(a), Some(b)) => corners(a, b, i64::checked_sub),
        (B::Mul, Some(a), Some(b)) => corners(a, b, i64::checked_mul),
        (B::Min, Some(a), Some(b)) => Some(Interval::new(a.lo.min(b.lo), a.hi.min(b.hi))),
        (B::Max, Some(a), Some(b)) => Some(Interval::new(a.lo.max(b.lo), a.hi.max(b.hi))),
        _ => None,
    }
}

/// The hull of an operation that is monotone in each operand.
fn corners(a: Interval, b: Interval, f: impl Fn(i64, i64) -> Option<i64>) -> Option<Interval> {
    let mut out = Interval::EMPTY;
    for x in [a.lo, a.hi - 1] {
        for y in [b.lo, b.hi - 1] {
            let v = f(x, y)?;
            out = out.hull(Interval::new(v, v.checked_add(1)?));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interval of an operation holds every value, and each of its ends is taken where the operands vary alone.
    #[test]
    fn intervals_hold_every_value() {
        use BinaryOp as B;
        let ranges = [(-7, -2), (-3, 4), (0, 1), (0, 6), (2, 5), (5, 9)].map(|(a, b)| Interval::new(a, b));
        for op in [B::Mod, B::And, B::IntDiv, B::Shr, B::Add, B::Sub, B::Mul, B::Min, B::Max] {
            for a in ranges {
                for b in ranges {
                    let Some(r) = image(op, Some(a), Some(b)) else { continue };
                    for x in a.lo..a.hi {
                        for y in b.lo..b.hi {
                            let v = crate::ir::fold::binary(op, Value::i64(x), Value::i64(y)).as_int().unwrap() as i64;
                            assert!(r.lo <= v && v < r.hi, "{op:?} of {x} and {y} is {v}, not in {r:?}");
                        }
                    }
                }
            }
        }
    }
}
