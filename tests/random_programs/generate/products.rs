//! Draws products of matrices: their factors are divided in all ways, so that the planner makes them panel by panel.

use super::*;

impl Generator {
    /// Three arrays for `t[i, j] = sum[k] l[i, k] * r[k, j]`, the factors as they are or transposed; gives where they stand.
    pub(super) fn arrays_of_product(&mut self) -> [usize; 3] {
        let ty = *self.r.pick(&[Ty::F64, Ty::F64, Ty::F32, Ty::F32, Ty::F16, Ty::Bf16]);
        // Fewer terms would be written out.
        let [n, q, m] = [self.r.range(4, 12), self.r.range(33, 48), self.r.range(2, 12)];
        let first = self.program.arrays.len();
        for (k, shape) in [[n, q], [q, m], [n, m]].into_iter().enumerate() {
            let words: Vec<&str> = (0..2).map(|_| self.r.word(&["block", "block", "*"])).collect();
            let placement = match self.r.range(0, 8) {
                0 => "in replicated".to_string(),
                _ => format!("in ({})", words.join(", ")),
            };
            let shape = if k < 2 && self.r.chance(30) { vec![shape[1], shape[0]] } else { shape.to_vec() };
            let edges = (0..2).map(|_| self.edge(ty)).collect();
            let name = format!("a{}", first + k);
            self.program.arrays.push(Array { name, ty, shape, placement, edges, below: 0 });
        }
        [first, first + 1, first + 2]
    }

    /// The product, alone or in a loop that changes something.
    pub(super) fn product(&mut self, scope: &Scope, places: [usize; 3]) -> Stmt {
        let [l, r, t] = places.map(|k| self.program.arrays[k].clone());
        let k = self.name("red");
        let count = l.shape[0].max(l.shape[1]);
        let lo = if self.r.chance(20) { self.r.range(0, count) } else { 0 };
        let axis = Axis { name: k.clone(), lo, hi: count, by: 1, upto: None, ends: None };
        let left = self.factor(&l, ("i", t.shape[0]), (&k, count));
        let right = self.factor(&r, ("j", t.shape[1]), (&k, count));
        let ty = t.ty;
        let term = Expr::Bin(ty, "*", Box::new(left), Box::new(right));
        let mut value = Expr::Fold(ty, Fold::Sum, vec![axis], Box::new(term));
        let small = matches!(ty, Ty::F16 | Ty::Bf16);
        if small || self.r.chance(40) {
            let op = if small { "min" } else { self.r.word(&["min", "max"]) };
            value = Expr::Call(ty, op, Box::new(value), Box::new(Expr::Lit(ty, 40)));
        }
        let op = if !small && self.r.chance(25) { "+=" } else { "=" };
        let (left, axes) = (plain(&t.shape), whole(&t.shape));
        let product =
            Stmt::Equation(Equation { target: t.name, left, op, value, axes, clause: false, otherwise: false });
        if self.r.chance(60) {
            return product;
        }
        let index = self.name("t");
        let other = self.direct(scope);
        Stmt::For { index, lo: 0, hi: self.r.range(1, 4), by: 1, body: vec![product, other] }
    }

    /// A factor, as it is or transposed; whole numbers, so that sums are exact.
    fn factor(&mut self, a: &Array, across: (&str, i64), term: (&str, i64)) -> Expr {
        let order = if a.shape[0] > a.shape[1] { [term, across] } else { [across, term] };
        let mut subs = vec![];
        for (d, (name, n)) in order.into_iter().enumerate() {
            let free = a.edges[d] != Edge::None;
            let konst = if free { self.r.range(-2, 3) } else { self.r.range(0, a.shape[d] - n + 1) };
            subs.push(Sub { konst, terms: vec![(name.to_string(), 1)], half: None, value: None });
        }
        super::expressions::exact(Expr::Read(a.ty, a.name.clone(), subs))
    }
}
