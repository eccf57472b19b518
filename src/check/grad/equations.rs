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

/// A reduction, or a function of one, that has an array (or scalar) of its own.
#[derive(Clone)]
struct Temp {
    name: String,
    /// The indices around it that it depends on.
    outer: Vec<Index>,
    /// `None`: a function, which is the term.
    op: Option<ReduceOp>,
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
    /// Choices around what is being pulled.
    choices: usize,
}

/// What the derivatives of terms ask.
#[derive(Default)]
struct Facts {
    active: BTreeSet<String>,
    types: BTreeMap<String, &'static str>,
}

impl Temp {
    fn value(&self) -> R {
        self.op.map_or_else(|| self.term.clone(), |op| Rc::new(E::Reduce(op, self.inner.clone(), self.term.clone())))
    }

    /// How an element, or the scalar, is read at the indices around it.
    fn read(&self) -> R {
        let subs: Vec<R> = self.outer.iter().map(|i| sub(&var(&i.name), &i.from)).collect();
        let name = self.name.clone();
        if subs.is_empty() { Rc::new(E::Scalar(name)) } else { Rc::new(E::Read(name, subs)) }
    }
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
        Equations { shapes, types, edges, sizes, wrt, result, temps, facts, contributions, count: 0, choices: 0 }
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
                let inside = self.only_read_by(k, &|name| names(&body, name) || names(&forward, name));
                forward.insert_str(0, &self.forward(k, &inside));
            }
            let t = &self.temps[k];
            let shape: Vec<R> = t.outer.iter().map(|i| sub(&i.to, &i.from)).collect();
            if shape.is_empty() {
                continue;
            }
            if read {
                results.push(format!("{name}: {}[{}]", t.ty, extents(&shape)));
            }
            if self.facts.active.contains(&name) && names(&body, &adjoint(&name)) {
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
            let first = self.temps.len();
            let choice = usize::from(matches!(**e, E::If(..)));
            self.choices += choice;
            let value = rebuilt(e, &mut |p| self.pulled(p, around));
            self.choices -= choice;
            return if self.worth_an_array(&value, around, first) { self.function(value, around) } else { value };
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
        let read = self.held(Temp { name: String::new(), outer, op: Some(op), inner: ix, term, ty });
        if let (true, E::Scalar(name) | E::Read(name, _)) = (active, &*read) {
            self.facts.active.insert(name.clone());
        }
        read
    }

    /// Whether a value is held in an array in place of the reduction in it: a function whose derivative follows from its value, so that
    /// nothing else asks for what it is a function of, and computing it anew takes long. The reductions in it, from number `first` on,
    /// are read nowhere else.
    fn worth_an_array(&self, value: &R, around: &[Index], first: usize) -> bool {
        let slow =
            matches!(&**value, E::Call(name, args) if args.len() == 1 && matches!(name.as_str(), "tanh" | "exp"));
        let names = |all: &[Index]| -> Vec<String> { all.iter().map(|i| i.name.clone()).collect() };
        let needs: Vec<Index> = around.iter().filter(|i| value.mentions(&i.name)).cloned().collect();
        slow && self.choices == 0
            && self.facts.active(value)
            && self.facts.ty(value).is_some_and(|t| float(t).is_some())
            && self.temps[first..].iter().any(|t| !t.outer.is_empty() && names(&t.outer) == names(&needs))
    }

    /// Holds a function's values in an array.
    fn function(&mut self, value: R, around: &[Index]) -> R {
        let outer: Vec<Index> = around.iter().filter(|i| value.mentions(&i.name)).cloned().collect();
        let ty = self.facts.ty(&value).unwrap_or(self.result);
        let read = self.held(Temp { name: String::new(), outer, op: None, inner: vec![], term: value, ty });
        if let E::Read(name, _) = &*read {
            self.facts.active.insert(name.clone());
        }
        read
    }

    /// Adds values under a name of their own; gives how they are read.
    fn held(&mut self, temp: Temp) -> R {
        let temp = Temp { name: format!("t__{}", self.temps.len()), ..temp };
        self.facts.types.insert(temp.name.clone(), temp.ty);
        let read = temp.read();
        self.temps.push(temp);
        read
    }

    /// The reductions that only the function number `k` reads, `read` aside: they stand in its equation.
    fn only_read_by(&self, k: usize, read: &dyn Fn(&str) -> bool) -> Vec<(R, R)> {
        let t = &self.temps[k];
        let inside = |of: &&Temp| {
            t.op.is_none() && t.term.any(&|e| matches!(e, E::Read(n, _) if *n == of.name)) && !read(&of.name)
        };
        self.temps[..k].iter().filter(inside).map(|of| (of.read(), of.value())).collect()
    }

    /// What a factor of a product is changed by: the product of the others. Where factors are 0, they are counted, and the rest is
    /// multiplied apart.
    fn of_factor(&mut self, bar: &R, value: &R, k: usize) -> R {
        let t = &self.temps[k];
        let (outer, inner, term, ty) = (t.outer.clone(), t.inner.clone(), t.term.clone(), t.ty);
        let none = binary(BinaryOp::Eq, &term, &leaf("0"));
        let (name, op) = (String::new(), ReduceOp::Count);
        let zeros = Temp { name, outer, op: Some(op), inner, term: none.clone(), ty: "i64" };
        let others = Temp { op: Some(ReduceOp::Prod), term: choose(&none, &leaf("1"), &term), ty, ..zeros.clone() };
        let (zeros, others) = (self.held(zeros), self.held(others));
        let alone = binary(BinaryOp::Eq, &zeros, &leaf("1"));
        choose(&none, &choose(&alone, &mul(bar, &others), &leaf("0")), &div(&mul(bar, value), &term))
    }

    /// The equation of values; of `inside`, the second stands in place of the first.
    fn forward(&self, k: usize, inside: &[(R, R)]) -> String {
        let t = &self.temps[k];
        let value = inside.iter().fold(t.value(), |value, (read, whole)| replaced(&value, read, whole));
        if t.outer.is_empty() {
            return format!("    let {} = {}\n", t.name, text(&value));
        }
        let moved: Vec<(String, R)> = t.outer.iter().map(|i| (i.name.clone(), add(&var(&i.name), &i.from))).collect();
        let names: Vec<&str> = t.outer.iter().map(|i| i.name.as_str()).collect();
        format!("    {}[{}] = {}\n", t.name, names.join(", "), text(&substituted(&value, &moved)))
    }

    /// The equation of an adjoint, and what its terms are changed by.
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
        if op.is_none()
            && let Some(bar) = self.only_change(&name, &own, &outer, ty)
        {
            // It needs no array.
            self.contributions.remove(&name);
            return self.through(k, &bar);
        }
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
        let Some(op) = op else { return self.through(k, &bar) };
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

    /// Notes what that which a function is of is changed by, when its values are by `bar`; the slope reads the values.
    fn through(&mut self, k: usize, bar: &R) -> Result<(), Unknown> {
        let t = self.temps[k].clone();
        self.spread_with(&t.term, bar, &t.outer, &|slope| replaced(&slope, &t.term, &t.read()))
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
        self.spread_with(term, seed, points, &|bar| bar)
    }

    /// The same, each change mapped.
    fn spread_with(&mut self, term: &R, seed: &R, points: &[Index], map: &dyn Fn(R) -> R) -> Result<(), Unknown> {
        let mut found: Vec<Partial> = vec![];
        partials(term, seed, &self.facts, &mut found)?;
        for Partial { of, bar } in found {
            let bar = map(bar);
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

/// The expression with `new` in place of `old`.
fn replaced(e: &R, old: &R, new: &R) -> R {
    if e == old { new.clone() } else { rebuilt(e, &mut |p| replaced(p, old, new)) }
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
