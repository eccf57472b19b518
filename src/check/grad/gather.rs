//! Adjoints as gathers: every element sums up what changes it, by the indices that read it, with edges turned around.

use super::equations::{Contribution, Equations, summed};
use super::expr::{E, Index, R, add, all, binary, call, choose, constant, leaf, linear, mul, rebuilt};
use super::expr::{sub, substituted, text, var};
use super::reverse::Unknown;
use super::scatter::place;
use crate::ir::program::Edge;
use crate::syntax::ast::BinaryOp;
use std::rc::Rc;

/// One place from which a dimension's element may be read: the index that reads it, when, and with which sign.
struct Way {
    index: R,
    conditions: Vec<R>,
    negative: bool,
}

/// Indices that are decided, when, and whether with a minus.
type Choice = (Vec<(String, R)>, Vec<R>, bool);

/// How far past a clamped edge a read may go.
const FAR: i64 = 16;

impl Equations {
    /// A contribution as seen from the element at `at`.
    pub(super) fn gathered(&mut self, c: &Contribution, name: &str, at: &[String], shape: &[R]) -> Result<R, Unknown> {
        // One choice of ways a dimension: the indices they decide, when, and the sign.
        let mut choices: Vec<Choice> = vec![(vec![], vec![], false)];
        let edges = self.edges.get(name).cloned().unwrap_or_else(|| vec![Edge::None; shape.len()]);
        // Indices that the decided ones are made of: they stay.
        let mut kept: Vec<String> = vec![];
        for (((s, g), n), edge) in c.subs.iter().zip(at).zip(shape).zip(edges) {
            let form = linear(s).ok_or_else(|| unclear(name, s))?;
            if form.terms.is_empty() {
                let place = place(&form.rest, n, edge, self.inside(&form.rest, n));
                let here = binary(BinaryOp::Eq, &var(g), &place.at);
                for c in &mut choices {
                    c.1.extend(place.inside.iter().cloned().chain([here.clone()]));
                }
                if let Some(turned) = place.turned {
                    let mut other = choices.clone();
                    choices.iter_mut().for_each(|c| c.1.push(Rc::new(E::Not(turned.clone()))));
                    other.iter_mut().for_each(|c| (c.1.push(turned.clone()), c.2 = !c.2).0);
                    choices.extend(other);
                }
                continue;
            }
            let decided = |v: &str, solved: &[(String, R)]| solved.iter().any(|m| m.0 == v);
            let may = |(v, k): &(String, i64)| k.abs() == 1 && !decided(v, &choices[0].0) && !kept.contains(v);
            // Rather one on which no other index's range depends: that range stays as it is.
            let free = |v: &str| !c.ix.iter().any(|i| i.name != v && (i.from.mentions(v) || i.to.mentions(v)));
            let open = form.terms.iter().position(|t| may(t) && free(&t.0));
            let open = open.or_else(|| form.terms.iter().position(may));
            let Some(open) = open else { return Err(unclear(name, s)) };
            let (v, k) = form.terms[open].clone();
            let mut rest = form.rest.clone();
            for (other, coefficient) in form.terms.iter().filter(|t| t.0 != v) {
                if decided(other, &choices[0].0) {
                    return Err(unclear(name, s));
                }
                rest = add(&rest, &mul(&leaf(coefficient.to_string()), &var(other)));
                kept.push(other.clone());
            }
            let Some(i) = c.ix.iter().find(|i| i.name == v) else { return Err(unclear(name, s)) };
            let (inside, once) = self.reach(s, n, &c.ix);
            // What never reaches an edge needs none.
            let edge = if inside { Edge::None } else { edge };
            let ways = self.ways(i, k, &rest, &var(g), n, (edge, once)).ok_or_else(|| unclear(name, s))?;
            let mut next = vec![];
            for (solved, conditions, negative) in &choices {
                for w in &ways {
                    let mut solved = solved.clone();
                    solved.push((v.clone(), w.index.clone()));
                    let conditions = conditions.iter().chain(&w.conditions).cloned().collect();
                    next.push((solved, conditions, negative ^ w.negative));
                }
            }
            choices = next;
        }
        // What stays must have a range that needs nothing decided.
        let decided: Vec<String> = choices[0].0.iter().map(|m| m.0.clone()).collect();
        let stays = |i: &&Index| kept.contains(&i.name);
        if c.ix.iter().filter(stays).any(|i| decided.iter().any(|v| i.from.mentions(v) || i.to.mentions(v))) {
            return Err(unclear(name, &c.subs[0]));
        }
        // The sum of an only element is made as those of longer arrays are, and travels with them.
        let alone = shape.iter().all(|n| self.number(n) == Some(1));
        let mut sum = leaf("0");
        for (solved, conditions, negative) in choices {
            let term = self.chosen(c, solved, conditions, (!kept.is_empty(), alone));
            sum = if negative { sub(&sum, &term) } else { add(&sum, &term) };
        }
        Ok(sum)
    }

    /// The ways in which index `i`, in the subscript `k * i + rest`, reads element `g` of a dimension with `n` elements.
    fn ways(&self, i: &Index, k: i64, rest: &R, g: &R, n: &R, (edge, once): (Edge, bool)) -> Option<Vec<Way>> {
        let index = |place: &R| if k == 1 { sub(place, rest) } else { sub(rest, place) };
        let from_zero = constant(&i.from) == Some(0);
        if from_zero && i.to == *n && k == 1 && constant(rest) == Some(0) {
            return Some(vec![Way { index: g.clone(), conditions: vec![], negative: false }]);
        }
        let in_range = |index: &R| vec![binary(BinaryOp::Ge, index, &i.from), binary(BinaryOp::Lt, index, &i.to)];
        let way = |place: R, negative| {
            let index = index(&place);
            Way { conditions: in_range(&index), index, negative }
        };
        let turns = matches!(edge, Edge::Periodic | Edge::Mirror | Edge::Odd);
        if turns && !once {
            return None;
        }
        let mut out = vec![way(g.clone(), false)];
        let last = sub(n, &leaf("1"));
        match edge {
            Edge::None | Edge::Constant(_) | Edge::Complex(..) => {}
            Edge::Periodic => out.extend([way(add(g, n), false), way(sub(g, n), false)]),
            Edge::Mirror | Edge::Odd => {
                let odd = edge == Edge::Odd;
                out.extend([way(sub(&leaf("-1"), g), odd), way(sub(&add(&last, n), g), odd)]);
            }
            Edge::Clamp => {
                let shift = constant(rest).filter(|c| c.abs() <= FAR && from_zero && i.to == *n && k == 1)?;
                for past in 0..shift.abs() {
                    let (end, index) = match shift < 0 {
                        true => (leaf("0"), leaf(past.to_string())),
                        false => (last.clone(), sub(&last, &leaf(past.to_string()))),
                    };
                    let mut conditions = in_range(&index);
                    conditions.insert(0, binary(BinaryOp::Eq, g, &end));
                    out.push(Way { index, conditions, negative: false });
                }
            }
        }
        Some(out)
    }

    /// Whether a subscript of a dimension with `n` elements stays inside, and whether at most one extent past its ends.
    fn reach(&self, subscript: &R, n: &R, ix: &[Index]) -> (bool, bool) {
        let (Some((lo, hi)), Some(n)) = (self.range(subscript, ix, 8), self.number(n)) else { return (false, false) };
        (lo >= 0 && hi < n, lo >= -n && hi < 2 * n)
    }

    /// The least and the greatest value of an expression, as far as the ranges of its indices tell; ranges may follow from other indices.
    fn range(&self, e: &R, ix: &[Index], depth: usize) -> Option<(i64, i64)> {
        if let Some(n) = self.number(e) {
            return Some((n, n));
        }
        match &**e {
            E::Var(v) => {
                let i = ix.iter().find(|i| i.name == *v).filter(|_| depth > 0)?;
                let (from, to) = (self.range(&i.from, ix, depth - 1)?, self.range(&i.to, ix, depth - 1)?);
                Some((from.0, to.1.checked_sub(1)?))
            }
            E::Neg(a) => {
                let (lo, hi) = self.range(a, ix, depth)?;
                Some((hi.checked_neg()?, lo.checked_neg()?))
            }
            E::Binary(op, a, b) => {
                let (a, b) = (self.range(a, ix, depth)?, self.range(b, ix, depth)?);
                match op {
                    BinaryOp::Add => Some((a.0.checked_add(b.0)?, a.1.checked_add(b.1)?)),
                    BinaryOp::Sub => Some((a.0.checked_sub(b.1)?, a.1.checked_sub(b.0)?)),
                    BinaryOp::Mul => {
                        let ends = [
                            a.0.checked_mul(b.0)?,
                            a.0.checked_mul(b.1)?,
                            a.1.checked_mul(b.0)?,
                            a.1.checked_mul(b.1)?,
                        ];
                        Some((ends.into_iter().min()?, ends.into_iter().max()?))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a subscript without indices surely lies inside a dimension.
    fn inside(&self, place: &R, n: &R) -> bool {
        matches!((self.number(place), self.number(n)), (Some(p), Some(n)) if (0..n).contains(&p))
    }

    /// A whole number made of literals and extents.
    fn number(&self, e: &R) -> Option<i64> {
        match &**e {
            E::Leaf(t) => {
                let t = t.trim_matches(['(', ')']);
                t.parse().ok().or_else(|| self.sizes.get(t).copied())
            }
            E::Neg(a) => self.number(a)?.checked_neg(),
            E::Binary(op, a, b) => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                match op {
                    BinaryOp::Add => a.checked_add(b),
                    BinaryOp::Sub => a.checked_sub(b),
                    BinaryOp::Mul => a.checked_mul(b),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A contribution where some indices are decided; in a window what decides them runs in the sum, and `inside` it may stand in any case.
    fn chosen(
        &mut self,
        c: &Contribution,
        solved: Vec<(String, R)>,
        conditions: Vec<R>,
        (window, inside): (bool, bool),
    ) -> R {
        let left: Vec<&Index> = c.ix.iter().filter(|i| !solved.iter().any(|m| m.0 == i.name)).collect();
        let mut map = solved.clone();
        let mut rest: Vec<Index> = vec![];
        for i in left {
            let (from, to) = (substituted(&i.from, &map), substituted(&i.to, &map));
            let name = self.fresh();
            map.push((i.name.clone(), var(&name)));
            rest.push(Index { name, from, to });
        }
        // What is decided may be made of indices that stay, which have other names now.
        let renamed = map.split_off(solved.len());
        let mut map: Vec<(String, R)> = solved.into_iter().map(|(v, r)| (v, substituted(&r, &renamed))).collect();
        for i in &mut rest {
            (i.from, i.to) = (substituted(&i.from, &renamed), substituted(&i.to, &renamed));
        }
        let names: Vec<String> = map.iter().map(|m| m.0.clone()).collect();
        map.extend(renamed);
        let bar = substituted(&c.bar, &map);
        match all(conditions.iter().map(|c| substituted(c, &map)).collect()) {
            // What does not change inside the sum decides outside of it.
            Some(when) if !inside && !rest.iter().any(|i| when.mentions(&i.name)) => {
                choose(&when, &summed(&rest, bar), &leaf("0"))
            }
            // Each read is guarded for itself: those at the other indices keep what is known of these.
            Some(when) if window => {
                let guarded = substituted(&guarded(&c.bar, &names, &when), &map);
                summed(&rest, call("select", vec![when, guarded, leaf("0")]))
            }
            Some(when) => summed(&rest, choose(&when, &bar, &leaf("0"))),
            None => summed(&rest, bar),
        }
    }
}

/// The expression with its reads at some indices made only where a condition holds.
fn guarded(e: &R, names: &[String], when: &R) -> R {
    match &**e {
        E::Read(_, subs) if subs.iter().any(|s| names.iter().any(|n| s.mentions(n))) => choose(when, e, &leaf("0")),
        _ => rebuilt(e, &mut |p| guarded(p, names, when)),
    }
}

fn unclear(name: &str, s: &R) -> Unknown {
    // Indices as the program names them.
    let mut plain = String::new();
    for (k, part) in text(s).split("__").enumerate() {
        plain.push_str(if k == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) });
    }
    Unknown(format!("`grad` does not go through the subscript `{plain}` of `{name}`"))
}
