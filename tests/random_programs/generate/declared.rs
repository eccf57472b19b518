//! Draws what a program declares beside arrays: tables, functions, intermediates of kernels, kernels of one value, arrays of blocks.

use super::*;

/// An intermediate of a kernel, and where it may be read.
#[derive(Clone)]
pub(super) struct Known {
    pub name: String,
    pub ty: Ty,
    pub ranges: Vec<(i64, i64)>,
}

impl Generator {
    pub(super) fn tables(&mut self) {
        for k in 0..self.r.range(0, 3) {
            let rank = *self.r.pick(&[1, 1, 2, 3]);
            let shape: Vec<i64> = (0..rank).map(|_| self.r.range(1, 10 - 2 * rank)).collect();
            let values = (0..shape.iter().product()).map(|_| self.r.range(0, 10)).collect();
            self.program.tables.push(Table { name: format!("table{k}"), shape, values });
        }
    }

    /// An element of a table, as a value of the type.
    pub(super) fn of_table(&mut self, scope: &Scope, ty: Ty) -> Option<Expr> {
        let tables = self.program.tables.clone();
        if tables.is_empty() {
            return None;
        }
        let t = self.r.pick(&tables);
        let at = t.shape.iter().enumerate().map(|(d, &n)| self.sub(scope, d, n, Edge::None)).collect();
        let read = Expr::Read(Ty::I64, t.name.clone(), at);
        Some(if ty == Ty::I64 { read } else { Expr::Cast(ty, Box::new(read)) })
    }

    /// Functions of one to three values, which may call those before them.
    pub(super) fn functions(&mut self) {
        for _ in 0..self.r.range(0, 3) {
            let params: Vec<(String, Ty)> = (0..self.r.range(1, 4)).map(|k| (format!("x{k}"), self.ty())).collect();
            let scope = Scope { scalars: params.clone(), element: true, ..Scope::default() };
            let (ty, depth) = (self.ty(), self.r.range(1, 3) as usize);
            let value = self.expr(&scope, ty, depth);
            self.program.functions.push(Function { params, value });
        }
    }

    /// A call of a function that gives the type.
    pub(super) fn apply(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Option<Expr> {
        let fits: Vec<usize> =
            (0..self.program.functions.len()).filter(|&k| self.program.functions[k].value.ty() == ty).collect();
        if fits.is_empty() {
            return None;
        }
        let k = *self.r.pick(&fits);
        let params = self.program.functions[k].params.clone();
        Some(Expr::Apply(ty, k, params.iter().map(|p| self.expr(scope, p.1, depth)).collect()))
    }

    /// A function of the language that is exact, or a whole power.
    pub(super) fn built(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        let arg = |g: &mut Generator, ty| g.expr(scope, ty, depth);
        if ty == Ty::Bool || self.r.chance(20) {
            return Expr::Built(ty, "select", vec![arg(self, Ty::Bool), arg(self, ty), arg(self, ty)]);
        }
        if self.r.chance(25) {
            return Expr::Power(ty, Box::new(arg(self, ty)), self.r.range(2, 4));
        }
        let three = if self.r.chance(50) { "min" } else { "max" };
        match ty {
            Ty::U32 | Ty::U64 if self.r.chance(50) => Expr::Built(ty, "mulhi", vec![arg(self, ty), arg(self, ty)]),
            ty if ty.is_float() && self.r.chance(70) => {
                if self.r.chance(25) {
                    return Expr::Built(ty, "fma", (0..3).map(|_| arg(self, ty)).collect());
                }
                if self.r.chance(15) {
                    return Expr::Built(ty, self.r.word(OF_TWO), (0..2).map(|_| arg(self, ty)).collect());
                }
                let exact = ["sqrt", "floor", "ceil", "round", "trunc", "abs"];
                let f = if self.r.chance(50) { self.r.word(&exact) } else { self.r.word(ELEMENTARY) };
                Expr::Built(ty, f, vec![arg(self, ty)])
            }
            ty if self.r.chance(50) && (ty.is_float() || ty.is_signed()) => Expr::Built(ty, "abs", vec![arg(self, ty)]),
            ty => Expr::Built(ty, three, (0..3).map(|_| arg(self, ty)).collect()),
        }
    }

    /// A read of an intermediate, as a value of the type.
    pub(super) fn of_intermediate(&mut self, scope: &Scope, ty: Ty) -> Option<Expr> {
        if scope.locals.is_empty() {
            return None;
        }
        let v = self.r.pick(&scope.locals).clone();
        let subs = v.ranges.iter().map(|&(lo, hi)| self.between(scope, lo, hi)).collect();
        let read = Expr::Local(v.ty, v.name, subs);
        Some(if v.ty == ty { read } else { Expr::Cast(ty, Box::new(read)) })
    }

    /// A subscript in `lo..hi`, of an index if one fits.
    fn between(&mut self, scope: &Scope, lo: i64, hi: i64) -> Sub {
        let known: Vec<Ix> = scope.indices.iter().filter(|i| !i.free && i.hi - i.lo <= hi - lo).cloned().collect();
        if known.is_empty() || self.r.chance(10) {
            return Sub { konst: self.r.range(lo, hi), terms: vec![], half: None, value: None };
        }
        let i = self.r.pick(&known).clone();
        let sub = self.inside(&i, hi - lo);
        Sub { konst: sub.konst + lo, ..sub }
    }

    /// An intermediate of a kernel, of what is in scope.
    pub(super) fn intermediate(&mut self, scope: &mut Scope) -> Intermediate {
        let (name, ty) = (self.name("m"), self.ty());
        let ranges: Vec<(i64, i64)> = match self.r.range(0, 5) {
            0 => vec![],
            _ => {
                let shape = self.r.pick(&scope.arrays).shape.clone();
                // Ghost cells of many dimensions multiply.
                let most = if scope.arrays.iter().any(|a| a.shape.len() > 3) { 4 } else { 40 };
                shape.iter().take(2).map(|&n| (self.r.range(-2, 1), n.min(most) + self.r.range(0, 3))).collect()
            }
        };
        let indices: Vec<String> = (0..ranges.len()).map(index_name).collect();
        let value = if ranges.is_empty() {
            let whole = Scope { element: false, ..scope.clone() };
            self.fold(&whole, ty, 1)
        } else {
            let axis = |(k, r): (usize, &(i64, i64))| Axis {
                name: index_name(k),
                lo: r.0,
                hi: r.1,
                by: 1,
                upto: None,
                ends: None,
            };
            let axes: Vec<Axis> = ranges.iter().enumerate().map(axis).collect();
            let mut inner = scope.clone();
            self.enter(&mut inner, &axes);
            inner.indices.iter_mut().for_each(|i| i.halves = false);
            let depth = self.r.range(1, 3) as usize;
            self.intermediate = true;
            let value = self.expr(&inner, ty, depth);
            self.intermediate = false;
            value
        };
        scope.locals.push(Known { name: name.clone(), ty: value.ty(), ranges });
        Intermediate { name, indices, value }
    }

    /// A kernel that gives one value, called with arrays.
    pub(super) fn value_of_arrays(&mut self, scope: &Scope, ty: Ty) -> Expr {
        let arrays: Vec<Array> = (0..self.r.range(1, 3)).map(|_| self.r.pick(&scope.arrays).clone()).collect();
        let params: Vec<Port> = arrays
            .iter()
            .enumerate()
            .map(|(k, a)| Port {
                name: format!("p{k}"),
                ty: a.ty,
                extents: a.shape.iter().map(|n| format!("n{n}")).collect(),
            })
            .collect();
        let seen = arrays.iter().zip(&params).map(|(a, p)| Array { name: p.name.clone(), ..a.clone() });
        let inner = Scope { arrays: seen.collect(), ..Scope::default() };
        let value = self.fold(&inner, ty, 2);
        let ty = value.ty();
        self.program.totals.push(crate::model::Total { params, value });
        Expr::Total(ty, self.program.totals.len() - 1, names(&arrays))
    }

    /// An array of a block.
    pub(super) fn declare(&mut self, scope: &mut Scope) -> Stmt {
        let declared = self.program.arrays.len();
        self.array();
        let mut a = self.program.arrays.remove(declared);
        a.name = self.name("b");
        scope.arrays.push(a.clone());
        Stmt::Declare(a)
    }

    /// Where an array, or what is made of it, has its extreme.
    pub(super) fn places(&mut self, scope: &mut Scope) -> Stmt {
        let op = *self.r.pick(&[Fold::ArgMin, Fold::ArgMax]);
        let shape = self.r.pick(&scope.arrays).shape.clone();
        let axis = |(k, n): (usize, &i64)| Axis { name: format!("e{k}"), lo: 0, hi: *n, by: 1, upto: None, ends: None };
        let axes: Vec<Axis> = shape.iter().take(3).enumerate().map(axis).collect();
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        let ty = self.number();
        let term = self.expr(&inner, ty, 1);
        let names: Vec<String> = axes.iter().map(|_| self.name("ce")).collect();
        scope.scalars.extend(names.iter().map(|n| (n.clone(), Ty::I64)));
        Stmt::Places { names, op, axes, term }
    }
}
