//! Subscripts that are values: `x[idx[i]]`. What such a subscript may be is not known before the program runs, so the edge rule
//! of the array is written into the code, and where there is none the read says that it has to be checked.

use super::Checker;
use super::emit::Val;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, Check, Reg, Sym};
use crate::ir::program::Edge;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;

/// A subscript that is a value of the element.
pub(super) struct Computed {
    pub reg: Reg,
    /// What the register holds wherever the read happens.
    pub range: Interval,
    /// It holds that only if a check says so.
    pub check: Option<Check>,
    pub mend: Mend,
}

/// What becomes of an element that was read past an edge.
pub(super) enum Mend {
    Nothing,
    /// Its sign turns where this holds.
    Negate(Val),
    /// It is this value, unless the condition holds; of a complex number its parts.
    Unless(Val, [Value; 2]),
}

impl Checker<'_> {
    /// Whether a subscript is index arithmetic that can be proved; else it is a value of the element.
    pub(super) fn provable(&mut self, a: &Affine) -> bool {
        let conditional = self.builder().conditional && !self.generic;
        let known = |c: &mut Self, sym: Sym| match sym {
            Sym::Scalar(id) => c.builder().picks.iter().any(|p| p.0 == id) || c.scalar_range(id).is_some(),
            _ => true,
        };
        if conditional && !a.terms.iter().all(|t| known(self, t.0)) {
            return false;
        }
        let Some(counters) = self.builder().counters_of(std::slice::from_ref(a)) else { return false };
        // A loop up to a scalar that may be anything.
        let mut ends = counters.iter().flat_map(|c| c.1.terms.iter().chain(&c.2.terms));
        !conditional || ends.all(|t| known(self, t.0))
    }

    /// Subscript `d` of an array as a value of the element.
    pub(super) fn computed_subscript(&mut self, array: ArrayId, d: usize, v: Val, span: Span) -> Option<Computed> {
        let (n, edge, name) = {
            let a = &self.program.arrays[array.0 as usize];
            (a.shape[d], a.edges[d], a.name.clone())
        };
        if n == 0 && !self.generic {
            let message = format!("`{name}` has no elements to read in dimension {d}");
            return self.fail_help("E0301", message, span, "its extent is 0", "let its extent be at least 1");
        }
        let n = n.max(1);
        let known = self.known_range(&v).filter(|r| !r.is_empty());
        let v = self.builder().cast(&v, Ty::I64);
        let inside = known.filter(|r| r.lo >= 0 && r.hi <= n);
        let (v, mend) = match inside {
            Some(_) => (v, Mend::Nothing),
            None => self.folded(v, edge, n),
        };
        let from = self.builder().materialise(&v);
        let reg = self.builder().variable(Ty::I64);
        self.builder().set(reg, from);
        let check = (inside.is_none() && edge == Edge::None).then(|| Check {
            reg,
            extent: n,
            text: self.subscript_text(span),
            array: name,
            span,
        });
        Some(Computed { reg, range: inside.unwrap_or(Interval::new(0, n)), check, mend })
    }

    /// A subscript as it is written, in one line.
    pub(super) fn subscript_text(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The subscript inside the array that an edge rule names, and what becomes of the element there.
    fn folded(&mut self, v: Val, edge: Edge, n: i64) -> (Val, Mend) {
        let k = |v: i64| Val::constant(Value::i64(v));
        let b = self.builder();
        match edge {
            Edge::None => (v, Mend::Nothing),
            Edge::Periodic => (b.binary(B::Mod, &v, &k(n)), Mend::Nothing),
            Edge::Clamp => {
                let low = b.binary(B::Max, &v, &k(0));
                (b.binary(B::Min, &low, &k(n - 1)), Mend::Nothing)
            }
            Edge::Mirror | Edge::Odd => {
                let turn = b.binary(B::Mod, &v, &k(2 * n));
                let back = b.binary(B::Ge, &turn, &k(n));
                let mirrored = b.binary(B::Sub, &k(2 * n - 1), &turn);
                let at = b.select(&back, &mirrored, &turn);
                (at, if edge == Edge::Odd { Mend::Negate(back) } else { Mend::Nothing })
            }
            Edge::Constant(re) | Edge::Complex(re, _) => {
                let im = if let Edge::Complex(_, im) = edge { im } else { re };
                let inside = self.within_extent(&v, n);
                let at = self.builder().select(&inside, &v, &k(0));
                (at, Mend::Unless(inside, [re, im]))
            }
        }
    }

    /// The element (or part 0 or 1 of it) as the edge rules want it: the first dimension past a constant edge decides, else signs
    /// turn.
    pub(super) fn mended(&mut self, v: Val, computed: &[Computed], part: usize) -> Val {
        let b = self.builder();
        let mut v = v;
        for c in computed {
            if let Mend::Negate(back) = &c.mend {
                let minus = b.unary(crate::ir::kernel::UnaryOp::Neg, &v);
                v = b.select(back, &minus, &v);
            }
        }
        for c in computed.iter().rev() {
            if let Mend::Unless(inside, values) = &c.mend {
                v = b.select(inside, &v, &Val::constant(values[part]));
            }
        }
        v
    }
}
