//! Adjoints that are no gathers: of a read at computed or strided places, every point adds its part to the element that it reads.

use super::equations::Contribution;
use super::expr::{E, all};
use super::expr::{Index, R, binary, call, choose, constant, leaf, linear, mul, neg, ranges, sub, text};
use crate::ir::program::Edge;
use crate::syntax::ast::{BinaryOp as O, ReduceOp};
use std::rc::Rc;

/// The element of a dimension that a subscript means.
pub(super) struct Place {
    pub at: R,
    /// It means one only where these hold.
    pub inside: Vec<R>,
    /// Its sign turns where this holds.
    pub turned: Option<R>,
}

/// Subscript `s` of a dimension with `n` elements, by its edge; of one that is `sure` nothing is asked.
pub(super) fn place(s: &R, n: &R, edge: Edge, sure: bool) -> Place {
    let (zero, last, double) = (leaf("0"), sub(n, &leaf("1")), mul(&leaf("2"), n));
    let clamped = || call("min", vec![call("max", vec![s.clone(), zero.clone()]), last.clone()]);
    let turn = binary(O::Mod, s, &double);
    let (mut inside, mut turned) = (vec![], None);
    let at = match edge {
        _ if sure => s.clone(),
        Edge::None => s.clone(),
        Edge::Clamp => clamped(),
        Edge::Periodic => binary(O::Mod, s, n),
        Edge::Mirror | Edge::Odd => {
            turned = (edge == Edge::Odd).then(|| binary(O::Ge, &turn, n));
            call("min", vec![turn.clone(), sub(&sub(&double, &leaf("1")), &turn)])
        }
        Edge::Constant(_) | Edge::Complex(..) => {
            inside = vec![binary(O::Ge, s, &zero), binary(O::Lt, s, n)];
            clamped()
        }
    };
    Place { at, inside, turned }
}

/// `[places] += bar for ranges`, as text; `None` where a range is not known before the run.
pub(super) fn update(c: &Contribution, shape: &[R], edges: &[Edge], ty: &str) -> Option<String> {
    let (own, inner): (Vec<Index>, Vec<Index>) =
        c.ix.iter().cloned().partition(|i| c.subs.iter().any(|s| s.mentions(&i.name)));
    let fixed = |e: &R| !e.any(&|p| matches!(p, E::Read(..) | E::Var(_) | E::Scalar(_)));
    if own.is_empty() || !own.iter().all(|i| fixed(&i.from) && fixed(&i.to)) {
        return None;
    }
    let mut bar =
        if inner.is_empty() { c.bar.clone() } else { Rc::new(E::Reduce(ReduceOp::Sum, inner, c.bar.clone())) };
    // Index arithmetic that a left side may hold as it is.
    let mut seen: Vec<String> = vec![];
    let plain = c.subs.iter().zip(edges).all(|(s, e)| {
        let Some(form) = linear(s).filter(|_| *e == Edge::None) else { return false };
        match &form.terms[..] {
            [] => constant(&form.rest).is_some(),
            [(v, k)] if *k > 0 && constant(&form.rest).is_some() && !seen.contains(v) => {
                seen.push(v.clone());
                true
            }
            _ => false,
        }
    });
    let (mut places, mut conditions) = (vec![], vec![]);
    for ((s, n), edge) in c.subs.iter().zip(shape).zip(edges) {
        if plain {
            places.push(s.clone());
            continue;
        }
        // A value without an edge is checked; index arithmetic is proved where it is read, and clamped so that it is a value.
        let edge = if *edge == Edge::None && linear(s).is_some() { Edge::Clamp } else { *edge };
        let place = place(s, n, edge, false);
        if let Some(turned) = &place.turned {
            bar = choose(turned, &neg(&bar), &bar);
        }
        conditions.extend(place.inside);
        places.push(place.at);
    }
    if let Some(inside) = all(conditions) {
        bar = choose(&inside, &bar, &leaf("0"));
    }
    let places: Vec<String> = places.iter().map(text).collect();
    Some(format!("[{}] += {ty}({}) for {}", places.join(", "), text(&bar), ranges(&own)))
}
