//! Draws statements: equations of the workflow, loops, calls of kernels and workflows made for them.

use super::*;

impl Generator {
    pub(super) fn block(&mut self, scope: &Scope, depth: usize) -> Vec<Stmt> {
        let mut inner = scope.clone();
        let n = self.r.range(1, 4);
        (0..n).flat_map(|_| self.statement(&mut inner, depth + 1)).collect()
    }

    pub(super) fn statement(&mut self, scope: &mut Scope, depth: usize) -> Vec<Stmt> {
        let in_loop = scope.indices.iter().any(|i| !i.narrows);
        match self.r.range(0, 33) {
            0..=5 if !scope.complex.is_empty() && self.r.chance(50) => self.of_complex(scope).into_iter().collect(),
            0..=8 => vec![self.direct(scope)],
            9..=13 => self.kernel(scope).into_iter().collect(),
            14 | 15 => vec![self.scalar(scope)],
            16 if depth < 2 => {
                let index = self.name("t");
                let (lo, by) = (self.r.range(-1, 3), self.r.range(1, 3));
                let hi = lo + self.r.range(0, 5);
                let mut inner = scope.clone();
                if hi > lo {
                    inner.indices.push(Ix { name: index.clone(), lo, hi, narrows: false, halves: false, free: false });
                }
                let mut body = self.block(&inner, depth);
                if self.r.chance(20) {
                    let cond = self.condition(&inner, 1);
                    body.insert(self.r.range(0, body.len() as i64 + 1) as usize, Stmt::BreakIf(cond));
                }
                vec![Stmt::For { index, lo, hi, by, body }]
            }
            17 | 18 if depth < 2 => {
                let counter = self.name("c");
                let mut inner = scope.clone();
                inner.scalars.push((counter.clone(), Ty::I64));
                let mut body = self.block(&inner, depth);
                if self.r.chance(20) {
                    let cond = self.condition(&inner, 1);
                    body.push(Stmt::BreakIf(cond));
                }
                let rounds = self.r.range(0, 4);
                scope.scalars.push((counter.clone(), Ty::I64));
                vec![Stmt::While { counter, rounds, body }]
            }
            19 if depth < 2 => {
                let cond = self.condition(scope, 1);
                let (then, otherwise) =
                    (self.block(scope, depth), if self.r.chance(50) { self.block(scope, depth) } else { vec![] });
                vec![Stmt::If { cond, then, otherwise }]
            }
            20 => self.copy(scope),
            21 => self.workflow(scope, in_loop),
            23 | 24 => self.scatter(scope).into_iter().collect(),
            25 => self.derivative(scope).into_iter().collect(),
            26 => vec![self.declare(scope)],
            27 => vec![self.places(scope)],
            28..=30 if depth < 2 => self.rewriting(scope, depth).into_iter().collect(),
            22 => vec![Stmt::PrintArray(self.r.pick(&scope.arrays).name.clone())],
            _ => {
                let n = self.r.range(1, 4);
                let list = (0..n)
                    .map(|_| {
                        let ty = self.ty();
                        self.total(scope, ty)
                    })
                    .collect();
                vec![Stmt::Print(list)]
            }
        }
    }

    fn copy(&mut self, scope: &mut Scope) -> Vec<Stmt> {
        let a = self.target(scope);
        if self.r.chance(40) {
            let name = self.name("kept");
            scope.arrays.push(Array { name: name.clone(), ..a.clone() });
            return vec![Stmt::Keep(name, a.name)];
        }
        let small = |b: &Array| a.below == 0 || (1..=a.below).contains(&b.below);
        let fits = |b: &&Array| b.shape == a.shape && b.ty == a.ty && small(b);
        let same: Vec<Array> = scope.arrays.iter().filter(fits).cloned().collect();
        let file = if self.r.chance(60) { Some(self.r.range(0, 3) as usize) } else { None };
        vec![Stmt::Copy(a.name, self.r.pick(&same).name.clone(), file)]
    }

    /// An equation of the workflow: whole, part, strided, or a pick.
    pub(super) fn direct(&mut self, scope: &Scope) -> Stmt {
        let a = self.target(scope);
        let partial = self.r.chance(35);
        let (mut left, mut axes, clause) =
            if partial { self.part(&a.shape) } else { (plain(&a.shape), whole(&a.shape), false) };
        self.pick_left(scope, &a.shape, &mut left, &mut axes);
        if clause {
            self.triangle(&left, &mut axes);
        }
        let op = match a.ty {
            Ty::Bool => "=",
            _ if !self.r.chance(15) => "=",
            _ if a.below > 0 => self.r.word(&["min=", "max="]),
            _ => self.r.word(&["+=", "-=", "*=", "min=", "max="]),
        };
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        let value = self.value(&inner, &axes, &left, &a);
        Stmt::Equation(Equation { target: a.name, left, op, value, axes, clause, otherwise: false })
    }

    /// A subscript at a loop's index, in place of one of the equation's own.
    fn pick_left(&mut self, scope: &Scope, shape: &[i64], left: &mut [Left], axes: &mut Vec<Axis>) {
        let d = self.r.range(0, shape.len() as i64) as usize;
        let loops: Vec<Ix> = scope.indices.iter().filter(|i| !i.narrows && i.hi - i.lo <= shape[d]).cloned().collect();
        if loops.is_empty() || !self.r.chance(40) {
            return;
        }
        let i = self.r.pick(&loops).clone();
        if let Left::Index(name, ..) = &left[d] {
            axes.retain(|x| x.name != *name);
        }
        let konst = self.r.range(-i.lo, shape[d] - i.hi + 1);
        left[d] = Left::Index(i.name, 1, konst);
    }

    /// The last index may end where the first stands.
    fn triangle(&mut self, left: &[Left], axes: &mut [Axis]) {
        let [first, .., last] = axes else { return };
        let plain = |x: &Axis| left.iter().any(|l| matches!(l, Left::Index(n, 1, 0) if *n == x.name));
        if last.by == 1 && first.hi - 1 <= last.hi && first.hi > first.lo && plain(last) && self.r.chance(40) {
            (last.upto, last.hi) = (Some(first.name.clone()), first.hi - 1);
        }
    }

    pub(super) fn enter(&mut self, scope: &mut Scope, axes: &[Axis]) {
        scope.element = true;
        for x in axes {
            scope.indices.retain(|i| i.name != x.name);
            let halves = x.upto.is_none();
            scope.indices.push(Ix { name: x.name.clone(), lo: x.lo, hi: x.hi, narrows: true, halves, free: false });
        }
    }

    pub(super) fn depth(&mut self, shape: &[i64]) -> usize {
        self.cost += shape.iter().product::<i64>();
        if self.cost > 2000 { 1 } else { self.r.range(1, 4) as usize }
    }

    /// A part of an array: the left side, its indices, and whether ranges are written.
    pub(super) fn part(&mut self, shape: &[i64]) -> (Vec<Left>, Vec<Axis>, bool) {
        let (mut left, mut axes) = (vec![], vec![]);
        for (d, &n) in shape.iter().enumerate() {
            let name = index_name(d);
            match self.r.range(0, 6) {
                0 => left.push(Left::At(self.r.range(0, n))),
                1 if n > 2 => {
                    // name in 0..count, element step * name + first
                    let (first, step) = (self.r.range(0, 2), self.r.range(2, 4));
                    let count = (n - first + step - 1) / step;
                    left.push(Left::Index(name.clone(), step, first));
                    axes.push(Axis { name, lo: 0, hi: count, by: 1, upto: None, ends: None });
                }
                2 => {
                    let lo = self.r.range(0, n);
                    let by = self.r.range(1, 4);
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo, hi: n, by, upto: None, ends: None });
                }
                3 | 4 => {
                    let lo = self.r.range(0, n);
                    let hi = self.r.range(lo, n + 1);
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo, hi, by: 1, upto: None, ends: None });
                }
                _ => {
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo: 0, hi: n, by: 1, upto: None, ends: None });
                }
            }
        }
        (left, axes, true)
    }

    fn scalar(&mut self, scope: &mut Scope) -> Stmt {
        if !scope.scalars.is_empty() && self.r.chance(50) {
            let (name, ty) = self.r.pick(&scope.scalars).clone();
            // A counter keeps its meaning.
            if !name.starts_with('c') {
                let value = self.total(scope, ty);
                return Stmt::Scalar { name, ty, new: false, value };
            }
        }
        let (name, ty) = (self.name("s"), self.ty());
        let value = self.total(scope, ty);
        scope.scalars.push((name.clone(), ty));
        Stmt::Scalar { name, ty, new: true, value }
    }

    /// A scalar of the workflow: mostly a reduction.
    fn total(&mut self, scope: &Scope, ty: Ty) -> Expr {
        let mut scope = scope.clone();
        scope.element = false;
        if self.r.chance(10) {
            return self.value_of_arrays(&scope, ty);
        }
        if self.r.chance(60) {
            self.top = true;
            return self.fold(&scope, ty, 2);
        }
        self.expr(&scope, ty, 2)
    }

    fn condition(&mut self, scope: &Scope, depth: usize) -> Expr {
        let mut scope = scope.clone();
        scope.element = false;
        let ty = self.number();
        let op = self.r.word(&["<", "<=", ">", ">=", "==", "!="]);
        Expr::Bin(Ty::Bool, op, Box::new(self.total(&scope, ty)), Box::new(self.expr(&scope, ty, depth)))
    }

    fn kernel(&mut self, scope: &Scope) -> Option<Stmt> {
        if !self.program.kernels.is_empty()
            && self.r.chance(30)
            && let Some(again) = self.call_again(scope)
        {
            return Some(again);
        }
        let mut arrays = scope.arrays.clone();
        arrays.truncate(6);
        let params: Vec<Array> = (0..self.r.range(1, 4)).map(|_| self.r.pick(&arrays).clone()).collect();
        let mut targets: Vec<Array> = vec![];
        for _ in 0..self.r.range(1, 4) {
            // The result often has an argument's shape, so that it may go where the argument lies.
            let t = if self.r.chance(60) {
                self.target(&Scope { arrays: params.clone(), ..Scope::default() })
            } else {
                self.target(scope)
            };
            if targets.iter().all(|o| o.name != t.name) {
                targets.push(t);
            }
        }
        let extents = |a: &Array| a.shape.iter().map(|n| format!("n{n}")).collect::<Vec<_>>();
        let ports: Vec<Port> = params
            .iter()
            .enumerate()
            .map(|(k, a)| Port { name: format!("p{k}"), ty: a.ty, extents: extents(a) })
            .collect();
        let known: Vec<String> = ports.iter().flat_map(|p| p.extents.clone()).collect();
        let named = |a: &Array| {
            extents(a).into_iter().map(|e| if known.contains(&e) { e } else { e[1..].to_string() }).collect()
        };
        let results: Vec<Port> = targets
            .iter()
            .enumerate()
            .map(|(k, a)| Port { name: format!("r{k}"), ty: a.ty, extents: named(a) })
            .collect();
        let scalars: Vec<(String, Ty)> = (0..self.r.range(0, 2)).map(|k| (format!("q{k}"), self.ty())).collect();
        let mut inner = Scope { scalars: scalars.clone(), element: true, ..Scope::default() };
        inner.arrays = params.iter().zip(&ports).map(|(a, p)| Array { name: p.name.clone(), ..a.clone() }).collect();
        let (mut body, mut locals) = (vec![], vec![]);
        for (t, p) in targets.iter().zip(&results) {
            if self.r.chance(30) {
                locals.push((body.len(), self.intermediate(&mut inner)));
            }
            self.cover(&inner, t, &p.name, &mut body);
            if self.r.chance(8) {
                let result = Array { name: p.name.clone(), ..t.clone() };
                body.extend(self.accumulation(&inner, &result));
            }
            inner.arrays.push(Array { name: p.name.clone(), ..t.clone() });
        }
        let args = scalars.iter().map(|(_, ty)| self.expr_outside(scope, *ty)).collect();
        let kernel = self.program.kernels.len();
        self.program.kernels.push(Kernel { name: format!("k{kernel}"), params: ports, scalars, results, locals, body });
        let handed = self.r.chance(30);
        Some(Stmt::Call { kernel, targets: names(&targets), arrays: names(&params), scalars: args, handed })
    }

    fn expr_outside(&mut self, scope: &Scope, ty: Ty) -> Expr {
        let mut scope = scope.clone();
        scope.element = false;
        self.expr(&scope, ty, 1)
    }

    /// A kernel is called again with other arrays that look like those that it was made for.
    fn call_again(&mut self, scope: &Scope) -> Option<Stmt> {
        fn calls(list: &[Stmt], out: &mut Vec<Stmt>) {
            for s in list {
                match s {
                    Stmt::Call { .. } => out.push(s.clone()),
                    Stmt::For { body, .. } | Stmt::While { body, .. } => calls(body, out),
                    _ => {}
                }
            }
        }
        let mut known = vec![];
        calls(&self.program.body, &mut known);
        let Stmt::Call { kernel, targets, arrays, scalars, handed } = known.pop()? else { return None };
        let like = |g: &mut Generator, name: &String| -> Option<String> {
            let a = scope.arrays.iter().find(|a| a.name == *name)?.clone();
            let same: Vec<Array> = scope
                .arrays
                .iter()
                .filter(|b| b.shape == a.shape && b.ty == a.ty && b.edges == a.edges && b.below == a.below)
                .cloned()
                .collect();
            Some(g.r.pick(&same).name.clone())
        };
        let arrays = arrays.iter().map(|a| like(self, a)).collect::<Option<Vec<_>>>()?;
        let targets = targets.iter().map(|a| like(self, a)).collect::<Option<Vec<_>>>()?;
        if (0..targets.len()).any(|k| targets[..k].contains(&targets[k])) || !scalars.is_empty() {
            return None;
        }
        Some(Stmt::Call { kernel, targets, arrays, scalars, handed })
    }

    /// Equations that define every element of a result once.
    fn cover(&mut self, scope: &Scope, a: &Array, name: &str, body: &mut Vec<Equation>) {
        let d = self.r.range(0, a.shape.len() as i64) as usize;
        let n = a.shape[d];
        let mut parts: Vec<(Vec<Left>, Vec<Axis>, bool, bool)> = vec![];
        match self.r.range(0, 8) {
            0 if n > 1 => {
                let cut = self.r.range(1, n);
                for (lo, hi) in [(0, cut), (cut, n)] {
                    let mut axes = whole(&a.shape);
                    (axes[d].lo, axes[d].hi) = (lo, hi);
                    parts.push((plain(&a.shape), axes, true, false));
                }
            }
            1 if n > 1 => {
                for first in 0..2 {
                    let (mut left, mut axes) = (plain(&a.shape), whole(&a.shape));
                    left[d] = Left::Index(index_name(d), 2, first);
                    axes[d].hi = (n - first + 1) / 2;
                    parts.push((left, axes, true, false));
                }
            }
            2 => {
                let (mut left, mut axes) = (plain(&a.shape), whole(&a.shape));
                left[d] = Left::At(self.r.range(0, n));
                axes.remove(d);
                parts.push((left, axes, false, false));
                parts.push((plain(&a.shape), whole(&a.shape), false, true));
            }
            _ => parts.push((plain(&a.shape), whole(&a.shape), false, false)),
        }
        let mut taken: Option<(usize, i64)> = None;
        for (left, axes, clause, otherwise) in parts {
            let mut inner = scope.clone();
            self.enter(&mut inner, &axes);
            let value = if otherwise {
                // What is left has parts, and a scan would begin anew in each.
                let depth = self.depth(&a.shape);
                match a.below {
                    0 => self.expr(&inner, a.ty, depth),
                    _ => {
                        let value = self.expr(&inner, Ty::I64, depth);
                        self.kept(a, value)
                    }
                }
            } else {
                self.value(&inner, &axes, &left, a)
            };
            if let Some(Left::At(k)) = left.get(d) {
                taken = Some((d, *k));
            }
            // The reference runs `otherwise` as what is left beside the pick.
            if let (true, Some((d, k))) = (otherwise, taken) {
                for (lo, hi, written) in [(0, k, true), (k + 1, a.shape[d], false)] {
                    let mut axes = axes.clone();
                    (axes[d].lo, axes[d].hi) = (lo, hi);
                    let shown = written;
                    body.push(Equation {
                        target: name.into(),
                        left: left.clone(),
                        op: "=",
                        value: value.clone(),
                        axes,
                        clause,
                        otherwise: shown,
                    });
                    if !shown {
                        body.last_mut().unwrap().op = "";
                    }
                }
                continue;
            }
            body.push(Equation { target: name.into(), left, op: "=", value, axes, clause, otherwise });
        }
    }

    /// A workflow from one array to one of the same shape, with a loop and perhaps a local array.
    fn workflow(&mut self, scope: &Scope, _in_loop: bool) -> Vec<Stmt> {
        let a = self.r.pick(&scope.arrays).clone();
        let fits = |b: &&Array| b.shape == a.shape && b.ty == a.ty && [0, a.below].contains(&b.below);
        let same: Vec<Array> = scope.arrays.iter().filter(fits).cloned().collect();
        if same.is_empty() {
            return vec![];
        }
        let target = self.r.pick(&same).clone();
        let extents: Vec<String> = a.shape.iter().map(|n| format!("n{n}")).collect();
        let param = Port { name: "p".into(), ty: a.ty, extents: extents.clone() };
        let result = Port { name: "x".into(), ty: a.ty, extents };
        let mut inner = Scope {
            arrays: vec![Array { name: "p".into(), ..a.clone() }, Array { name: "x".into(), ..target.clone() }],
            ..Scope::default()
        };
        let equation = |g: &mut Generator, scope: &Scope| {
            let mut s = scope.clone();
            let partial = g.r.chance(30);
            let (left, axes, clause) =
                if partial { g.part(&a.shape) } else { (plain(&a.shape), whole(&a.shape), false) };
            g.enter(&mut s, &axes);
            let value = g.value(&s, &axes, &left, &target);
            Stmt::Equation(Equation { target: "x".into(), left, op: "=", value, axes, clause, otherwise: false })
        };
        let mut body = vec![equation(self, &inner)];
        let index = self.name("t");
        let rounds = self.r.range(0, 3);
        if self.r.chance(50) {
            inner.arrays.push(Array { name: "kept".into(), ..a.clone() });
            body.push(Stmt::Keep("kept".into(), "p".into()));
        }
        if rounds > 0 {
            inner.indices.push(Ix {
                name: index.clone(),
                lo: 0,
                hi: rounds,
                narrows: false,
                halves: false,
                free: false,
            });
        }
        let round = (0..self.r.range(1, 3)).map(|_| equation(self, &inner)).collect();
        body.push(Stmt::For { index, lo: 0, hi: rounds, by: 1, body: round });
        if self.r.chance(30) {
            body.push(Stmt::PrintArray("x".into()));
        }
        let workflow = self.program.workflows.len();
        self.program.workflows.push(Workflow { name: format!("w{workflow}"), param, result, body });
        vec![Stmt::CallWorkflow { workflow, target: target.name, array: a.name }]
    }
}
