//! What a program means, computed the simplest way: whole arrays, one element at a time, no parts, no plan.

use crate::complex::imaginary;
use crate::exact::sum_once;
use crate::model::{Array, Axis, Edge, Equation, Expr, Fold, Left, Program, Stmt, Sub};
use crate::values::{binary, built, cast, float, identity, int, literal, negate, power, rounded};
use mgpu::ir::ty::{Ty, Value};
use mgpu::runtime::io::format_array::format_elements;
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Stored {
    ty: Ty,
    shape: Vec<i64>,
    pub edges: Vec<Edge>,
    pub data: Vec<Value>,
}

/// Names in scope: arrays by the name that they have there, scalars and indices.
#[derive(Clone, Default)]
pub struct Scope {
    /// Name to place in `arrays`.
    pub arrays: BTreeMap<String, usize>,
    scalars: BTreeMap<String, Value>,
    /// The kernel whose intermediates are seen.
    kernel: Option<usize>,
}

pub struct Machine<'a> {
    pub program: &'a Program,
    pub arrays: Vec<Stored>,
    pub scope: Scope,
    /// Where the tables are in `arrays`.
    tables: BTreeMap<String, usize>,
    out: String,
}

/// What the program prints.
pub fn run(program: &Program) -> String {
    let (scope, tables) = (Scope::default(), BTreeMap::new());
    let mut m = Machine { program, arrays: vec![], scope, tables, out: String::new() };
    for t in &program.tables {
        m.tables.insert(t.name.clone(), m.arrays.len());
        let data = t.values.iter().map(|v| Value::i64(*v)).collect();
        let (shape, edges) = (t.shape.clone(), vec![Edge::None; t.shape.len()]);
        m.arrays.push(Stored { ty: Ty::I64, shape, edges, data });
    }
    for a in &program.arrays {
        m.scope.arrays.insert(a.name.clone(), m.arrays.len());
        m.arrays.push(stored(a));
    }
    for z in &program.complex {
        // The parts lie apart; past a constant edge the imaginary one is 0.
        let real = Array { ty: z.ty.part(), ..z.clone() };
        let flat = |e: &Edge| if matches!(e, Edge::Constant(_)) { Edge::Constant(0) } else { *e };
        let other = Array { name: imaginary(&z.name), edges: z.edges.iter().map(flat).collect(), ..real.clone() };
        for a in [real, other] {
            m.scope.arrays.insert(a.name.clone(), m.arrays.len());
            m.arrays.push(stored(&a));
        }
    }
    m.stmts(&program.body);
    for a in &program.arrays {
        m.out += &format!("{} ", a.name);
        m.print_array(&a.name);
    }
    m.out
}

fn stored(a: &Array) -> Stored {
    let n: i64 = a.shape.iter().product();
    Stored {
        ty: a.ty,
        shape: a.shape.clone(),
        edges: a.edges.clone(),
        data: vec![Value { ty: a.ty, bits: 0 }; n as usize],
    }
}

/// Row-major position.
fn position(shape: &[i64], at: &[i64]) -> usize {
    at.iter().zip(shape).fold(0, |p, (i, n)| p * n + i) as usize
}

impl Stored {
    /// A read anywhere, by the definition of the edges.
    fn read(&self, at: &[i64]) -> Value {
        let mut inside = vec![];
        let mut turned = false;
        for ((&i, &n), e) in at.iter().zip(&self.shape).zip(&self.edges) {
            let period = i.rem_euclid(2 * n);
            let folded = if period < n { period } else { 2 * n - 1 - period };
            inside.push(match e {
                Edge::Clamp => i.clamp(0, n - 1),
                Edge::Periodic => i.rem_euclid(n),
                Edge::Mirror => folded,
                Edge::Odd => {
                    turned ^= period >= n;
                    folded
                }
                Edge::Constant(v) if !(0..n).contains(&i) => return literal(self.ty, *v),
                Edge::Constant(_) | Edge::None => i,
            });
        }
        let v = self.data[position(&self.shape, &inside)];
        if turned { negate(v) } else { v }
    }
}

impl Machine<'_> {
    fn stmts(&mut self, list: &[Stmt]) -> bool {
        // Names declared in a block end with it; arrays and scalars of outer blocks keep their values.
        let outer = self.scope.clone();
        let mut go_on = true;
        for s in list {
            if !self.stmt(s) {
                go_on = false;
                break;
            }
        }
        let scalars = std::mem::take(&mut self.scope.scalars);
        self.scope = outer;
        for (name, v) in &mut self.scope.scalars {
            *v = scalars[name];
        }
        go_on
    }

    fn stmt(&mut self, s: &Stmt) -> bool {
        match s {
            Stmt::Equation(e) => {
                let values = self.equation(e);
                let at = self.scope.arrays[&e.target];
                values.into_iter().for_each(|(k, v)| self.arrays[at].data[k] = v);
            }
            Stmt::OfComplex { target, left, op, value, axes, .. } => {
                self.equation_of_complex(target, left, op, value, axes);
            }
            Stmt::Grad { loss, target, arrays, wrt, .. } => {
                let places: Vec<usize> = arrays.iter().map(|a| self.scope.arrays[a]).collect();
                let at = self.scope.arrays[target];
                let data = self.derivative(*loss, &places, *wrt);
                self.arrays[at].data = data;
            }
            Stmt::Copy(to, from, _) => {
                let data = self.arrays[self.scope.arrays[from]].data.clone();
                let at = self.scope.arrays[to];
                self.arrays[at].data = data;
            }
            Stmt::Keep(name, array) => {
                let copy = self.arrays[self.scope.arrays[array]].clone();
                self.scope.arrays.insert(name.clone(), self.arrays.len());
                self.arrays.push(copy);
            }
            Stmt::Call { kernel, targets, arrays, scalars, .. } => self.call(*kernel, targets, arrays, scalars),
            Stmt::CallWorkflow { workflow, target, array } => self.call_workflow(*workflow, target, array),
            Stmt::Scalar { name, value, .. } => {
                let v = self.eval(value);
                self.scope.scalars.insert(name.clone(), v);
            }
            Stmt::For { index, lo, hi, by, body } => {
                let mut i = *lo;
                while i < *hi {
                    self.scope.scalars.insert(index.clone(), Value::i64(i));
                    let go_on = self.stmts(body);
                    self.scope.scalars.remove(index);
                    if !go_on {
                        break;
                    }
                    i += by;
                }
            }
            Stmt::While { counter, rounds, body } => {
                self.scope.scalars.insert(counter.clone(), Value::i64(0));
                while int(self.scope.scalars[counter]) < *rounds as i128 {
                    let next = Value::i64(int(self.scope.scalars[counter]) as i64 + 1);
                    self.scope.scalars.insert(counter.clone(), next);
                    if !self.stmts(body) {
                        break;
                    }
                }
            }
            Stmt::If { cond, then, otherwise } => {
                return if self.eval(cond).as_bool() { self.stmts(then) } else { self.stmts(otherwise) };
            }
            Stmt::BreakIf(cond) => return !self.eval(cond).as_bool(),
            Stmt::Declare(a) => {
                self.scope.arrays.insert(a.name.clone(), self.arrays.len());
                self.arrays.push(stored(a));
            }
            Stmt::Places { names, op, axes, term } => {
                let (_, places) = self.best(*op, axes, term);
                for (name, k) in names.iter().zip(places) {
                    self.scope.scalars.insert(name.clone(), Value::i64(k));
                }
            }
            Stmt::Print(list) => {
                let words: Vec<String> = list.iter().map(|e| self.eval(e).to_string()).collect();
                self.out += &words.join(" ");
                self.out.push('\n');
            }
            Stmt::PrintArray(a) => self.print_array(a),
        }
        true
    }

    fn print_array(&mut self, name: &str) {
        let a = &self.arrays[self.scope.arrays[name]];
        let element = |at: &[i64]| a.data[position(&a.shape, at)];
        self.out += &format_elements(a.ty, &a.shape, &element, None);
        self.out.push('\n');
    }

    /// Positions and values that an equation sets, before any is set.
    fn equation(&mut self, e: &Equation) -> Vec<(usize, Value)> {
        let at = self.scope.arrays[&e.target];
        let mut out = vec![];
        let mut now: BTreeMap<usize, Value> = BTreeMap::new();
        let mut point: Vec<i64> = vec![];
        self.points(&e.axes, &mut point, &mut |m, _| {
            let k = m.place(at, &e.left);
            let v = m.eval(&e.value);
            // Several points of a scatter may name one element.
            let before = *now.get(&k).unwrap_or(&m.arrays[at].data[k]);
            let v = if matches!(e.op, "=" | "") { v } else { binary(e.op.trim_end_matches('='), before, v) };
            now.insert(k, v);
            out.push((k, v));
        });
        out
    }

    /// Where a left side stands in its array, at the indices as they are.
    pub fn place(&mut self, array: usize, left: &[Left]) -> usize {
        let place: Vec<i64> = left
            .iter()
            .map(|l| match l {
                Left::At(k) => *k,
                Left::Value(e, n) => {
                    let v = int(self.eval(e)) as i64;
                    if *n == 0 { v } else { v.rem_euclid(*n) }
                }
                Left::Index(n, c, k) => c * int(self.scope.scalars[n]) as i64 + k,
            })
            .collect();
        position(&self.arrays[array].shape, &place)
    }

    /// Calls `f` at every point of the axes, in order.
    pub fn points(&mut self, axes: &[Axis], point: &mut Vec<i64>, f: &mut dyn FnMut(&mut Self, &[i64])) {
        let Some((a, rest)) = axes.split_first() else { return f(self, point) };
        let mut hi = a.upto.as_ref().map_or(a.hi, |n| int(self.scope.scalars[n]) as i64);
        let mut i = a.lo;
        if let Some(ends) = &a.ends {
            i = int(self.eval(&ends.0)) as i64;
            hi = int(self.eval(&ends.1)) as i64;
        }
        let before = self.scope.scalars.get(&a.name).copied();
        while i < hi {
            self.scope.scalars.insert(a.name.clone(), Value::i64(i));
            point.push(i);
            self.points(rest, point, f);
            point.pop();
            i += a.by;
        }
        match before {
            Some(v) => self.scope.scalars.insert(a.name.clone(), v),
            None => self.scope.scalars.remove(&a.name),
        };
    }

    fn call(&mut self, kernel: usize, targets: &[String], arrays: &[String], scalars: &[Expr]) {
        let k = &self.program.kernels[kernel];
        let places: Vec<usize> = targets.iter().map(|t| self.scope.arrays[t]).collect();
        let mut inner = Scope { kernel: Some(kernel), ..Scope::default() };
        for (p, a) in k.params.iter().zip(arrays) {
            inner.arrays.insert(p.name.clone(), self.scope.arrays[a]);
        }
        for ((name, _), e) in k.scalars.iter().zip(scalars) {
            let v = self.eval(e);
            inner.scalars.insert(name.clone(), v);
        }
        let first = self.arrays.len();
        for (r, &t) in k.results.iter().zip(&places) {
            let fresh = self.arrays[t].clone();
            inner.arrays.insert(r.name.clone(), self.arrays.len());
            self.arrays.push(fresh);
        }
        let outer = std::mem::replace(&mut self.scope, inner);
        for e in &k.body {
            let values = self.equation(e);
            let at = self.scope.arrays[&e.target];
            values.into_iter().for_each(|(i, v)| self.arrays[at].data[i] = v);
        }
        self.scope = outer;
        let results: Vec<Stored> = self.arrays.drain(first..).collect();
        for (t, r) in places.into_iter().zip(results) {
            self.arrays[t].data = r.data;
        }
    }

    fn call_workflow(&mut self, workflow: usize, target: &str, array: &str) {
        let w = &self.program.workflows[workflow];
        let place = self.scope.arrays[target];
        let mut fresh = self.arrays[place].clone();
        fresh.data.iter_mut().for_each(|v| v.bits = 0);
        let mut inner = Scope::default();
        inner.arrays.insert(w.param.name.clone(), self.scope.arrays[array]);
        inner.arrays.insert(w.result.name.clone(), self.arrays.len());
        let result = self.arrays.len();
        self.arrays.push(fresh);
        let outer = std::mem::replace(&mut self.scope, inner);
        self.stmts(&w.body);
        self.scope = outer;
        self.arrays[place].data = self.arrays[result].data.clone();
    }

    fn sub(&mut self, s: &Sub) -> i64 {
        let value = s.value.as_ref().map_or(0, |(e, m)| {
            let v = int(self.eval(e)) as i64;
            if *m == 0 { v } else { v.rem_euclid(*m) }
        });
        let half = s.half.as_ref().map_or(0, |(n, rest)| {
            let i = int(self.scope.scalars[n]) as i64;
            if *rest { i.rem_euclid(2) } else { i.div_euclid(2) }
        });
        value + half + s.konst + s.terms.iter().map(|(n, c)| c * int(self.scope.scalars[n]) as i64).sum::<i64>()
    }

    pub fn eval(&mut self, e: &Expr) -> Value {
        match e {
            Expr::Lit(ty, v) => literal(*ty, *v),
            Expr::Plain(v) => Value::i64(*v),
            Expr::Floor(ty, a) => Value::float(*ty, float(self.eval(a)).floor()),
            Expr::Index(ty, n) => cast(*ty, self.scope.scalars[n]),
            Expr::Scalar(_, n) => self.scope.scalars[n],
            Expr::Read(_, a, subs) => {
                let at: Vec<i64> = subs.iter().map(|s| self.sub(s)).collect();
                let k = self.scope.arrays.get(a).unwrap_or_else(|| &self.tables[a]);
                self.arrays[*k].read(&at)
            }
            Expr::Local(_, name, subs) => {
                let at: Vec<i64> = subs.iter().map(|s| self.sub(s)).collect();
                let program = self.program;
                let mut all = program.kernels[self.scope.kernel.unwrap()].locals.iter();
                let found = &all.find(|l| l.1.name == *name).unwrap().1;
                let outer = self.scope.scalars.clone();
                for (i, k) in found.indices.iter().zip(at) {
                    self.scope.scalars.insert(i.clone(), Value::i64(k));
                }
                let v = self.eval(&found.value);
                self.scope.scalars = outer;
                v
            }
            Expr::Built(_, f, args) => {
                let args: Vec<Value> = args.iter().map(|a| self.eval(a)).collect();
                built(f, &args)
            }
            Expr::Power(_, a, k) => power(self.eval(a), *k),
            Expr::Apply(_, k, args) => {
                let f = &self.program.functions[*k];
                let args: Vec<Value> = args.iter().map(|a| self.eval(a)).collect();
                let names = f.params.iter().map(|p| p.0.clone());
                let inner = Scope { scalars: names.zip(args).collect(), ..Scope::default() };
                let outer = std::mem::replace(&mut self.scope, inner);
                let v = self.eval(&f.value);
                self.scope = outer;
                v
            }
            Expr::Total(_, k, arrays) => {
                let h = &self.program.totals[*k];
                let mut inner = Scope::default();
                for (p, a) in h.params.iter().zip(arrays) {
                    inner.arrays.insert(p.name.clone(), self.scope.arrays[a]);
                }
                let outer = std::mem::replace(&mut self.scope, inner);
                let v = self.eval(&h.value);
                self.scope = outer;
                v
            }
            Expr::Bin(_, op, a, b) | Expr::Call(_, op, a, b) => {
                let (a, b) = (self.eval(a), self.eval(b));
                binary(op, a, b)
            }
            Expr::Neg(_, a) => negate(self.eval(a)),
            Expr::Not(a) => Value::bool(!self.eval(a).as_bool()),
            Expr::If(_, c, a, b) => {
                if self.eval(c).as_bool() {
                    self.eval(a)
                } else {
                    self.eval(b)
                }
            }
            Expr::Cast(ty, a) => cast(*ty, self.eval(a)),
            Expr::By(e) => self.eval(e),
            Expr::Part(_, im, z) => {
                let z = self.complex(z);
                if *im { z.1 } else { z.0 }
            }
            Expr::Fold(ty, op, axes, term) => self.fold(*ty, *op, axes, term),
            Expr::Scan(ty, (op, exclusive), index, lo, term) => {
                let here = int(self.scope.scalars[index]) as i64;
                let axis = Axis {
                    name: index.clone(),
                    lo: *lo,
                    hi: here + i64::from(!exclusive),
                    by: 1,
                    upto: None,
                    ends: None,
                };
                self.fold(*ty, *op, &[axis], term)
            }
            Expr::Loop { ty, var, first, axis, inner, stop, step, beside } => {
                let v = self.eval(first);
                self.scope.scalars.insert(var.clone(), v);
                if let Some(b) = beside {
                    let w = self.eval(&b.first);
                    self.scope.scalars.insert(b.var.clone(), w);
                }
                let other = |m: &mut Self, ahead: bool| {
                    if let Some(b) = beside.as_ref().filter(|b| b.ahead == ahead) {
                        let w = m.eval(&b.step);
                        m.scope.scalars.insert(b.var.clone(), w);
                    }
                };
                let mut stopped = false;
                self.points(std::slice::from_ref(axis), &mut vec![], &mut |m, _| {
                    stopped = stopped || stop.as_ref().is_some_and(|s| m.eval(s).as_bool());
                    if !stopped {
                        other(m, true);
                        m.points(inner.as_slice(), &mut vec![], &mut |m, _| {
                            let v = m.eval(step);
                            m.scope.scalars.insert(var.clone(), v);
                        });
                        other(m, false);
                    }
                });
                let sum = |w: &str| {
                    let [v, w] = [var.as_str(), w].map(|name| Box::new(Expr::Scalar(*ty, name.into())));
                    Expr::Bin(*ty, "+", v, w)
                };
                let both = beside.as_ref().map(|b| self.eval(&sum(&b.var)));
                if let Some(b) = beside {
                    self.scope.scalars.remove(&b.var);
                }
                let v = self.scope.scalars.remove(var).unwrap();
                both.unwrap_or(v)
            }
        }
    }

    pub fn fold(&mut self, ty: Ty, op: Fold, axes: &[Axis], term: &Expr) -> Value {
        if op == Fold::Once {
            let mut terms = vec![];
            self.points(axes, &mut vec![], &mut |m, _| terms.push(float(m.eval(term))));
            return sum_once(ty, &terms);
        }
        if ty.is_half() {
            // Sums of whole numbers are exact in f32, and rounded at the end.
            let all = self.fold_as(Ty::F32, op, axes, term);
            return rounded(ty, float(all));
        }
        self.fold_as(ty, op, axes, term)
    }

    fn fold_as(&mut self, ty: Ty, op: Fold, axes: &[Axis], term: &Expr) -> Value {
        if matches!(op, Fold::ArgMin | Fold::ArgMax) {
            return Value::i64(self.best(op, axes, term).1[0]);
        }
        let mut acc = identity(op, ty);
        let mut count = 0;
        self.points(axes, &mut vec![], &mut |m, _| {
            let v = m.eval(term);
            let v = if v.ty.is_half() { cast(Ty::F32, v) } else { v };
            count += 1;
            acc = match op {
                Fold::Sum | Fold::Mean => binary("+", acc, v),
                Fold::Prod => binary("*", acc, v),
                Fold::Once | Fold::ArgMin | Fold::ArgMax => panic!("told above"),
                // NaN wins, whenever it comes.
                Fold::Min | Fold::Max if ty.is_float() && float(v).is_nan() => v,
                Fold::Min => binary("min", acc, v),
                Fold::Max => binary("max", acc, v),
                Fold::Any => Value::bool(acc.as_bool() || v.as_bool()),
                Fold::All => Value::bool(acc.as_bool() && v.as_bool()),
                Fold::Count => Value::i64(int(acc) as i64 + int(v) as i64),
            };
        });
        match op {
            Fold::Mean => Value::float(ty, float(acc) / count as f64),
            _ => acc,
        }
    }

    /// The extreme that `argmin` or `argmax` looks for, and its place: the first one, a NaN before all numbers.
    fn best(&mut self, op: Fold, axes: &[Axis], term: &Expr) -> (Option<Value>, Vec<i64>) {
        let word = if op == Fold::ArgMin { "<" } else { ">" };
        let nan = |v: Value| v.ty.is_float() && float(v).is_nan();
        let mut best: (Option<Value>, Vec<i64>) = (None, vec![]);
        self.points(axes, &mut vec![], &mut |m, point| {
            let v = m.eval(term);
            if best.0.is_none_or(|b| binary(word, v, b).as_bool() || (nan(v) && !nan(b))) {
                best = (Some(v), point.to_vec());
            }
        });
        best
    }
}
