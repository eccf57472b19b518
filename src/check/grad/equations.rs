//! From one value to the equations of its derivative: reductions inside others get arrays, and adjoints are gathered.

use super::expr::{E, Index, R, add, binary, call, choose, div, leaf, mul, rebuilt, sub};
use super::expr::{substituted, text, var};
use super::reverse::{Known, Partial, Unknown, partials};
use super::scatter;
use super::{complex, float};
use crate::ir::program::Edge;
use crate::ir::ty::Ty;
use crate::syntax::ast::{BinaryOp, ReduceOp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;

/// A reduction that has an array (or scalar) of its own.
#[derive(Clone)]
struct Temp {
    name: String,
    /// The indices around it that it depends on.
    outer: Vec<Index>,
    op: ReduceOp,
    inner: Vec<Index>,
    term: R,
    ty: &'static str,
}

/// What an array's element is changed by: at `subs`, for all points of `ix`.
pub(super) struct Contribution {
    pub subs: Vec<R>,
    pub bar: R,
    pub ix: Vec<Index>,
}

/// What is known of the parameters, by name; of extents by their names.
pub struct Parameters {
    pub shapes: BTreeMap<String, Vec<R>>,
    pub types: BTreeMap<String, &'static str>,
    pub edges: BTreeMap<String, Vec<Edge>>,
    pub sizes: BTreeMap<String, i64>,
}

/// The derivative of one value.
pub struct Equations {
    shapes: BTreeMap<String, Vec<R>>,
    types: BTreeMap<String, &'static str>,
    pub(super) edges: BTreeMap<String, Vec<Edge>>,
    /// The extents that have names.
    pub(super) sizes: BTreeMap<String, i64>,
    wrt: Vec<String>,
    result: &'static str,
    temps: Vec<Temp>,
    facts: Facts,
    contributions: BTreeMap<String, Vec<Contribution>>,
    count: usize,
}

/// What the derivatives of terms ask.
#[derive(Default)]
struct Facts {
    active: BTreeSet<String>,
    types: BTreeMap<String, &'static str>,
}

impl Known for Facts {
    fn active(&self, e: &E) -> bool {
        e.any(&|p| matches!(p, E::Read(n, _) | E::Scalar(n) if self.active.contains(n)))
    }

    fn ty(&self, e: &E) -> Option<&'static str> {
        match e {
            E::Leaf(_) | E::Var(_) => None,
            E::Scalar(n) | E::Read(n, _) => self.types.get(n).copied(),
            E::Neg(a) => self.ty(a),
            E::Not(_) => Some("bool"),
            E::Binary(_, a, b) => wider(self.ty(a), self.ty(b)),
            E::Call(n, _) if Ty::from_name(n).is_some() => Ty::from_name(n).map(Ty::name),
            E::Call(n, args) if matches!(n.as_str(), "re" | "im" | "arg" | "abs") => {
                self.ty(args.first()?).map(|t| Ty::from_name(t).map_or(t, |t| t.part().name()))
            }
            E::Call(n, args) if n == "complex" => {
                let narrow =
                    args.iter().any(|a| self.ty(a) == Some("f32")) && args.iter().all(|a| self.ty(a) != Some("f64"));
                Some(if narrow { "c64" } else { "c128" })
            }
            E::Call(_, args) => args.iter().fold(None, |t, a| wider(t, self.ty(a))),
            E::If(_, a, b) => wider(self.ty(a), self.ty(b)),
            E::Reduce(_, _, term) => self.ty(term),
        }
    }
}

/// The type of an operation on values of two types, as far as they are known.
fn wider(a: Option<&'static str>, b: Option<&'static str>) -> Option<&'static str> {
    let [x, y] = [a, b].map(|t| t.and_then(Ty::from_name));
    if let (Some(x), Some(y)) = (x, y)
        && (x.is_complex() || y.is_complex())
    {
        let narrow = |t: Ty| t.part() == Ty::F32 || t.is_half();
        return Some(if narrow(x) && narrow(y) { "c64" } else { "c128" });
    }
    match (a, b) {
        (Some("f64"), _) | (_, Some("f64")) => Some("f64"),
        (Some("f32"), _) | (_, Some("f32")) => Some("f32"),
        (a, b) => a.filter(|t| derivable(t)).or(b).or(a),
    }
}

/// Whether values of a type have derivatives.
fn derivable(ty: &str) -> bool {
    float(ty).is_some() || complex(ty)
}

impl Equations {
    /// For a value of type `result`, by the parameters `wrt`.
    pub fn new(known: Parameters, wrt: Vec<String>, result: &'static str) -> Equations {
        let Parameters { shapes, types, edges, sizes } = known;
        let facts = Facts { active: wrt.iter().cloned().collect(), types: types.clone() };
        let (temps, contributions) = (vec![], BTreeMap::new());
        Equations { shapes, types, edges, sizes, wrt, result, temps, facts, contributions, count: 0 }
    }

    /// The derivative as the text of a kernel with this name.
    pub fn kernel(&mut self, value: &R, name: &str, params: &str) -> Result<String, Unknown> {
        let value = self.pulled(value, &[]);
        let mut body = String::new();
        self.spread(&value, &leaf("1"), &[])?;
        for k in (0..self.temps.len()).rev() {
            self.backward(k, &mut body)?;
        }
        let mut results = vec![];
        for w in self.wrt.clone() {
            let (name, ty) = (format!("g__{w}"), self.types[&w]);
            match self.shapes.get(&w).cloned() {
                Some(shape) => {
                    results.push(format!("{name}: {ty}[{}]", extents(&shape)));
                    self.gather(&w, &name, &shape, ty, &mut body)?;
                }
                None => {
                    results.push(format!("{name}: {ty}"));
                    let total = self.total(&w);
                    let _ = writeln!(body, "    {name} = {ty}({})", text(&total));
                }
            }
        }
        // Values that nothing reads are not computed.
        let mut forward = String::new();
        for k in (0..self.temps.len()).rev() {
            let name = self.temps[k].name.clone();
            let read = names(&body, &name) || names(&forward, &name);
            if read {
                forward.insert_str(0, &self.forward(k));
            }
            let t = &self.temps[k];
            let shape: Vec<R> = t.outer.iter().map(|i| sub(&i.to, &i.from)).collect();
            if shape.is_empty() {
                continue;
            }
            if read {
                results.push(format!("{name}: {}[{}]", t.ty, extents(&shape)));
            }
            if self.facts.active.contains(&name) {
                results.push(format!("{}: {}[{}]", adjoint(&name), t.ty, extents(&shape)));
            }
        }
        Ok(format!("kernel {name}({params}) -> {} {{\n{forward}{body}}}\n", results.join(", ")))
    }

    pub(super) fn fresh(&mut self) -> String {
        self.count += 1;
        format!("e__{}", self.count)
    }

    /// The expression with every reduction replaced by a read of its array.
    fn pulled(&mut self, e: &R, around: &[Index]) -> R {
        let E::Reduce(op, ix, term) = &**e else {
            return rebuilt(e, &mut |p| self.pulled(p, around));
        };
        let (ix, op) = (ix.clone(), *op);
        let inside: Vec<Index> = around.iter().chain(&ix).cloned().collect();
        let term = self.pulled(term, &inside);
        let whole = E::Reduce(op, ix.clone(), term.clone());
        let outer: Vec<Index> = around.iter().filter(|i| whole.mentions(&i.name)).cloned().collect();
        let ty = match op {
            ReduceOp::Count | ReduceOp::ArgMin | ReduceOp::ArgMax => "i64",
            ReduceOp::Any | ReduceOp::All => "bool",
            _ => self.facts.ty(&term).filter(|t| *t != "bool").unwrap_or(self.result),
        };
        let active = self.facts.active(&term) && derivable(ty);
        let read = self.held(Temp { name: String::new(), outer, op, inner: ix, term, ty });
        if let (true, E::Scalar(name) | E::Read(name, _)) = (active, &*read) {
            self.facts.active.insert(name.clone());
        }
        read
    }

    /// Adds a reduction's values under a name of their own; gives how they are read.
    fn held(&mut self, temp: Temp) -> R {
        let name = format!("t__{}", self.temps.len());
        self.facts.types.insert(name.clone(), temp.ty);
        let subs: Vec<R> = temp.outer.iter().map(|i| sub(&var(&i.name), &i.from)).collect();
        self.temps.push(Temp { name: name.clone(), ..temp });
        if subs.is_empty() { Rc::new(E::Scalar(name)) } else { Rc::new(E::Read(name, subs)) }
    }

    /// What a factor of a product is changed by: the product of the others. Where factors are 0, they are counted, and the rest is
    /// multiplied apart.
    fn of_factor(&mut self, bar: &R, value: &R, k: usize) -> R {
        let t = &self.temps[k];
        let (outer, inner, term, ty) = (t.outer.clone(), t.inner.clone(), t.term.clone(), t.ty);
        let none = binary(BinaryOp::Eq, &term, &leaf("0"));
        let (name, op) = (String::new(), ReduceOp::Count);
        let zeros = Temp { name, outer, op, inner, term: none.clone(), ty: "i64" };
        let others = Temp { op: ReduceOp::Prod, term: choose(&none, &leaf("1"), &term), ty, ..zeros.clone() };
        let (zeros, others) = (self.held(zeros), self.held(others));
        let alone = binary(BinaryOp::Eq, &zeros, &leaf("1"));
        choose(&none, &choose(&alone, &mul(bar, &others), &leaf("0")), &div(&mul(bar, value), &term))
    }

    /// The equation of a reduction's values.
    fn forward(&self, k: usize) -> String {
        let t = &self.temps[k];
        let value: R = Rc::new(E::Reduce(t.op, t.inner.clone(), t.term.clone()));
        if t.outer.is_empty() {
            return format!("    let {} = {}\n", t.name, text(&value));
        }
        let moved: Vec<(String, R)> = t.outer.iter().map(|i| (i.name.clone(), add(&var(&i.name), &i.from))).collect();
        let names: Vec<&str> = t.outer.iter().map(|i| i.name.as_str()).collect();
        format!("    {}[{}] = {}\n", t.name, names.join(", "), text(&substituted(&value, &moved)))
    }

    /// The equation of a reduction's adjoint, and what its terms are changed by.
    fn backward(&mut self, k: usize, body: &mut String) -> Result<(), Unknown> {
        let t = &self.temps[k];
        if !self.facts.active.contains(&t.name) {
            return Ok(());
        }
        let (name, ty, op) = (t.name.clone(), t.ty, t.op);
        let (outer, inner, term) = (t.outer.clone(), t.inner.clone(), t.term.clone());
        let own: Vec<R> = outer.iter().map(|i| sub(&var(&i.name), &i.from)).collect();
        let read =
            |n: String| -> R { if own.is_empty() { Rc::new(E::Scalar(n)) } else { Rc::new(E::Read(n, own.clone())) } };
        let bar_name = adjoint(&name);
        self.facts.types.insert(bar_name.clone(), ty);
        if outer.is_empty() {
            let total = self.total(&name);
            let _ = writeln!(body, "    let {bar_name} = {ty}({})", text(&total));
        } else {
            let shape: Vec<R> = outer.iter().map(|i| sub(&i.to, &i.from)).collect();
            let same = self.only_change(&name, &own, &outer, ty);
            self.gather(&name, &bar_name, &shape, ty, body)?;
            if let Some(bar) = same {
                self.take_over(&bar, &outer, &read(bar_name.clone()));
            }
        }
        let (value, bar) = (read(name), read(bar_name));
        let seed = match op {
            ReduceOp::Sum => bar,
            ReduceOp::Mean => {
                let terms = inner.iter().fold(leaf("1"), |p, i| mul(&p, &sub(&i.to, &i.from)));
                div(&bar, &call(Ty::from_name(ty).map_or(ty, |t| t.part().name()), vec![terms]))
            }
            ReduceOp::Prod => self.of_factor(&bar, &value, k),
            ReduceOp::Min | ReduceOp::Max => choose(&binary(BinaryOp::Eq, &term, &value), &bar, &leaf("0")),
            op => return Err(Unknown(format!("`{}` has no derivative", op.name()))),
        };
        let points: Vec<Index> = outer.into_iter().chain(inner).collect();
        self.spread(&term, &seed, &points)
    }

    /// What an array's elements are changed by, if it is one expression at the element's own point.
    fn only_change(&self, name: &str, own: &[R], outer: &[Index], ty: &str) -> Option<R> {
        let [c] = &self.contributions.get(name)?[..] else { return None };
        (c.subs == own && c.ix == outer && self.facts.ty(&c.bar) == Some(ty)).then(|| c.bar.clone())
    }

    /// What else is changed by the same expression reads the array that now holds it, in place of computing it again.
    fn take_over(&mut self, bar: &R, points: &[Index], read: &R) {
        let all = self.contributions.values_mut().flatten();
        all.filter(|c| c.bar == *bar && c.ix == points).for_each(|c| c.bar = read.clone());
    }

    /// Notes what the reads of a term are changed by.
    fn spread(&mut self, term: &R, seed: &R, points: &[Index]) -> Result<(), Unknown> {
        let mut found: Vec<Partial> = vec![];
        partials(term, seed, &self.facts, &mut found)?;
        for Partial { of, bar } in found {
            let (name, subs) = match &*of {
                E::Read(n, subs) => (n, subs.clone()),
                E::Scalar(n) => (n, vec![]),
                _ => continue,
            };
            if !self.facts.active.contains(name) {
                continue;
            }
            let list = self.contributions.entry(name.clone()).or_default();
            match list.iter_mut().find(|c| c.subs == subs && c.ix == points) {
                Some(c) => c.bar = add(&c.bar, &bar),
                None => list.push(Contribution { subs, bar, ix: points.to_vec() }),
            }
        }
        Ok(())
    }

    /// The sum of all contributions to a scalar.
    fn total(&mut self, name: &str) -> R {
        let list = self.contributions.remove(name).unwrap_or_default();
        list.into_iter().fold(leaf("0"), |sum, c| add(&sum, &summed(&c.ix, c.bar)))
    }

    /// The equation of an array's adjoint: every element gathers what changes it.
    fn gather(&mut self, name: &str, into: &str, shape: &[R], ty: &str, body: &mut String) -> Result<(), Unknown> {
        let list = self.contributions.remove(name).unwrap_or_default();
        let at: Vec<String> = shape.iter().map(|_| self.fresh()).collect();
        let edges = self.edges.get(name).cloned().unwrap_or_else(|| vec![Edge::None; shape.len()]);
        let (mut sum, mut scattered) = (leaf("0"), String::new());
        for c in &list {
            match self.gathered(c, name, &at, shape) {
                Ok(term) => sum = add(&sum, &term),
                Err(unclear) => {
                    let update = scatter::update(c, shape, &edges, ty).ok_or(unclear)?;
                    let _ = writeln!(scattered, "    {into}{update}");
                }
            }
        }
        let _ = writeln!(body, "    {into}[{}] = {ty}({})", at.join(", "), text(&sum));
        body.push_str(&scattered);
        Ok(())
    }
}

/// Whether a text holds a name.
fn names(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| !text[..at].ends_with(word) && !text[at + name.len()..].starts_with(word))
}

pub(super) fn summed(ix: &[Index], e: R) -> R {
    if ix.is_empty() { e } else { Rc::new(E::Reduce(ReduceOp::Sum, ix.to_vec(), e)) }
}

fn adjoint(name: &str) -> String {
    name.replacen('t', "a", 1)
}

fn extents(shape: &[R]) -> String {
    shape.iter().map(text).collect::<Vec<_>>().join(", ")
}
