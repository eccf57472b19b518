//! Draws calls of `grad` on kernels whose values and derivatives are whole numbers, so that every order of additions gives the same.

use super::*;

impl Generator {
    /// `target = grad gK(arrays) for pW`.
    pub(super) fn derivative(&mut self, scope: &Scope) -> Option<Stmt> {
        let known: Vec<Array> = scope.arrays.iter().filter(|a| a.below > 0 && a.ty == Ty::F64).cloned().collect();
        if known.is_empty() {
            return None;
        }
        let arrays: Vec<Array> = (0..self.r.range(1, 4)).map(|_| self.r.pick(&known).clone()).collect();
        let wrt = self.r.range(0, arrays.len() as i64) as usize;
        let by = arrays[wrt].clone();
        let fits = |b: &&Array| b.shape == by.shape && b.ty == by.ty && b.below == 0;
        let targets: Vec<Array> = scope.arrays.iter().filter(fits).cloned().collect();
        if targets.is_empty() {
            return None;
        }
        let target = self.r.pick(&targets).name.clone();
        let port = |(k, a): (usize, &Array)| Port {
            name: format!("p{k}"),
            ty: a.ty,
            extents: a.shape.iter().map(|n| format!("n{n}")).collect(),
        };
        let params: Vec<Port> = arrays.iter().enumerate().map(port).collect();
        let axes: Vec<Axis> = by
            .shape
            .iter()
            .enumerate()
            .map(|(d, &n)| {
                let lo = self.r.range(0, 2).min(n - 1);
                Axis { name: index_name(d), lo, hi: n, by: 1, upto: None, ends: None }
            })
            .collect();
        let seen = arrays.iter().zip(&params).map(|(a, p)| Array { name: p.name.clone(), ..a.clone() });
        let mut inner = Scope { arrays: seen.collect(), ..Scope::default() };
        self.enter(&mut inner, &axes);
        let term = self.smooth(&inner, 2);
        let loss = self.program.losses.len();
        self.program.losses.push(Loss { params, axes, term });
        Some(Stmt::Grad { loss, target, arrays: names(&arrays), wrt, rank: by.shape.len() })
    }

    /// A polynomial of reads, in parts.
    fn smooth(&mut self, scope: &Scope, depth: usize) -> Expr {
        let ty = Ty::F64;
        if depth == 0 {
            if self.r.chance(15) {
                return Expr::Lit(ty, self.r.range(-3, 4));
            }
            let a = self.r.pick(&scope.arrays).clone();
            let mut free: Vec<Ix> = scope.indices.clone();
            let subs = a
                .shape
                .iter()
                .zip(&a.edges)
                .map(|(&n, &e)| {
                    // Every index stands in one subscript of a read.
                    let k = self.r.range(0, free.len() as i64 + 1) as usize;
                    if k == free.len() {
                        return Sub { konst: self.r.range(0, n), terms: vec![], half: None, value: None };
                    }
                    let i = free.remove(k);
                    if e == Edge::None {
                        return self.inside(&i, n);
                    }
                    let konst = self.r.range(-2, 3);
                    Sub { konst, terms: vec![(i.name, 1)], half: None, value: None }
                })
                .collect();
            return Expr::Read(ty, a.name, subs);
        }
        let two = |g: &mut Generator| (Box::new(g.smooth(scope, depth - 1)), Box::new(g.smooth(scope, depth - 1)));
        match self.r.range(0, 8) {
            0 | 1 => {
                let (a, b) = two(self);
                Expr::Bin(ty, "+", a, b)
            }
            2 => {
                let (a, b) = two(self);
                Expr::Bin(ty, "-", a, b)
            }
            3..=5 => {
                let (a, b) = two(self);
                Expr::Bin(ty, "*", a, b)
            }
            6 => {
                let i = self.r.pick(&scope.indices).clone();
                let index = Box::new(Expr::Index(Ty::I64, i.name));
                let c = Expr::Bin(Ty::Bool, "<", index, Box::new(Expr::Plain(self.r.range(i.lo, i.hi + 1))));
                let (a, b) = two(self);
                Expr::If(ty, Box::new(c), a, b)
            }
            _ => Expr::Neg(ty, Box::new(self.smooth(scope, depth - 1))),
        }
    }
}
