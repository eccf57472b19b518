//! Draws valid programs: every read is in bounds or caught by an edge, every result is covered once, by construction.

use crate::model::*;
use mgpu::ir::ty::Ty;

/// xorshift64*: the same numbers everywhere, for ever.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    /// In `lo..hi`.
    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() % (hi - lo).max(1) as u64) as i64
    }
    fn chance(&mut self, percent: i64) -> bool {
        self.range(0, 100) < percent
    }
    fn word(&mut self, list: &[&'static str]) -> &'static str {
        list[self.range(0, list.len() as i64) as usize]
    }
    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.range(0, list.len() as i64) as usize]
    }
}

/// An index in scope and the values that it takes.
#[derive(Clone)]
struct Ix {
    name: String,
    lo: i64,
    hi: i64,
    /// Comparisons narrow it (a dimension of what is being computed).
    narrows: bool,
}

/// What an expression may use.
#[derive(Clone, Default)]
struct Scope {
    arrays: Vec<Array>,
    indices: Vec<Ix>,
    scalars: Vec<(String, Ty)>,
    /// An element is being computed, so loops may stand in the expression.
    element: bool,
}

pub struct Generator {
    r: Random,
    program: Program,
    types: Vec<Ty>,
    extents: Vec<i64>,
    names: usize,
    /// Elements computed so far, loops counted: keeps programs quick.
    cost: i64,
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut g = Generator {
        r: Random::new(seed),
        program: Program::default(),
        types: vec![],
        extents: vec![],
        names: 0,
        cost: 0,
    };
    let kinds = g.r.range(1, 4);
    g.types = (0..kinds)
        .map(|_| *g.r.pick(&[Ty::I64, Ty::I64, Ty::F64, Ty::F64, Ty::I32, Ty::F32, Ty::U32, Ty::U64, Ty::Bool]))
        .collect();
    let most = *g.r.pick(&[4, 8, 12, 40]);
    g.extents = (0..3).map(|_| g.r.range(1, most + 1)).collect();
    let count = g.r.range(2, 6);
    (0..count).for_each(|_| g.array());
    let mut scope = Scope { arrays: g.program.arrays.clone(), ..Scope::default() };
    let statements = g.r.range(2, 8);
    let mut body = vec![];
    for k in 0..g.program.arrays.len() {
        if g.r.chance(80) {
            body.push(g.fill(k));
        }
    }
    for _ in 0..statements {
        body.extend(g.statement(&mut scope, 0));
    }
    g.program.body = body;
    g.program
}

impl Generator {
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    fn ty(&mut self) -> Ty {
        let types = self.types.clone();
        *self.r.pick(&types)
    }

    fn number(&mut self) -> Ty {
        match self.ty() {
            Ty::Bool => Ty::I64,
            ty => ty,
        }
    }

    fn array(&mut self) {
        let ty = self.ty();
        let rank = *self.r.pick(&[1, 1, 1, 2, 2, 2, 3, 4]);
        let limit = [40, 14, 6, 4][rank - 1];
        let extents = self.extents.clone();
        let mut shape: Vec<i64> = (0..rank).map(|_| (*self.r.pick(&extents)).min(limit)).collect();
        let words: Vec<&str> = (0..rank).map(|_| self.r.word(&["block", "block", "*"])).collect();
        let mut placement = match self.r.range(0, 10) {
            0 => "in replicated".to_string(),
            1 | 2 => String::new(),
            _ => format!("in ({})", words.join(", ")),
        };
        let same: Vec<Array> = self.program.arrays.iter().filter(|a| a.shape.len() == rank).cloned().collect();
        if !same.is_empty() && self.r.chance(20) {
            let other = self.r.pick(&same).clone();
            placement = format!("aligned {}", other.name);
            shape = other.shape.iter().map(|n| (n + self.r.range(-1, 2)).max(1)).collect();
        }
        let edges = (0..rank).map(|_| self.edge(ty)).collect();
        let name = format!("a{}", self.program.arrays.len());
        self.program.arrays.push(Array { name, ty, shape, placement, edges });
    }

    fn edge(&mut self, ty: Ty) -> Edge {
        let signed = ty.is_float() || ty.is_signed();
        match self.r.range(0, 8) {
            0 | 1 => Edge::None,
            2 => Edge::Clamp,
            3 | 4 => Edge::Periodic,
            5 => Edge::Mirror,
            6 if signed => Edge::Odd,
            _ => Edge::Constant(if ty == Ty::Bool { self.r.range(0, 2) } else { self.r.range(0, 9) }),
        }
    }

    /// A first content that differs everywhere.
    fn fill(&mut self, k: usize) -> Stmt {
        let a = self.program.arrays[k].clone();
        let axes = whole(&a.shape);
        let mut value = Expr::Plain(self.r.range(0, 50));
        for x in &axes {
            let term = Expr::Bin(
                Ty::I64,
                "*",
                Box::new(Expr::Plain(self.r.range(1, 12))),
                Box::new(Expr::Index(Ty::I64, x.name.clone())),
            );
            value = Expr::Bin(Ty::I64, "+", Box::new(value), Box::new(term));
        }
        let value = match a.ty {
            Ty::Bool => Expr::Bin(
                Ty::Bool,
                "==",
                Box::new(Expr::Bin(Ty::I64, "mod", Box::new(value), Box::new(Expr::Plain(3)))),
                Box::new(Expr::Plain(0)),
            ),
            Ty::I64 => value,
            ty => Expr::Cast(ty, Box::new(value)),
        };
        let left = axes.iter().map(|x| Left::Index(x.name.clone(), 1, 0)).collect();
        Stmt::Equation(Equation { target: a.name, left, op: "=", value, axes, clause: false, otherwise: false })
    }

    fn block(&mut self, scope: &Scope, depth: usize) -> Vec<Stmt> {
        let mut inner = scope.clone();
        let n = self.r.range(1, 4);
        (0..n).flat_map(|_| self.statement(&mut inner, depth + 1)).collect()
    }

    fn statement(&mut self, scope: &mut Scope, depth: usize) -> Vec<Stmt> {
        let in_loop = scope.indices.iter().any(|i| !i.narrows);
        match self.r.range(0, 26) {
            0..=8 => vec![self.direct(scope)],
            9..=13 => self.kernel(scope).into_iter().collect(),
            14 | 15 => vec![self.scalar(scope)],
            16 if depth < 2 => {
                let index = self.name("t");
                let (lo, by) = (self.r.range(-1, 3), self.r.range(1, 3));
                let hi = lo + self.r.range(0, 5);
                let mut inner = scope.clone();
                if hi > lo {
                    inner.indices.push(Ix { name: index.clone(), lo, hi, narrows: false });
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
        let a = self.r.pick(&scope.arrays).clone();
        if self.r.chance(40) {
            let name = self.name("kept");
            scope.arrays.push(Array { name: name.clone(), ..a.clone() });
            return vec![Stmt::Keep(name, a.name)];
        }
        let same: Vec<Array> = scope.arrays.iter().filter(|b| b.shape == a.shape && b.ty == a.ty).cloned().collect();
        vec![Stmt::Copy(a.name, self.r.pick(&same).name.clone())]
    }

    /// An equation of the workflow: whole, part, strided, or a pick.
    fn direct(&mut self, scope: &Scope) -> Stmt {
        let a = self.r.pick(&scope.arrays).clone();
        let partial = self.r.chance(35);
        let (left, axes, clause) =
            if partial { self.part(&a.shape) } else { (plain(&a.shape), whole(&a.shape), false) };
        let op = match a.ty {
            Ty::Bool => "=",
            _ if self.r.chance(15) => self.r.word(&["+=", "-=", "*="]),
            _ => "=",
        };
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        let depth = self.depth(&a.shape);
        let value = self.expr(&inner, a.ty, depth);
        Stmt::Equation(Equation { target: a.name, left, op, value, axes, clause, otherwise: false })
    }

    fn enter(&mut self, scope: &mut Scope, axes: &[Axis]) {
        scope.element = true;
        for x in axes {
            scope.indices.retain(|i| i.name != x.name);
            scope.indices.push(Ix { name: x.name.clone(), lo: x.lo, hi: x.hi, narrows: true });
        }
    }

    fn depth(&mut self, shape: &[i64]) -> usize {
        self.cost += shape.iter().product::<i64>();
        if self.cost > 2000 { 1 } else { self.r.range(1, 4) as usize }
    }

    /// A part of an array: the left side, its indices, and whether ranges are written.
    fn part(&mut self, shape: &[i64]) -> (Vec<Left>, Vec<Axis>, bool) {
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
                    axes.push(Axis { name, lo: 0, hi: count, by: 1, upto: None });
                }
                2 => {
                    let lo = self.r.range(0, n);
                    let by = self.r.range(1, 4);
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo, hi: n, by, upto: None });
                }
                3 | 4 => {
                    let lo = self.r.range(0, n);
                    let hi = self.r.range(lo, n + 1);
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo, hi, by: 1, upto: None });
                }
                _ => {
                    left.push(Left::Index(name.clone(), 1, 0));
                    axes.push(Axis { name, lo: 0, hi: n, by: 1, upto: None });
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
        if self.r.chance(60) { self.fold(&scope, ty, 2) } else { self.expr(&scope, ty, 2) }
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
            let t = if self.r.chance(60) { self.r.pick(&params).clone() } else { self.r.pick(&arrays).clone() };
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
        let mut body = vec![];
        for (t, p) in targets.iter().zip(&results) {
            self.cover(&inner, t, &p.name, &mut body);
            inner.arrays.push(Array { name: p.name.clone(), ..t.clone() });
        }
        let args = scalars.iter().map(|(_, ty)| self.expr_outside(scope, *ty)).collect();
        let kernel = self.program.kernels.len();
        self.program.kernels.push(Kernel { name: format!("k{kernel}"), params: ports, scalars, results, body });
        Some(Stmt::Call { kernel, targets: names(&targets), arrays: names(&params), scalars: args })
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
        let Stmt::Call { kernel, targets, arrays, scalars } = known.pop()? else { return None };
        let like = |g: &mut Generator, name: &String| -> Option<String> {
            let a = scope.arrays.iter().find(|a| a.name == *name)?.clone();
            let same: Vec<Array> = scope
                .arrays
                .iter()
                .filter(|b| b.shape == a.shape && b.ty == a.ty && b.edges == a.edges)
                .cloned()
                .collect();
            Some(g.r.pick(&same).name.clone())
        };
        let arrays = arrays.iter().map(|a| like(self, a)).collect::<Option<Vec<_>>>()?;
        let targets = targets.iter().map(|a| like(self, a)).collect::<Option<Vec<_>>>()?;
        if (0..targets.len()).any(|k| targets[..k].contains(&targets[k])) || !scalars.is_empty() {
            return None;
        }
        Some(Stmt::Call { kernel, targets, arrays, scalars })
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
            let depth = self.depth(&a.shape);
            let value = self.expr(&inner, a.ty, depth);
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
        let same: Vec<Array> = scope.arrays.iter().filter(|b| b.shape == a.shape && b.ty == a.ty).cloned().collect();
        let target = self.r.pick(&same).clone();
        let extents: Vec<String> = a.shape.iter().map(|n| format!("n{n}")).collect();
        let param = Port { name: "p".into(), ty: a.ty, extents: extents.clone() };
        let result = Port { name: "x".into(), ty: a.ty, extents };
        let mut inner = Scope {
            arrays: vec![Array { name: "p".into(), ..a.clone() }, Array { name: "x".into(), ..target.clone() }],
            ..Scope::default()
        };
        let equation = |g: &mut Generator, scope: &Scope, target: &str| {
            let mut s = scope.clone();
            let partial = g.r.chance(30);
            let (left, axes, clause) =
                if partial { g.part(&a.shape) } else { (plain(&a.shape), whole(&a.shape), false) };
            g.enter(&mut s, &axes);
            let value = g.expr(&s, a.ty, 2);
            Stmt::Equation(Equation { target: target.into(), left, op: "=", value, axes, clause, otherwise: false })
        };
        let mut body = vec![equation(self, &inner, "x")];
        let index = self.name("t");
        let rounds = self.r.range(0, 3);
        if self.r.chance(50) {
            inner.arrays.push(Array { name: "kept".into(), ..a.clone() });
            body.push(Stmt::Keep("kept".into(), "p".into()));
        }
        if rounds > 0 {
            inner.indices.push(Ix { name: index.clone(), lo: 0, hi: rounds, narrows: false });
        }
        let round = (0..self.r.range(1, 3)).map(|_| equation(self, &inner, "x")).collect();
        body.push(Stmt::For { index, lo: 0, hi: rounds, by: 1, body: round });
        if self.r.chance(30) {
            body.push(Stmt::PrintArray("x".into()));
        }
        let workflow = self.program.workflows.len();
        self.program.workflows.push(Workflow { name: format!("w{workflow}"), param, result, body });
        vec![Stmt::CallWorkflow { workflow, target: target.name, array: a.name }]
    }

    fn lit(&mut self, ty: Ty) -> Expr {
        match ty {
            Ty::Bool => Expr::Lit(ty, self.r.range(0, 2)),
            Ty::U32 | Ty::U64 => Expr::Lit(ty, self.r.range(0, 10)),
            _ => Expr::Lit(ty, self.r.range(-5, 10)),
        }
    }

    fn leaf(&mut self, scope: &Scope, ty: Ty) -> Expr {
        if scope.indices.iter().any(|i| i.lo >= i.hi) {
            return self.lit(ty);
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
            _ => {
                let same: Vec<Array> = scope.arrays.iter().filter(|a| a.ty == ty).cloned().collect();
                let a = if same.is_empty() || self.r.chance(10) {
                    self.r.pick(&scope.arrays).clone()
                } else {
                    self.r.pick(&same).clone()
                };
                let subs =
                    a.shape.iter().zip(&a.edges).enumerate().map(|(d, (&n, &e))| self.sub(scope, d, n, e)).collect();
                let read = Expr::Read(a.ty, a.name, subs);
                if a.ty == ty { read } else { Expr::Cast(ty, Box::new(read)) }
            }
        }
    }

    fn sub(&mut self, scope: &Scope, d: usize, n: i64, edge: Edge) -> Sub {
        let own = scope.indices.iter().position(|i| i.name == index_name(d) && i.narrows);
        let chosen = match own {
            Some(k) if self.r.chance(70) => Some(scope.indices[k].clone()),
            _ if !scope.indices.is_empty() && self.r.chance(85) => Some(self.r.pick(&scope.indices).clone()),
            _ => None,
        };
        let Some(i) = chosen else {
            let konst = if edge == Edge::None { self.r.range(0, n) } else { self.r.range(-n - 1, 2 * n + 2) };
            return Sub { konst, terms: vec![] };
        };
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
        Sub { konst, terms }
    }

    /// A subscript that stays in `0..n`.
    fn inside(&mut self, i: &Ix, n: i64) -> Sub {
        if self.r.chance(20) && i.hi - i.lo <= n {
            // konst - i
            let (least, most) = (i.hi - 1, n - 1 + i.lo);
            return Sub { konst: self.r.range(least, most + 1), terms: vec![(i.name.clone(), -1)] };
        }
        let (least, most) = (-i.lo, n - i.hi);
        if least > most {
            return Sub { konst: self.r.range(0, n), terms: vec![] };
        }
        let konst = if least <= 0 && most >= 0 && self.r.chance(50) { 0 } else { self.r.range(least, most + 1) };
        Sub { konst, terms: vec![(i.name.clone(), 1)] }
    }

    fn expr(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        if depth == 0 || scope.indices.iter().any(|i| i.lo >= i.hi) {
            return self.leaf(scope, ty);
        }
        let sub = |g: &mut Generator, ty| Box::new(g.expr(scope, ty, depth - 1));
        match self.r.range(0, 20) {
            0..=8 => self.operation(scope, ty, depth),
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

    fn fold(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Expr {
        let op = match ty {
            Ty::Bool => *self.r.pick(&[Fold::Any, Fold::All]),
            Ty::I64 => *self.r.pick(&[Fold::Sum, Fold::Sum, Fold::Prod, Fold::Min, Fold::Max, Fold::Count]),
            ty if ty.is_float() => *self.r.pick(&[Fold::Sum, Fold::Sum, Fold::Min, Fold::Max, Fold::Mean]),
            _ => *self.r.pick(&[Fold::Sum, Fold::Prod, Fold::Min, Fold::Max]),
        };
        let a = self.r.pick(&scope.arrays).clone();
        let mut inner = scope.clone();
        let mut axes: Vec<Axis> = vec![];
        let most = if scope.element { 2 } else { 3 };
        for &n in a.shape.iter().take(most) {
            let name = self.name("red");
            let mut axis = match self.r.range(0, 6) {
                0 => Axis { lo: self.r.range(0, n), hi: n, by: self.r.range(1, 4), name, upto: None },
                1 => Axis { lo: self.r.range(-2, 3), hi: n + self.r.range(-1, 4), by: 1, name, upto: None },
                _ => Axis { lo: 0, hi: n, by: 1, name, upto: None },
            };
            if scope.element {
                axis.hi = axis.hi.min(axis.lo + 12);
                let outer: Vec<&Ix> = scope.indices.iter().filter(|i| i.narrows && i.hi <= 16).collect();
                if !outer.is_empty() && self.r.chance(15) {
                    let i = (*self.r.pick(&outer)).clone();
                    (axis.upto, axis.hi) = (Some(i.name), i.hi - 1);
                }
            }
            if op == Fold::Mean && axis.hi <= axis.lo {
                (axis.lo, axis.hi, axis.by, axis.upto) = (0, n.min(12), 1, None);
            }
            axes.push(axis);
        }
        if op == Fold::Mean {
            axes.iter_mut().for_each(|x| x.upto = None);
            axes.iter_mut().filter(|x| x.hi <= x.lo).for_each(|x| (x.lo, x.hi) = (0, 1));
        }
        for x in &axes {
            inner.indices.push(Ix { name: x.name.clone(), lo: x.lo, hi: x.hi, narrows: !scope.element });
        }
        self.cost += axes.iter().map(|x| (x.hi - x.lo).max(1)).product::<i64>();
        inner.element = true;
        let deep = if self.cost > 2000 { 0 } else { depth.min(2) - 1 };
        let term = match op {
            Fold::Count | Fold::Any | Fold::All => Ty::Bool,
            _ => ty,
        };
        let mut value = self.expr(&inner, term, deep);
        if ty.is_float() {
            // Terms whose sums are exact in any order.
            value = Expr::Bin(ty, "mod", Box::new(Expr::Floor(ty, Box::new(value))), Box::new(Expr::Lit(ty, 64)));
        }
        if term == Ty::Bool && ty != Ty::Bool {
            return Expr::Fold(Ty::I64, op, axes, Box::new(value));
        }
        Expr::Fold(ty, op, axes, Box::new(value))
    }

    fn looped(&mut self, scope: &Scope, ty: Ty) -> Expr {
        let (var, name) = (self.name("v"), self.name("l"));
        let lo = self.r.range(-2, 3);
        let axis = Axis { name: name.clone(), lo, hi: lo + self.r.range(1, 22), by: self.r.range(1, 3), upto: None };
        let first = Box::new(self.expr(scope, ty, 0));
        let mut inner = scope.clone();
        inner.indices.push(Ix { name, lo: axis.lo, hi: axis.hi, narrows: false });
        inner.scalars.push((var.clone(), ty));
        let stop = self.r.chance(40).then(|| {
            let op = self.r.word(&["<", ">", "=="]);
            Box::new(Expr::Bin(Ty::Bool, op, Box::new(self.leaf(&inner, ty)), Box::new(self.leaf(&inner, ty))))
        });
        let op = self.r.word(&["+", "-"]);
        let step = Expr::Bin(ty, op, Box::new(Expr::Scalar(ty, var.clone())), Box::new(self.expr(&inner, ty, 1)));
        Expr::Loop { ty, var, first, axis, stop, step: Box::new(step) }
    }
}

impl Expr {
    /// This expression, or as a value of `ty` when it was made for numbers.
    fn only(self, ty: Ty) -> Expr {
        if self.ty() == ty { self } else { Expr::Cast(ty, Box::new(self)) }
    }
}

/// `min` and `max` take numbers.
fn ty_or(ty: Ty) -> Ty {
    if ty == Ty::Bool { Ty::I64 } else { ty }
}

fn names(list: &[Array]) -> Vec<String> {
    list.iter().map(|a| a.name.clone()).collect()
}

fn index_name(d: usize) -> String {
    ["i", "j", "k", "l"][d].to_string()
}

fn plain(shape: &[i64]) -> Vec<Left> {
    (0..shape.len()).map(|d| Left::Index(index_name(d), 1, 0)).collect()
}

fn whole(shape: &[i64]) -> Vec<Axis> {
    shape.iter().enumerate().map(|(d, &n)| Axis { name: index_name(d), lo: 0, hi: n, by: 1, upto: None }).collect()
}
