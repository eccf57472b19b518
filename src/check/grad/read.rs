//! A kernel's body as expressions: `let`s and functions put in place, indices with names of their own, short constant ranges written
//! out.

use super::expr::{E, Index, R, binary, choose, constant, leaf, neg, substituted, var};
use crate::check::Checker;
use crate::check::env::Global;
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{Ast, Block, ExprId, ExprKind, Ident, ItemKind, Range, ReduceOp, StmtKind, UnaryOp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Terms of a reduction with constant ends up to this many are written out, as the compiler does.
const UNROLL: i64 = 32;

/// What a name means.
#[derive(Clone)]
pub enum Meaning {
    Value(R),
    /// An indexed `let`: its indices and body, and the names where it stands.
    Indexed(Vec<String>, ExprId, Rc<Names>),
}

pub type Names = BTreeMap<String, Meaning>;

/// Reads the body of one kernel.
pub struct Reader<'c, 'a> {
    pub checker: &'c mut Checker<'a>,
    /// Where the code being read stands.
    pub module: usize,
    pub ast: Rc<Ast>,
    /// The shapes of array parameters, as text.
    pub shapes: BTreeMap<String, Vec<R>>,
    /// What type variables stand for.
    pub bound: BTreeMap<String, Ty>,
    /// Indices named so far.
    pub count: usize,
    pub depth: usize,
}

impl Reader<'_, '_> {
    fn no<T>(&mut self, message: impl Into<String>, span: Span) -> Option<T> {
        self.checker.fail_help(
            "E0265",
            message,
            span,
            "in a kernel that `grad` differentiates",
            "a kernel with a derivative gives one float, made of equations, reductions, `if`, `fn`s and elementary functions",
        )
    }

    /// The value of a block whose statements are `let`s.
    pub fn block(&mut self, block: &Block, names: &Names) -> Option<R> {
        let mut names = names.clone();
        for s in &block.stmts {
            let StmtKind::Let { targets, value, .. } = &s.kind else {
                return self.no("`grad` goes through `let`s and values only", s.span);
            };
            let [t] = &targets[..] else {
                return self.no("`grad` does not go through a `let` of several names", s.span);
            };
            let meaning = match &t.subscripts {
                None => Meaning::Value(self.expr(*value, &names)?),
                Some(subs) => {
                    let index = |&s: &ExprId| match &self.ast.expr(s).kind {
                        ExprKind::Name(n) => Some(n.clone()),
                        _ => None,
                    };
                    let Some(indices) = subs.iter().map(index).collect::<Option<Vec<String>>>() else {
                        return self.no("the subscripts of an intermediate are plain indices", t.span);
                    };
                    Meaning::Indexed(indices, *value, Rc::new(names.clone()))
                }
            };
            names.insert(t.name.name.clone(), meaning);
        }
        match block.value {
            Some(v) => self.expr(v, &names),
            None => self.no("this block has no value", block.span),
        }
    }

    /// An expression.
    pub fn expr(&mut self, id: ExprId, names: &Names) -> Option<R> {
        let ast = self.ast.clone();
        let e = ast.expr(id);
        self.depth += 1;
        if self.depth > 400 {
            self.depth -= 1;
            return self.no("functions or intermediates are nested too deeply", e.span);
        }
        let out = self.node(&e.kind, e.span, names);
        self.depth -= 1;
        out
    }

    fn node(&mut self, kind: &ExprKind, span: Span, names: &Names) -> Option<R> {
        Some(match kind {
            ExprKind::Int(v) => leaf(v.to_string()),
            ExprKind::Float(v) => leaf(format!("{v:?}")),
            ExprKind::Bool(v) => leaf(v.to_string()),
            ExprKind::Name(n) => match names.get(n) {
                Some(Meaning::Value(v)) => v.clone(),
                Some(Meaning::Indexed(..)) => return self.no(format!("`{n}` needs its subscripts"), span),
                None => match self.checker.modules[self.module].globals.get(n) {
                    // What is made of it is complex too.
                    Some((Global::Const(v), _)) if v.ty.is_complex() => {
                        super::expr::call(v.ty.name(), vec![leaf(n.clone())])
                    }
                    _ => leaf(n.clone()),
                },
            },
            ExprKind::Index { base, subscripts } => return self.read(base, subscripts, span, names),
            ExprKind::Call { callee, args } => return self.call(callee, args, span, names),
            ExprKind::Unary { op: UnaryOp::Neg, arg } => neg(&self.expr(*arg, names)?),
            ExprKind::Unary { op: UnaryOp::Not, arg } => Rc::new(E::Not(self.expr(*arg, names)?)),
            ExprKind::Binary { op, left, right, .. } => {
                let (a, b) = (self.expr(*left, names)?, self.expr(*right, names)?);
                binary(*op, &a, &b)
            }
            ExprKind::If { cond, then, otherwise } => {
                let c = self.expr(*cond, names)?;
                let (a, b) = (self.expr(*then, names)?, self.expr(*otherwise, names)?);
                choose(&c, &a, &b)
            }
            ExprKind::Block(block) => return self.block(block, names),
            ExprKind::Reduce { op, indices, term } => return self.reduce(*op, indices, *term, span, names),
            ExprKind::Scan { .. } | ExprKind::Combine { .. } | ExprKind::Grad { .. } => {
                return self.no("`grad` does not go through scans, derivatives and reductions by a function", span);
            }
            ExprKind::Tuple(_) | ExprKind::Table(_) | ExprKind::Hole => return self.no("not a single value", span),
        })
    }

    fn read(&mut self, base: &Ident, subscripts: &[ExprId], span: Span, names: &Names) -> Option<R> {
        let subs: Vec<R> = subscripts.iter().map(|&s| self.expr(s, names)).collect::<Option<_>>()?;
        let Some(Meaning::Indexed(indices, body, inner)) = names.get(&base.name) else {
            return Some(Rc::new(E::Read(base.name.clone(), subs)));
        };
        if indices.len() != subs.len() {
            return self.no(format!("`{}` has {} subscripts", base.name, indices.len()), span);
        }
        let mut inner: Names = (**inner).clone();
        let body = *body;
        for (i, s) in indices.iter().zip(subs) {
            inner.insert(i.clone(), Meaning::Value(s));
        }
        self.expr(body, &inner)
    }

    fn call(&mut self, callee: &Ident, args: &[ExprId], span: Span, names: &Names) -> Option<R> {
        let args: Vec<R> = args.iter().map(|&a| self.expr(a, names)).collect::<Option<_>>()?;
        let global = self.checker.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone());
        match global {
            Some(Global::Fn(m, item)) => {
                let ast = self.checker.modules[m].ast.clone();
                let ItemKind::Fn(f) = &ast.items[item].kind else { return None };
                // What depends on nothing active stays a call.
                if !args.iter().any(|a| a.any(&|e| matches!(e, E::Read(..) | E::Scalar(_)))) {
                    return Some(Rc::new(E::Call(callee.name.clone(), args)));
                }
                if f.params.len() != args.len() || f.results.len() != 1 {
                    return self.no(format!("`grad` does not go through this call of `{}`", callee.name), span);
                }
                let inner: Names = f
                    .params
                    .iter()
                    .zip(args)
                    .map(|(p, a)| {
                        let a = if Ty::from_name(&p.ty.elem.name).is_some() {
                            super::expr::call(&p.ty.elem.name, vec![a])
                        } else {
                            a
                        };
                        (p.name.name.clone(), Meaning::Value(a))
                    })
                    .collect();
                let outer = (std::mem::replace(&mut self.module, m), std::mem::replace(&mut self.ast, ast.clone()));
                // Its type variables are others.
                let bound = std::mem::take(&mut self.bound);
                let out = self.expr(f.body, &inner);
                (self.module, self.ast) = outer;
                self.bound = bound;
                out
            }
            Some(_) => self.no(format!("`grad` does not go through `{}`", callee.name), span),
            None => {
                let name = self.bound.get(&callee.name).map_or(callee.name.clone(), |ty| ty.name().to_string());
                Some(Rc::new(E::Call(name, args)))
            }
        }
    }

    fn reduce(
        &mut self,
        op: ReduceOp,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        span: Span,
        names: &Names,
    ) -> Option<R> {
        let mut names = names.clone();
        let mut fresh = vec![];
        let mut ranges = vec![];
        for (name, range) in indices {
            let range = match range {
                Some(r) if r.by.is_some() => {
                    return self.no("`grad` does not go through a range with a step", r.span);
                }
                Some(r) => Some((self.expr(r.from, &names)?, self.expr(r.to, &names)?)),
                None => None,
            };
            ranges.push(range);
            let own = format!("{}__{}", name.name, self.count);
            self.count += 1;
            names.insert(name.name.clone(), Meaning::Value(var(&own)));
            fresh.push(own);
        }
        let term = self.expr(term, &names)?;
        let mut ix = vec![];
        for ((own, range), (name, _)) in fresh.into_iter().zip(ranges).zip(indices) {
            let (from, to) = match range {
                Some(r) => r,
                None => match self.extent(&term, &own) {
                    Some(n) => (leaf("0"), n),
                    None => return self.no(format!("the range of `{}` is not known", name.name), name.span),
                },
            };
            ix.push(Index { name: own, from, to });
        }
        let _ = span;
        Some(self.unrolled(op, &ix, &term).unwrap_or_else(|| Rc::new(E::Reduce(op, ix, term))))
    }

    /// The terms of a short reduction with constant ends, combined.
    fn unrolled(&self, op: ReduceOp, ix: &[Index], term: &R) -> Option<R> {
        use crate::syntax::ast::BinaryOp as O;
        let ends: Vec<(i64, i64)> =
            ix.iter().map(|i| Some((constant(&i.from)?, constant(&i.to)?))).collect::<Option<_>>()?;
        let total = ends.iter().try_fold(1i64, |p, (a, b)| p.checked_mul((b - a).max(0)))?;
        let op = match op {
            ReduceOp::Sum => O::Add,
            ReduceOp::Prod => O::Mul,
            _ => return None,
        };
        if total == 0 || total > UNROLL {
            return None;
        }
        let mut terms = vec![term.clone()];
        for (i, (a, b)) in ix.iter().zip(ends) {
            let at = |k: i64| [(i.name.clone(), leaf(k.to_string()))];
            terms = terms.iter().flat_map(|t| (a..b).map(|k| substituted(t, &at(k)))).collect();
        }
        terms.into_iter().reduce(|a, b| binary(op, &a, &b))
    }

    /// The extent of a dimension that an index subscripts on its own.
    fn extent(&self, e: &R, name: &str) -> Option<R> {
        if let E::Read(array, subs) = &**e
            && let Some(shape) = self.shapes.get(array)
        {
            let found = subs.iter().zip(shape).find(|(s, _)| matches!(&***s, E::Var(n) if n == name));
            if let Some((_, n)) = found {
                return Some(n.clone());
            }
        }
        e.parts().into_iter().find_map(|p| self.extent(p, name))
    }
}
