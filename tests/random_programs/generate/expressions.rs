//! Draws expressions whose reads stay in bounds, or fall past an edge that catches them.

use super::*;

impl Generator {
    fn lit(&mut self, ty: Ty) -> Expr {
        match ty {
            Ty::Bool => Expr::Lit(ty, self.r.range(0, 2)),
            Ty::U32 | Ty::U64 => Expr::Lit(ty, self.r.range(0, 10)),
            _ => Expr::Lit(ty, self.r.range(-5, 10)),
        }
    }

    pub(super) fn leaf(&mut self, scope: &Scope, ty: Ty) -> Expr {
        if scope.indices.iter().any(|i| i.lo >= i.hi) {
            return self.lit(ty);
        }
        let other = match self.r.range(0, 12) {
            0 => self.of_table(scope, ty),
            1 | 2 => self.of_intermediate(scope, ty),
            3 => self.of_part(scope, ty),
            _ => None,
        };
        if let Some(other) = other {
            return other;
        }
        match self.r.range(0, 10) {
            0 => self.lit(ty),
            1 if ty != Ty::Bool && !scope.indices.is_empty() => {
                let i = self.r.pick(&scope.indices).name.clone();
                Expr::Index(ty, i)
            }
            2 if !scope.scalars.is_empty() => {
                let (name, t) = self.r.pick(&scope.scalars).clone();
                if t == ty { Expr::Scalar(t, name) } else { Expr::Cast(ty, Box::new(Expr::Scalar(t, name))) }
            }
            _ if scope.arrays.is_empty() => match scope.scalars.iter().find(|s| s.1 == ty) {
                Some((name, _)) => Expr::Scalar(ty, name.clone()),
                None => self.lit(ty),
            },
            _ => {
                let same: Vec<Array> = scope.arrays.iter().filter(|a| a.ty == ty).cloned().collect();
                let a = if same.is_empty() || self.r.chance(10) {
                    self.r.pick(&scope.arrays).clone()
                } else {
                    self.r.pick(&same).clone()
                };
                let subs = self.subs(scope, &a);
                let read = Expr::Read(a.ty, a.name, subs);
                if a.ty == ty { read } else { Expr::Cast(ty, Box::new(read)) }
            }
        }
    }

    /// The subscripts of a read. Ghost cells of several dimensions multiply, so only short ranges reach into those.
    pub(super) fn subs(&mut self, scope: &Scope, a: &Array) -> Vec<Sub> {
        let mut near = scope.clone();
        let most = [150, 150, 150, 41, 8, 8][a.shape.len()];
        near.indices.retain(|i| a.shape.len() < 3 || i.lo > -4 && i.hi < most);
        a.shape.iter().zip(&a.edges).enumerate().map(|(d, (&n, &e))| self.sub(&near, d, n, e)).collect()
    }

    pub(super) fn sub(&mut self, scope: &Scope, d: usize, n: i64, edge: Edge) -> Sub {
        let own = scope.indices.iter().position(|i| i.name == index_name(d) && i.narrows);
        let chosen = match own {
            Some(k) if self.r.chance(70) => Some(scope.indices[k].clone()),
            _ if !scope.indices.is_empty() && self.r.chance(85) => Some(self.r.pick(&scope.indices).clone()),
            _ => None,
        };
        let Some(i) = chosen else {
            let konst = if edge == Edge::None { self.r.range(0, n) } else { self.r.range(-n - 1, 2 * n + 2) };
            return Sub { konst, terms: vec![], half: None, value: None };
        };
        if self.r.chance(8) {
            return self.indirect(scope, n, edge);
        }
        if i.free {
            return self.anywhere(Expr::Index(Ty::I64, i.name.clone()), i.hi, n, edge);
        }
        if i.halves && i.lo >= 0 && self.r.chance(10) {
            return self.halved(&i, n, edge);
        }
        if edge == Edge::None {
            return self.inside(&i, n);
        }
        let coef = *self.r.pick(&[1, 1, 1, 1, 1, 1, -1, 2]);
        let konst = match self.r.range(0, 10) {
            0..=2 => 0,
            3..=7 => self.r.range(-3, 4),
            _ => self.r.range(-2 * n - 1, 2 * n + 2),
        };
        let mut terms = vec![(i.name.clone(), coef)];
        if self.r.chance(12) {
            let other = self.r.pick(&scope.indices).name.clone();
            if other != i.name {
                terms.push((other, 1));
            }
        }
        Sub { konst, terms, half: None, value: None }
    }

    /// `i div 2` or `i mod 2`, moved to stay inside where no edge catches it.
    fn halved(&mut self, i: &Ix, n: i64, edge: Edge) -> Sub {
        let rest = self.r.chance(40);
        let (least, most) = if rest { (0, 1) } else { (i.lo.div_euclid(2), (i.hi - 1).div_euclid(2)) };
        let konst = match edge {
            Edge::None if most - least < n => self.r.range(-least, n - most),
            Edge::None => return self.inside(i, n),
            _ => self.r.range(-2, 3),
        };
        Sub { konst, terms: vec![], half: Some((i.name.clone(), rest)), value: None }
    }

    /// A subscript that stays in `0..n`.
    pub(super) fn inside(&mut self, i: &Ix, n: i64) -> Sub {
        if self.r.chance(20) && i.hi - i.lo <= n {
            // konst - i
            let (least, most) = (i.hi - 1, n - 1 + i.lo);
            return Sub {
                konst: self.r.range(least, most + 1),
                terms: vec![(i.name.clone(), -1)],
                half: None,
                value: None,
            };
        }
        let (least, most) = (-i.lo, n - i.hi);
        if least > most {
            return Sub { konst: self.r.range(0, n), terms: vec![], half: None, value: None };
        }
        let konst = if least <= 0 && most >= 0 && self.r.chance(50) { 0 } else { self.r.range(least, most + 1) };
        Sub { konst, terms: vec![(i.name.clone(), 1)], half: None, value: None }
    }

    pub(super) fn expr(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        if depth == 0 || scope.indices.iter().any(|i| i.lo >= i.hi) {
            return self.leaf(scope, ty);
        }
        let sub = |g: &mut Generator, ty| Box::new(g.expr(scope, ty, depth - 1));
        match self.r.range(0, 23) {
            0..=7 => self.operation(scope, ty, depth),
            9 => {
                Expr::Call(ty_or(ty), self.r.word(&["min", "max"]), sub(self, ty_or(ty)), sub(self, ty_or(ty))).only(ty)
            }
            10 if ty.is_float() || ty.is_signed() => Expr::Neg(ty, sub(self, ty)),
            11 | 12 => self.guarded(scope, ty, depth),
            13 => {
                let t = self.number();
                let op = self.r.word(&["<", "<=", ">", ">=", "==", "!="]);
                let c = Expr::Bin(Ty::Bool, op, sub(self, t), sub(self, t));
                Expr::If(ty, Box::new(c), sub(self, ty), sub(self, ty))
            }
            14 => {
                let from = self.ty();
                if from == ty { self.leaf(scope, ty) } else { Expr::Cast(ty, sub(self, from)) }
            }
            15 | 16 => self.fold(scope, ty, depth),
            17 if scope.element && ty != Ty::Bool => self.looped(scope, ty),
            18 | 19 => match self.apply(scope, ty, depth - 1) {
                Some(call) => call,
                None => self.leaf(scope, ty),
            },
            20 | 8 => self.built(scope, ty, depth - 1),
            _ => self.leaf(scope, ty),
        }
    }

    fn operation(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        let a = self.expr(scope, ty, depth - 1);
        let b = self.expr(scope, ty, depth - 1);
        if ty == Ty::Bool {
            return match self.r.range(0, 4) {
                0 => Expr::Not(Box::new(a)),
                1 => Expr::Bin(ty, "==", Box::new(a), Box::new(b)),
                _ => Expr::Bin(ty, self.r.word(&["and", "or"]), Box::new(a), Box::new(b)),
            };
        }
        match self.r.range(0, 9) {
            0..=2 => Expr::Bin(ty, "+", Box::new(a), Box::new(b)),
            3 | 4 => Expr::Bin(ty, "-", Box::new(a), Box::new(b)),
            5 | 6 => Expr::Bin(ty, "*", Box::new(a), Box::new(b)),
            7 if ty.is_float() => Expr::Bin(ty, "/", Box::new(a), Box::new(Expr::Lit(ty, self.r.range(2, 9)))),
            8 if ty.is_float() => Expr::Bin(ty, "mod", Box::new(a), Box::new(Expr::Lit(ty, self.r.range(2, 9)))),
            7 => Expr::Bin(ty, self.r.word(&["div", "mod"]), Box::new(a), Box::new(b)),
            _ if self.r.chance(50) => {
                Expr::Bin(ty, self.r.word(&["bitand", "bitor", "bitxor"]), Box::new(a), Box::new(b))
            }
            _ => Expr::Bin(ty, self.r.word(&["shl", "shr"]), Box::new(a), Box::new(Expr::Lit(ty, self.r.range(0, 12)))),
        }
    }

    /// `if i >= c { … } else { … }`: each branch may read what the condition allows.
    fn guarded(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        let open: Vec<usize> = (0..scope.indices.len()).filter(|&k| scope.indices[k].narrows).collect();
        if open.is_empty() {
            return self.leaf(scope, ty);
        }
        let k = *self.r.pick(&open);
        let i = scope.indices[k].clone();
        let c = self.r.range(i.lo, i.hi + 1);
        let name = || Box::new(Expr::Index(Ty::I64, i.name.clone()));
        let (op, yes, no) = match self.r.range(0, 4) {
            0 => ("<", (i.lo, i.hi.min(c)), (i.lo.max(c), i.hi)),
            1 => (">=", (i.lo.max(c), i.hi), (i.lo, i.hi.min(c))),
            2 => ("<=", (i.lo, i.hi.min(c + 1)), (i.lo.max(c + 1), i.hi)),
            _ => ("==", (c, (c + 1).min(i.hi)), (i.lo, i.hi)),
        };
        let cond = Expr::Bin(Ty::Bool, op, name(), Box::new(Expr::Plain(c)));
        let branch = |g: &mut Generator, r: (i64, i64)| {
            let mut s = scope.clone();
            (s.indices[k].lo, s.indices[k].hi) = r;
            Box::new(g.expr(&s, ty, depth - 1))
        };
        Expr::If(ty, Box::new(cond), branch(self, yes), branch(self, no))
    }

    pub(super) fn fold(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        let op = match ty {
            Ty::Bool => *self.r.pick(&[Fold::Any, Fold::All]),
            Ty::I64 => *self.r.pick(&[
                Fold::Sum,
                Fold::Sum,
                Fold::Prod,
                Fold::Min,
                Fold::Max,
                Fold::Count,
                Fold::ArgMin,
                Fold::ArgMax,
            ]),
            ty if ty.is_float() => *self.r.pick(&[Fold::Sum, Fold::Sum, Fold::Min, Fold::Max, Fold::Mean]),
            _ => *self.r.pick(&[Fold::Sum, Fold::Prod, Fold::Min, Fold::Max]),
        };
        if scope.arrays.is_empty() {
            return self.leaf(scope, ty);
        }
        let a = self.r.pick(&scope.arrays).clone();
        let mut inner = scope.clone();
        let mut axes: Vec<Axis> = vec![];
        let places = matches!(op, Fold::ArgMin | Fold::ArgMax);
        let most = if places {
            1
        } else if scope.element {
            2
        } else {
            3
        };
        for &n in a.shape.iter().take(most) {
            let name = self.name("red");
            let mut axis = match self.r.range(0, 6) {
                0 => Axis { lo: self.r.range(0, n), hi: n, by: self.r.range(1, 4), name, upto: None, ends: None },
                1 => Axis { lo: self.r.range(-2, 3), hi: n + self.r.range(-1, 4), by: 1, name, upto: None, ends: None },
                _ => Axis { lo: 0, hi: n, by: 1, name, upto: None, ends: None },
            };
            if scope.element {
                axis.hi = axis.hi.min(axis.lo + 12);
                let outer: Vec<&Ix> = scope.indices.iter().filter(|i| i.narrows && i.hi <= 16).collect();
                if !outer.is_empty() && self.r.chance(15) {
                    let i = (*self.r.pick(&outer)).clone();
                    (axis.upto, axis.hi) = (Some(i.name), i.hi - 1);
                }
            }
            if (places || op == Fold::Mean) && axis.hi <= axis.lo {
                (axis.lo, axis.hi, axis.by, axis.upto) = (0, n.min(12), 1, None);
            }
            axes.push(axis);
        }
        self.nested_range(&mut axes);
        if !places && op != Fold::Mean && self.r.chance(12) {
            self.read_ends(scope, axes.last_mut().unwrap());
        }
        // Under a condition there is no scan.
        if std::mem::take(&mut self.top)
            && !scope.element
            && axes.iter().all(|x| x.by == 1 && x.upto.is_none() && x.ends.is_none() && x.hi > x.lo)
            && !places
            && self.r.chance(8)
        {
            let mut inner = scope.clone();
            self.enter(&mut inner, &axes);
            let term = if matches!(op, Fold::Count | Fold::Any | Fold::All) { Ty::Bool } else { ty };
            let value = Box::new(self.scan(&inner, &axes, term));
            let ty = if term == ty { ty } else { Ty::I64 };
            return self.by_function(Expr::Fold(ty, op, axes, value));
        }
        if places || op == Fold::Mean {
            axes.iter_mut().for_each(|x| x.upto = None);
            axes.iter_mut().filter(|x| x.hi <= x.lo).for_each(|x| (x.lo, x.hi) = (0, 1));
        }
        for x in &axes {
            let free = x.ends.is_some();
            let narrows = !scope.element && !free;
            inner.indices.push(Ix { name: x.name.clone(), lo: x.lo, hi: x.hi, narrows, halves: false, free });
        }
        self.cost += axes.iter().map(|x| (x.hi - x.lo).max(1)).product::<i64>();
        inner.element = true;
        let deep = if self.cost > 2000 { 0 } else { depth.min(2) - 1 };
        let term = match op {
            Fold::ArgMin | Fold::ArgMax => self.number(),
            Fold::Count | Fold::Any | Fold::All => Ty::Bool,
            _ => ty,
        };
        let value = self.expr(&inner, term, deep);
        // A sum that does not follow the element's indices is that of a whole space, wherever it stands.
        let follows = follows(&crate::text::expr(&value), scope);
        let (op, value) = if scope.element && (self.intermediate || !follows) {
            (op, exact(value))
        } else {
            self.rounded(op, value, &axes, scope.element)
        };
        if term == Ty::Bool && ty != Ty::Bool {
            return Expr::Fold(Ty::I64, op, axes, Box::new(value));
        }
        self.by_function(Expr::Fold(ty, op, axes, Box::new(value)))
    }

    /// Terms of a sum: whole numbers, or others where the order of additions is known.
    fn rounded(&mut self, op: Fold, value: Expr, axes: &[Axis], element: bool) -> (Fold, Expr) {
        let ty = value.ty();
        let few = axes.iter().all(|x| x.hi < 64 && x.ends.is_none());
        if op != Fold::Sum
            || !matches!(ty, Ty::F32 | Ty::F64)
            || !few
            || !self.r.chance(30)
            || (element && ty == Ty::F32)
        {
            return (op, exact(value));
        }
        let small = Expr::Bin(ty, "mod", Box::new(value), Box::new(Expr::Lit(ty, 64)));
        let term = Expr::Bin(ty, "/", Box::new(small), Box::new(Expr::Lit(ty, *self.r.pick(&[3, 5, 7]))));
        (if element { op } else { Fold::Once }, term)
    }

    /// The same reduction or scan, sometimes by a function.
    pub(super) fn by_function(&mut self, e: Expr) -> Expr {
        let (op, ty, plain) = match &e {
            Expr::Fold(ty, op, axes, _) => (op, ty, axes.iter().all(|x| x.upto.is_none())),
            Expr::Scan(ty, (op, _), ..) => (op, ty, true),
            _ => return e,
        };
        let exact = !ty.is_float() || matches!(op, Fold::Min | Fold::Max);
        if FREE.contains(op) && exact && plain && self.r.chance(20) { Expr::By(Box::new(e)) } else { e }
    }

    /// The last range of a reduction may end where its first index stands.
    fn nested_range(&mut self, axes: &mut [Axis]) {
        let [first, .., last] = axes else { return };
        if last.upto.is_none() && first.upto.is_none() && first.hi > first.lo && self.r.chance(25) {
            (last.upto, last.hi) = (Some(first.name.clone()), first.hi - 1);
        }
    }

    fn looped(&mut self, scope: &Scope, ty: Ty) -> Expr {
        let (var, name) = (self.name("v"), self.name("l"));
        let lo = self.r.range(-2, 3);
        let (hi, by) = (lo + self.r.range(1, 22), self.r.range(1, 3));
        let mut axis = Axis { name: name.clone(), lo, hi, by, upto: None, ends: None };
        if self.r.chance(20) {
            self.read_ends(scope, &mut axis);
        }
        let first = Box::new(self.expr(scope, ty, 0));
        let mut inner = scope.clone();
        let free = axis.ends.is_some();
        inner.indices.push(Ix { name, lo: axis.lo, hi: axis.hi, narrows: false, halves: false, free });
        inner.scalars.push((var.clone(), ty));
        let beside = self.r.chance(30).then(|| {
            let (w, first) = (self.name("w"), self.expr(scope, ty, 0));
            let more = self.expr(&inner, ty, 1);
            // What it was in the round before, or not: the last term.
            let step = match self.r.chance(70) {
                true => Expr::Bin(ty, "+", Box::new(Expr::Scalar(ty, w.clone())), Box::new(more)),
                false => more,
            };
            if self.r.chance(40) {
                inner.scalars.push((w.clone(), ty));
            }
            Box::new(Beside { var: w, first, step, ahead: self.r.chance(50) })
        });
        let stop = self.r.chance(40).then(|| {
            let op = self.r.word(&["<", ">", "=="]);
            Box::new(Expr::Bin(Ty::Bool, op, Box::new(self.leaf(&inner, ty)), Box::new(self.leaf(&inner, ty))))
        });
        let nested = self.r.chance(25).then(|| {
            let lo = self.r.range(-1, 2);
            let (name, hi) = (self.name("l"), lo + self.r.range(0, 5));
            inner.indices.push(Ix { name: name.clone(), lo, hi, narrows: false, halves: false, free: false });
            Axis { name, lo, hi, by: 1, upto: None, ends: None }
        });
        let op = self.r.word(&["+", "-"]);
        let (last, term) = (Expr::Scalar(ty, var.clone()), self.expr(&inner, ty, 1));
        let step = match ty.is_float() && !ty.is_half() && self.r.chance(30) {
            true => Expr::Built(ty, "fma", vec![term, self.expr(&inner, ty, 0), last]),
            false => Expr::Bin(ty, op, Box::new(last), Box::new(term)),
        };
        Expr::Loop { ty, var, first, axis, inner: nested, stop, step: Box::new(step), beside }
    }
}

/// Whether a text names an index of an element, or of a reduction around it.
fn follows(text: &str, scope: &Scope) -> bool {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    // Those of the workflow's loops are the same for all elements.
    scope.indices.iter().any(|i| !i.name.starts_with('t') && words.contains(&i.name.as_str()))
}

/// Whole numbers below 64 in place of floats: their sums are exact in any order.
pub(super) fn exact(value: Expr) -> Expr {
    let ty = value.ty();
    if !ty.is_float() {
        return value;
    }
    Expr::Bin(ty, "mod", Box::new(Expr::Floor(ty, Box::new(value))), Box::new(Expr::Lit(ty, 64)))
}

impl Expr {
    /// This expression, or as a value of `ty` when it was made for numbers.
    fn only(self, ty: Ty) -> Expr {
        if self.ty() == ty { self } else { Expr::Cast(ty, Box::new(self)) }
    }
}
