//! The elements that equations define, and the proof that a result is defined exactly once. Where a scalar picks an element, a part
//! of the proof is left to a check when the program runs.

use super::Checker;
use super::emit::{Builder, Val};
use crate::diag::Diagnostic;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B};
use crate::ir::program::{PrintPart, RunCheck, StmtKind};
use crate::ir::ty::Value;
use crate::source::Span;

/// The elements that one equation defines: first, count and step in each dimension.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub dims: Vec<(i64, i64, i64)>,
    /// Dimensions in which it is only one place, which a scalar of the workflow picks.
    pub picks: Vec<(usize, Val)>,
    /// It has `otherwise`: elements of earlier regions are not meant.
    pub rest: bool,
    pub span: Span,
}

impl Region {
    fn pick(&self, d: usize) -> Option<&Val> {
        self.picks.iter().find(|p| p.0 == d).map(|p| &p.1)
    }

    /// Whether the element at these subscripts lies outside.
    pub fn misses(&self, b: &mut Builder, at: &[Val]) -> Val {
        let mut out = Val::constant(Value::bool(false));
        for (d, i) in at.iter().enumerate() {
            let other = match self.pick(d) {
                Some(v) => b.binary(B::Ne, i, v),
                None => outside(b, i, self.dims[d]),
            };
            out = either(b, &out, &other);
        }
        out
    }

    pub fn count(&self) -> i64 {
        self.dims.iter().map(|d| d.1).product()
    }

    /// The smallest box around it.
    pub fn hull(&self) -> IndexBox {
        let dims = self
            .dims
            .iter()
            .map(|&(lo, n, by)| if n == 0 { Interval::EMPTY } else { Interval::new(lo, lo + (n - 1) * by + 1) });
        IndexBox::new(dims.collect())
    }

    /// The first element that both define.
    fn first_shared(&self, o: &Region) -> Option<Vec<i64>> {
        self.dims.iter().zip(&o.dims).map(|(&a, &b)| first_common(a, b)).collect()
    }
}

/// `a or b`, less what is known.
fn either(b: &mut Builder, x: &Val, y: &Val) -> Val {
    match (x.as_const(), y.as_const()) {
        (Some(k), _) => {
            if k.as_bool() {
                x.clone()
            } else {
                y.clone()
            }
        }
        (_, Some(k)) => {
            if k.as_bool() {
                y.clone()
            } else {
                x.clone()
            }
        }
        _ => b.binary(B::Or, x, y),
    }
}

/// Whether a place is none of a progression (first, count, step).
fn outside(b: &mut Builder, at: &Val, (first, count, by): (i64, i64, i64)) -> Val {
    let k = |v: i64| Val::constant(Value::i64(v));
    let low = b.binary(B::Lt, at, &k(first));
    let high = b.binary(B::Ge, at, &k(first + (count - 1) * by + 1));
    let out = either(b, &low, &high);
    if by == 1 {
        return out;
    }
    let step = b.binary(B::Sub, at, &k(first));
    let over = b.binary(B::Mod, &step, &k(by));
    let between = b.binary(B::Ne, &over, &k(0));
    either(b, &out, &between)
}

/// The first term that two arithmetic progressions (first, count, step) share.
fn first_common(a: (i64, i64, i64), b: (i64, i64, i64)) -> Option<i64> {
    if a.1 == 0 || b.1 == 0 {
        return None;
    }
    let lo = a.0.max(b.0);
    let hi = (a.0 + (a.1 - 1) * a.2).min(b.0 + (b.1 - 1) * b.2);
    // The first common term at or after `lo` lies within one least common multiple.
    let period = lcm(a.2, b.2)?;
    let mut x = lo + (a.0 - lo).rem_euclid(a.2);
    while x <= hi && x < lo + period + a.2 {
        if (x - b.0) % b.2 == 0 {
            return Some(x);
        }
        x += a.2;
    }
    None
}

/// The first point of a box that no region holds; looks at a million points at most.
fn first_outside(b: &IndexBox, regions: &[&Region]) -> Option<Vec<i64>> {
    let mut at: Vec<i64> = b.dims.iter().map(|d| d.lo).collect();
    for _ in 0..b.len().min(1 << 20) {
        let holds = |r: &&Region| {
            r.dims.iter().zip(&at).all(|(d, &i)| i >= d.0 && (i - d.0) % d.2 == 0 && (i - d.0) / d.2 < d.1)
        };
        if !regions.iter().any(holds) {
            return Some(at);
        }
        for d in (0..at.len()).rev() {
            at[d] += 1;
            if at[d] < b.dims[d].hi {
                break;
            }
            at[d] = b.dims[d].lo;
        }
    }
    None
}

/// The greatest number of residue classes that the rest of strided equations is cut into.
const MOST_CLASSES: i64 = 256;

/// What no region holds, as progressions in each dimension (first, count, step); `None` when the strides are too many.
pub(super) fn rest_of(shape: &[i64], earlier: &[Region]) -> Option<Vec<Vec<(i64, i64, i64)>>> {
    let stride = |d: usize| earlier.iter().try_fold(1i64, |l, r| lcm(l, r.dims[d].2));
    let strides: Vec<i64> = (0..shape.len()).map(stride).collect::<Option<_>>()?;
    let classes = strides.iter().try_fold(1i64, |p, &s| p.checked_mul(s)).filter(|n| *n <= MOST_CLASSES)?;
    let mut out = vec![];
    for class in 0..classes {
        let mut left = class;
        let first: Vec<i64> = strides.iter().map(|s| (left % s, left /= s).0).collect();
        let count = |d: usize| (shape[d] - first[d] + strides[d] - 1).div_euclid(strides[d]).max(0);
        let mut rest = vec![IndexBox::new((0..shape.len()).map(|d| Interval::new(0, count(d))).collect())];
        for r in earlier {
            let Some(held) = in_class(r, &first, &strides) else { continue };
            rest = rest.iter().flat_map(|b| b.minus(&held)).collect();
        }
        for b in rest.iter().filter(|b| !b.is_empty()) {
            let dim = |d: usize| (first[d] + strides[d] * b.dims[d].lo, b.dims[d].len(), strides[d]);
            out.push((0..shape.len()).map(dim).collect());
        }
    }
    Some(out)
}

/// The part of a region in one residue class, counted in steps of the class.
fn in_class(r: &Region, first: &[i64], strides: &[i64]) -> Option<IndexBox> {
    let mut dims = vec![];
    for ((&(lo, n, by), &f), &s) in r.dims.iter().zip(first).zip(strides) {
        if n == 0 || (f - lo) % by != 0 {
            return None;
        }
        let last = lo + (n - 1) * by;
        dims.push(Interval::new(-(f - lo).div_euclid(s), (last - f).div_euclid(s) + 1));
    }
    Some(IndexBox::new(dims))
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    let (mut s, mut t) = (a, b);
    while t != 0 {
        (s, t) = (t, s % t);
    }
    (a / s).checked_mul(b)
}

impl Checker<'_> {
    /// Every element of a result is defined exactly once.
    pub(super) fn prove_cover(&mut self, array: ArrayId, name: &str, regions: &[Region], declared: Span) {
        if self.generic {
            return;
        }
        let shape = self.program.arrays[array.0 as usize].extents().to_vec();
        if !self.picks_leave_rest(name, regions) {
            return;
        }
        let (picked, regions): (Vec<Region>, Vec<Region>) = regions.iter().cloned().partition(|r| !r.picks.is_empty());
        for (k, a) in regions.iter().enumerate().filter(|r| !r.1.rest) {
            let found = regions[..k].iter().find_map(|b| Some((b, b.first_shared(a)?)));
            if let Some((b, first)) = found {
                let strided = a.dims.iter().chain(&b.dims).any(|d| d.2 != 1);
                let both = match strided {
                    true => format!("{first:?}"),
                    false => a.hull().intersect(&b.hull()).to_string(),
                };
                let d = Diagnostic::error(
                    "E0401",
                    format!("two equations define the same elements of `{name}`, such as {both}"),
                    a.span,
                    "this equation",
                )
                .label(b.span, "and this one")
                .help("restrict one with `for … in …`, or write `otherwise` for the rest");
                self.report(d);
                return;
            }
        }
        let total: i64 = shape.iter().product();
        let covered: i64 = regions.iter().map(|r| r.count()).sum();
        // A rest that was not cut into parts is everything, less what earlier equations define.
        if covered == total || regions.iter().any(|r| r.rest && r.count() == total) {
            return;
        }
        let mut rest = vec![IndexBox::whole(&shape)];
        for r in regions.iter().filter(|r| r.dims.iter().all(|d| d.2 == 1)) {
            rest = rest.iter().flat_map(|b| b.minus(&r.hull())).collect();
        }
        let strided: Vec<&Region> = regions.iter().filter(|r| r.dims.iter().any(|d| d.2 != 1)).collect();
        let missing = match &strided[..] {
            [] => rest.first().map(|b| format!(", such as {b}")),
            _ => rest.iter().find_map(|b| first_outside(b, &strided)).map(|at| format!(", such as {at:?}")),
        };
        let missing = missing.unwrap_or_default();
        let at = regions.last().or(picked.last()).map_or(declared, |r| r.span);
        let d = Diagnostic::error(
            "E0402",
            format!("{} of {total} elements of `{name}` are not defined{missing}", total - covered),
            at,
            "the equations stop short of the whole result",
        )
        .label(declared, format!("`{name}` has {total} elements"))
        .help(format!("add `{name}[…] = … otherwise` for the rest"));
        self.report(d);
    }

    /// An element that a scalar picks is one of those that `otherwise` leaves out.
    fn picks_leave_rest(&mut self, name: &str, regions: &[Region]) -> bool {
        for (k, a) in regions.iter().enumerate().filter(|r| !r.1.picks.is_empty()) {
            if regions[..k].iter().any(|r| r.rest) || !regions[k..].iter().any(|r| r.rest) {
                let d = Diagnostic::error(
                    "E0401",
                    format!("nothing says that other equations of `{name}` leave out the element that is picked here"),
                    a.span,
                    "this element is known when the program runs",
                )
                .help(format!("define the other elements behind it: `{name}[…] = … otherwise`"));
                self.report(d);
                return false;
            }
        }
        true
    }

    /// A check, when the program runs, that a new equation does not define what an earlier one does: one of them is for an
    /// element that a scalar picks.
    pub(super) fn check_picks(&mut self, name: &str, new: &Region, earlier: &[Region]) {
        if self.generic || new.rest {
            return;
        }
        for old in earlier.iter().filter(|old| !old.rest) {
            let (a, b) = if old.picks.is_empty() { (new, old) } else { (old, new) };
            if a.picks.is_empty() || a.count() == 0 || b.count() == 0 {
                continue;
            }
            let mut apart = Val::constant(Value::bool(false));
            let cond = self.before("", |w| {
                for d in 0..a.dims.len() {
                    let differ = match (a.pick(d), b.pick(d)) {
                        (Some(x), Some(y)) => w.binary(B::Ne, x, y),
                        (Some(x), None) | (None, Some(x)) => {
                            outside(w, x, if a.pick(d).is_some() { b.dims[d] } else { a.dims[d] })
                        }
                        (None, None) => Val::constant(Value::bool(first_common(a.dims[d], b.dims[d]).is_none())),
                    };
                    apart = either(w, &apart, &differ);
                }
                apart.clone()
            });
            if apart.as_const().is_some_and(|k| k.as_bool()) {
                continue;
            }
            let mut why = vec![PrintPart::Text(format!("two equations define the same element of `{name}`: index "))];
            for (k, (_, v)) in a.picks.iter().enumerate() {
                why.extend((k > 0).then(|| PrintPart::Text(", ".into())));
                let id = self.before("", |_| v.clone());
                why.push(PrintPart::Scalar { id, format: None });
            }
            self.emit_stmt(StmtKind::Assert { cond, why, check: Some(RunCheck::Picks) }, new.span);
        }
    }

    /// Where none of these regions holds the element at affine subscripts.
    pub(super) fn in_none(&mut self, regions: &[Region], at: &[Affine]) -> Option<Val> {
        let at: Vec<Val> = at.iter().map(|a| Val::affine(a.clone())).collect();
        let mut all: Option<Val> = None;
        for r in regions {
            let b = self.builder();
            let misses = r.misses(b, &at);
            all = Some(match all {
                None => misses,
                Some(a) => b.binary(B::And, &a, &misses),
            });
        }
        all
    }
}
