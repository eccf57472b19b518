//! Draws valid programs: every read is in bounds or caught by an edge, every result is covered once, by construction.

mod complex;
mod declared;
mod derivatives;
mod expressions;
mod indirect;
mod products;
mod rewriting;
mod statements;

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
    /// It may be halved in the subscripts of arrays: the equation is cut into its even and odd places.
    halves: bool,
    /// Its range is not known before the run, though it takes no other values than these.
    free: bool,
}

/// What an expression may use.
#[derive(Clone, Default)]
struct Scope {
    arrays: Vec<Array>,
    indices: Vec<Ix>,
    scalars: Vec<(String, Ty)>,
    locals: Vec<declared::Known>,
    complex: Vec<Array>,
    /// An element is being computed, so loops may stand in the expression.
    element: bool,
}

pub struct Generator {
    r: Random,
    program: Program,
    types: Vec<Ty>,
    extents: Vec<i64>,
    /// Some extents are so large that parts and sums have units of several elements.
    large: bool,
    names: usize,
    /// A whole reduction is drawn, with nothing around it.
    top: bool,
    /// An intermediate is drawn, which may be read at a place that follows no index.
    intermediate: bool,
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
        large: false,
        names: 0,
        top: false,
        intermediate: false,
        cost: 0,
    };
    let kinds = g.r.range(1, 4);
    g.types = (0..kinds)
        .map(|_| match g.r.range(0, 11) {
            0 | 1 => Ty::I64,
            2 | 3 => Ty::F64,
            k => [Ty::I32, Ty::F32, Ty::U32, Ty::U64, Ty::Bool, Ty::F16, Ty::Bf16][k as usize - 4],
        })
        .collect();
    g.large = g.r.chance(3);
    let most = *g.r.pick(&[4, 8, 12, 40]);
    g.extents = (0..3).map(|_| g.r.range(1, most + 1)).collect();
    if g.large {
        g.extents[0] = g.r.range(64, 150);
    }
    let count = g.r.range(2, 6);
    (0..count).for_each(|_| g.array());
    (0..g.r.range(0, 3)).for_each(|_| g.array_of_subscripts());
    let product = g.r.chance(15).then(|| g.arrays_of_product());
    g.tables();
    g.functions();
    let mut scope = Scope { arrays: g.program.arrays.clone(), ..Scope::default() };
    let parts = if g.r.chance(15) { g.arrays_of_complex(&mut scope) } else { vec![] };
    let statements = g.r.range(2, 8);
    let mut body = vec![];
    for k in 0..g.program.arrays.len() {
        if g.r.chance(80) || g.program.arrays[k].below > 0 {
            body.push(g.fill(k));
        }
    }
    body.extend(product.map(|places| g.product(&scope, places)));
    for _ in 0..statements {
        body.extend(g.statement(&mut scope, 0));
    }
    body.extend(parts);
    g.program.body = body;
    g.program.generic = if g.r.chance(30) { g.r.range(1, 3) as usize } else { 0 };
    g.program.module = g.r.chance(20);
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
        let rank = *self.r.pick(&[1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 5]);
        let limit = [40, 14, 6, 4, 3][rank - 1];
        let long = if self.large && rank < 3 { self.r.range(0, rank as i64) } else { -1 };
        let extents = self.extents.clone();
        let most = |d: i64| if d == long { 150 / rank as i64 } else { limit };
        let mut shape: Vec<i64> = (0..rank as i64).map(|d| (*self.r.pick(&extents)).min(most(d))).collect();
        let words: Vec<&str> =
            (0..rank).map(|_| self.r.word(&["block", "block", "*", "cyclic", "cyclic(3)"])).collect();
        let divided = words.iter().filter(|w| **w != "*").count();
        let mut placement = match self.r.range(0, 10) {
            0 => "in replicated".to_string(),
            1 | 2 => String::new(),
            // Along one axis of the mesh.
            3 if divided > 1 => {
                let k = self.r.range(0, divided as i64) as usize;
                let mesh: Vec<&str> = (0..divided).map(|d| if d == k { "auto" } else { "1" }).collect();
                format!("in ({}) over ({})", words.join(", "), mesh.join(", "))
            }
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
        self.program.arrays.push(Array { name, ty, shape, placement, edges, below: 0 });
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
        if a.below > 0 {
            value = Expr::Bin(Ty::I64, "mod", Box::new(value), Box::new(Expr::Plain(a.below)));
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
}

fn ty_or(ty: Ty) -> Ty {
    if ty == Ty::Bool { Ty::I64 } else { ty }
}

fn names(list: &[Array]) -> Vec<String> {
    list.iter().map(|a| a.name.clone()).collect()
}

fn index_name(d: usize) -> String {
    ["i", "j", "k", "l", "h"][d].to_string()
}

fn plain(shape: &[i64]) -> Vec<Left> {
    (0..shape.len()).map(|d| Left::Index(index_name(d), 1, 0)).collect()
}

fn whole(shape: &[i64]) -> Vec<Axis> {
    shape
        .iter()
        .enumerate()
        .map(|(d, &n)| Axis { name: index_name(d), lo: 0, hi: n, by: 1, upto: None, ends: None })
        .collect()
}
