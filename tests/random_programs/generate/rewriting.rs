//! Draws what changes arrays of subscripts, and loops that do so in some rounds while they read through them.

use super::*;

impl Generator {
    /// A whole number, brought to where an array's elements stay.
    pub(super) fn kept(&self, a: &Array, value: Expr) -> Expr {
        let inside = Expr::Bin(Ty::I64, "mod", Box::new(value), Box::new(Expr::Plain(a.below)));
        if a.ty == Ty::I64 { inside } else { Expr::Cast(a.ty, Box::new(inside)) }
    }

    /// Arrays of subscripts, and not those of floats.
    fn known(scope: &Scope) -> Vec<Array> {
        scope.arrays.iter().filter(|a| a.below > 0 && !a.ty.is_float()).cloned().collect()
    }

    /// An array of subscripts.
    pub(super) fn of_subscripts(&mut self, scope: &Scope) -> Option<Array> {
        let known = Generator::known(scope);
        (!known.is_empty()).then(|| self.r.pick(&known).clone())
    }

    /// An element of an array of subscripts, at a place that so many reads of such arrays tell one after another.
    pub(super) fn through(&mut self, scope: &Scope, a: &Array, reads: usize) -> Expr {
        let mut subs = self.subs(scope, a);
        if reads > 0 {
            let other = if self.r.chance(60) { None } else { self.of_subscripts(scope) };
            self.lead(scope, a, &mut subs, &other.unwrap_or_else(|| a.clone()), reads - 1);
        } else {
            self.follow(scope, a, &mut subs);
        }
        let read = Expr::Read(a.ty, a.name.clone(), subs);
        if a.ty == Ty::I64 { read } else { Expr::Cast(Ty::I64, Box::new(read)) }
    }

    /// One of the subscripts of an array becomes an element of an array of subscripts.
    fn lead(&mut self, scope: &Scope, a: &Array, subs: &mut [Sub], by: &Array, reads: usize) {
        // Without an edge, what is read may be listed.
        let bare: Vec<usize> = (0..a.shape.len()).filter(|&d| a.edges[d] == Edge::None).collect();
        let any = bare.is_empty() || self.r.chance(30);
        let d = if any { self.r.range(0, a.shape.len() as i64) as usize } else { *self.r.pick(&bare) };
        let value = self.through(scope, by, reads);
        subs[d] = self.anywhere(value, by.below, a.shape[d], a.edges[d]);
    }

    /// A subscript that is the same everywhere becomes an index, brought inside.
    fn follow(&mut self, scope: &Scope, a: &Array, subs: &mut [Sub]) {
        let same = |s: &Sub| s.terms.is_empty() && s.half.is_none() && s.value.is_none();
        let open: Vec<Ix> = scope.indices.iter().filter(|i| i.narrows && i.lo < i.hi).cloned().collect();
        let Some(d) = subs.iter().position(same).filter(|_| !open.is_empty()) else { return };
        let i = self.r.pick(&open).clone();
        let below = if i.lo < 0 { i64::MAX } else { i.hi };
        subs[d] = self.anywhere(Expr::Index(Ty::I64, i.name), below, a.shape[d], a.edges[d]);
    }

    /// A part of an array that is not empty, or all of it.
    fn some_part(&mut self, shape: &[i64]) -> (Vec<Left>, Vec<Axis>, bool) {
        let part = self.r.chance(30).then(|| self.part(shape));
        part.filter(|p| p.1.iter().all(|x| x.lo < x.hi)).unwrap_or_else(|| (plain(shape), whole(shape), false))
    }

    /// An array of subscripts changes: by what it was and where it stands, or to what another one is.
    fn rewritten(&mut self, scope: &Scope, a: &Array) -> Stmt {
        let fits = |b: &&Array| b.shape == a.shape && b.ty == a.ty && (1..=a.below).contains(&b.below);
        let same: Vec<Array> = scope.arrays.iter().filter(fits).filter(|b| b.name != a.name).cloned().collect();
        if !same.is_empty() && self.r.chance(25) {
            return Stmt::Copy(a.name.clone(), self.r.pick(&same).name.clone(), None);
        }
        let (left, axes, clause) = self.some_part(&a.shape);
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        let reads = *self.r.pick(&[0, 0, 1, 2]);
        let mut value = self.through(&inner, a, reads);
        let mut terms: Vec<Expr> =
            inner.indices.iter().filter(|i| !i.free).map(|i| Expr::Index(Ty::I64, i.name.clone())).collect();
        terms.extend(
            scope
                .scalars
                .iter()
                .filter(|s| s.0.starts_with('c') && s.1 == Ty::I64)
                .map(|s| Expr::Scalar(s.1, s.0.clone())),
        );
        for term in terms {
            let term = Expr::Bin(Ty::I64, "*", Box::new(Expr::Plain(self.r.range(0, 8))), Box::new(term));
            value = Expr::Bin(Ty::I64, "+", Box::new(value), Box::new(term));
        }
        let value = self.kept(a, value);
        Stmt::Equation(Equation { target: a.name.clone(), left, op: "=", value, axes, clause, otherwise: false })
    }

    /// An equation for an array that reads it, and perhaps another one, through an array of subscripts.
    fn led(&mut self, scope: &Scope, u: &Array, by: &Array) -> Stmt {
        let (left, axes, clause) = self.some_part(&u.shape);
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        // Without the loops' indices, what is read is the same in every round.
        if self.r.chance(60) {
            inner.indices.retain(|i| i.narrows);
        }
        let read = |g: &mut Generator, a: &Array, reads: usize| {
            let mut subs = g.subs(&inner, a);
            g.lead(&inner, a, &mut subs, by, reads);
            let read = Expr::Read(a.ty, a.name.clone(), subs);
            if a.ty == u.ty { read } else { Expr::Cast(u.ty, Box::new(read)) }
        };
        let reads = *self.r.pick(&[1, 1, 1, 2]);
        let far = read(self, u, reads);
        let other = if self.r.chance(60) { u.clone() } else { self.r.pick(&scope.arrays).clone() };
        let reads = *self.r.pick(&[0, 0, 1, 2]);
        let near = read(self, &other, reads);
        let op = if u.ty == Ty::Bool { self.r.word(&["and", "or", "=="]) } else { self.r.word(&["+", "+", "-", "*"]) };
        let value = Expr::Bin(u.ty, op, Box::new(far), Box::new(near));
        Stmt::Equation(Equation { target: u.name.clone(), left, op: "=", value, axes, clause, otherwise: false })
    }

    /// A loop that reads what it writes through an array of subscripts, which it changes in some rounds.
    pub(super) fn rewriting(&mut self, scope: &mut Scope, depth: usize) -> Option<Stmt> {
        let by = self.of_subscripts(scope)?;
        let open: Vec<Array> = scope.arrays.iter().filter(|a| a.below == 0).cloned().collect();
        let bare: Vec<Array> = open.iter().filter(|a| a.edges.contains(&Edge::None)).cloned().collect();
        let from = if bare.is_empty() || self.r.chance(30) { open } else { bare };
        let u = if from.is_empty() { self.target(scope) } else { self.r.pick(&from).clone() };
        let counted = self.r.chance(60);
        let name = self.name(if counted { "t" } else { "c" });
        let (lo, step) = if counted { (self.r.range(-1, 3), self.r.range(1, 3)) } else { (1, 1) };
        let rounds = self.r.range(2, 6);
        let mut inner = scope.clone();
        let now = if counted {
            let hi = lo + rounds * step;
            inner.indices.push(Ix { name: name.clone(), lo, hi, narrows: false, halves: false, free: false });
            Expr::Index(Ty::I64, name.clone())
        } else {
            inner.scalars.push((name.clone(), Ty::I64));
            Expr::Scalar(Ty::I64, name.clone())
        };
        let mut change = vec![self.rewritten(&inner, &by)];
        if depth < 1 && self.r.chance(15) {
            let index = self.name("t");
            change.push(self.led(&inner, &u, &by));
            change = vec![Stmt::For { index, lo: 0, hi: self.r.range(1, 4), by: 1, body: change }];
        }
        let otherwise = if self.r.chance(15) { vec![self.rewritten(&inner, &by)] } else { vec![] };
        let cond = self.round(now, lo, lo + (rounds - 1) * step);
        let mut body = if self.r.chance(50) { self.block(&inner, depth) } else { vec![] };
        let mut more = vec![Stmt::If { cond, then: change, otherwise }, self.led(&inner, &u, &by)];
        if self.r.chance(25) {
            more.extend(self.scatter(&inner));
        }
        for s in more {
            body.insert(self.r.range(0, body.len() as i64 + 1) as usize, s);
        }
        if counted {
            return Some(Stmt::For { index: name, lo, hi: lo + rounds * step, by: step, body });
        }
        scope.scalars.push((name.clone(), Ty::I64));
        Some(Stmt::While { counter: name, rounds, body })
    }

    /// A condition on what counts a loop's rounds, from the first to the last.
    fn round(&mut self, now: Expr, first: i64, last: i64) -> Expr {
        let (op, value, k) = match self.r.range(0, 4) {
            0 => ("==", Expr::Bin(Ty::I64, "mod", Box::new(now), Box::new(Expr::Plain(2))), self.r.range(0, 2)),
            1 => (self.r.word(&["<", ">"]), now, self.r.range(first, last + 1)),
            _ => ("==", now, self.r.range(first, last + 1)),
        };
        Expr::Bin(Ty::Bool, op, Box::new(value), Box::new(Expr::Plain(k)))
    }
}
