//! Block expressions and the bodies of functions: code for one element.

use super::Checker;
use super::emit::{Val, ValKind};
use super::env::Local;
use super::narrow::Narrowing;
use crate::ir::kernel::{Affine, BinaryOp as B, Inst, Reg, Sym};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, Block, Clause, ExprId, ExprKind, Range, StmtKind};
use crate::syntax::habits;

/// Loops up to this many rounds are written out.
const UNROLL: i64 = 16;

impl Checker<'_> {
    /// `{ var z = 0.0; for k in … { … }; z }`
    pub(super) fn block_expr(&mut self, block: &Block, expected: Option<Ty>, span: Span) -> Option<Val> {
        let env = self.env.clone();
        let ok = self.local_stmts(block, 0);
        let value = match block.value {
            Some(v) if ok => self.expr(v, expected),
            Some(_) => None,
            None => self.fail_help(
                "E0224",
                "this block has no value",
                span,
                "its last line is not an expression",
                "end it with the value, as in `{ var z = 0.0; …; z }`",
            ),
        };
        self.env = env;
        value
    }

    /// The statements of a function's body.
    pub(super) fn local_stmts_ok(&mut self, block: &Block) -> bool {
        self.local_stmts(block, 0)
    }

    fn local_stmts(&mut self, block: &Block, loops: usize) -> bool {
        let mut ok = true;
        for s in &block.stmts {
            ok &= self.local_stmt(s, loops).is_some();
        }
        ok
    }

    fn local_stmt(&mut self, s: &ast::Stmt, loops: usize) -> Option<()> {
        match &s.kind {
            StmtKind::Let { targets, ty, value } => {
                let done = self.local_let(targets, ty.as_ref(), *value);
                self.broken_unless(done, targets.iter().map(|t| &t.name))
            }
            StmtKind::Var { name, ty, value } => {
                let done = self.local_var(name, ty.as_ref(), *value);
                self.broken_unless(done, std::iter::once(name))
            }
            StmtKind::Assign { clause: Clause::For(_) | Clause::Otherwise(_), .. } => self.fail_help(
                "E0271",
                "a range follows an equation with subscripts",
                s.span,
                "this sets one value",
                "take the range away; a loop is `for k in a..b { … }`",
            ),
            StmtKind::Assign { targets, op, value, clause: Clause::Everywhere } => {
                self.local_assign(targets, *op, *value)
            }
            StmtKind::For { index, range, body } => self.local_for(index, range, body, loops),
            StmtKind::If { cond, then, otherwise } => {
                let c = self.expr_as(*cond, Ty::Bool)?;
                let (yes, no) = (self.narrowing(*cond, true), self.narrowing(*cond, false));
                let empty = Block { stmts: vec![], value: None, span: s.span };
                let a = self.local_branch(then, &yes, loops);
                let b = self.local_branch(otherwise.as_ref().unwrap_or(&empty), &no, loops);
                let cond = self.builder().materialise(&c);
                self.builder().push(Inst::If { cond, then: a?, otherwise: b? });
                Some(())
            }
            StmtKind::Break if loops > 0 => {
                self.builder().push(Inst::Break);
                Some(())
            }
            StmtKind::Break => self.fail_help(
                "E0225",
                "`break` stands outside a loop",
                s.span,
                "no loop around it",
                "take it away, or put it into a `for` or a `while`",
            ),
            StmtKind::While { .. } => self.fail_help(
                "E0226",
                "an element-local loop needs a bound",
                s.span,
                "`while` has none",
                "write `for k in 0..limit { … if done { break } }`",
            ),
            StmtKind::Expr(e)
                if let ExprKind::Name(name) = self.node(*e).kind
                    && let Some(help) = habits::statement(&name) =>
            {
                self.fail_help("E0521", format!("`{name}` is not a statement"), s.span, "unknown here", help)
            }
            _ => self.fail_help(
                "E0227",
                "this statement belongs to a workflow",
                s.span,
                "not inside an expression",
                "write it in a workflow; a block computes one value",
            ),
        }
    }

    fn local_var(&mut self, name: &ast::Ident, ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
        let want = match ty {
            Some(t) => Some(self.elem_type(t)?),
            None => None,
        };
        let v = self.expr(value, want)?;
        let v = match want {
            Some(ty) => {
                let at = self.span(value);
                self.convert(v, ty, at)?
            }
            None => self.settle(v),
        };
        let from = self.builder().materialise(&v);
        let reg = self.builder().variable(v.ty);
        self.builder().set(reg, from);
        self.env = self.env.with(&name.name, Local::Var(reg, v.ty));
        Some(())
    }

    /// After a faulty declaration its names are known as broken, so that uses are not reported too.
    pub(super) fn broken_unless<'n>(
        &mut self,
        done: Option<()>,
        names: impl Iterator<Item = &'n ast::Ident>,
    ) -> Option<()> {
        if done.is_none() {
            names.for_each(|n| self.env = self.env.with(&n.name, Local::Broken));
        }
        done
    }

    fn local_let(&mut self, targets: &[ast::Target], ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
        let want = match ty {
            Some(t) => Some(self.elem_type(t)?),
            None => None,
        };
        let vals = self.values(value, targets.len(), want)?;
        for (t, v) in targets.iter().zip(vals) {
            if t.subscripts.is_some() {
                return self.fail_help(
                    "E0228",
                    "an indexed `let` stands in a kernel's body, not inside an expression",
                    t.span,
                    "indexed here",
                    "declare it in the kernel's body, before the equation that reads it",
                );
            }
            let v = match want {
                Some(ty) => {
                    let at = self.span(value);
                    self.convert(v, ty, at)?
                }
                None => v,
            };
            // A variable's value now, not when the name is read.
            let v = match v.kind {
                ValKind::Reg(r) => Val::reg(self.snapshot(r, v.ty), v.ty).ranged(v.range),
                ValKind::Parts(parts) => {
                    let [re, im] = [parts.0, parts.1].map(|p| match p.kind {
                        ValKind::Reg(r) => Val::reg(self.snapshot(r, p.ty), p.ty),
                        _ => p,
                    });
                    Val::complex(re, im)
                }
                _ => v,
            };
            self.env = self.env.with(&t.name.name, Local::Val(v));
        }
        Some(())
    }

    fn snapshot(&mut self, r: Reg, ty: Ty) -> Reg {
        if !self.builder().is_varying(r) {
            return r;
        }
        let copy = self.builder().variable(ty);
        self.builder().set(copy, r);
        copy
    }

    fn local_assign(&mut self, targets: &[ast::Target], op: AssignOp, value: ExprId) -> Option<()> {
        let mut slots = vec![];
        for t in targets {
            match self.env.find(&t.name.name).cloned() {
                Some(Local::Var(r, ty)) if t.subscripts.is_none() => slots.push((r, ty)),
                Some(_) => {
                    return self.fail_help(
                        "E0229",
                        format!("`{}` cannot be assigned here", t.name.name),
                        t.span,
                        "not a `var` of this block",
                        "declare it with `var`",
                    );
                }
                None if self.modules[self.module].globals.contains_key(&t.name.name) => {
                    return self.fail_help(
                        "E0229",
                        format!("`{}` cannot be assigned inside an expression", t.name.name),
                        t.span,
                        "not a `var` of this block",
                        "a block computes one element; assign arrays in an equation of their own",
                    );
                }
                None => return self.unknown(&t.name.name, t.name.span, "variable"),
            }
        }
        let vals = self.values(value, targets.len(), slots.first().map(|s| s.1))?;
        let mut regs = vec![];
        for ((v, (reg, ty)), target) in vals.into_iter().zip(&slots).zip(targets) {
            let at = self.span(value);
            let compound = self.compound(op, *ty, target.span)?;
            let v = self.convert(v, *ty, at)?;
            let v = match compound {
                None => v,
                Some(op) => self.builder().binary(op, &Val::reg(*reg, *ty), &v),
            };
            regs.push(self.builder().materialise(&v));
        }
        // Several targets change together: keep the values first.
        if slots.len() > 1 {
            for (r, s) in regs.iter_mut().zip(&slots) {
                *r = self.snapshot(*r, s.1);
            }
        }
        for (r, (reg, _)) in regs.into_iter().zip(slots) {
            self.builder().set(reg, r);
        }
        Some(())
    }

    /// The operation of `+=` and its kin on values of a type; `None` for `=`.
    pub(super) fn compound(&mut self, op: AssignOp, ty: Ty, span: Span) -> Option<Option<B>> {
        let b = match op {
            AssignOp::Set => return Some(None),
            _ if ty == Ty::Bool => {
                let help = "set it with `=`, as in `x = x or …`";
                return self.fail_help("E0213", "arithmetic takes numbers", span, "this is `bool`", help);
            }
            AssignOp::Add => B::Add,
            AssignOp::Sub => B::Sub,
            AssignOp::Mul => B::Mul,
            AssignOp::Div if ty.is_int() => {
                let (message, label) = ("`/` between two integers has no one meaning", format!("this is `{ty}`"));
                let help = "write `x = x div …` for the floor of the quotient, or keep it in a float";
                return self.fail_help("E0214", message, span, label, help);
            }
            AssignOp::Div => B::Div,
            AssignOp::Min | AssignOp::Max if ty.is_complex() => return self.no_order(ty, span),
            AssignOp::Min => B::Min,
            AssignOp::Max => B::Max,
        };
        Some(Some(b))
    }

    fn local_for(&mut self, index: &ast::Ident, range: &Range, body: &Block, loops: usize) -> Option<()> {
        let (from, to) = (self.expr_as(range.from, Ty::I64)?, self.expr_as(range.to, Ty::I64)?);
        let by = self.step(range)?;
        let known = |v: &Val| v.as_const().and_then(|c| c.as_int()).and_then(|i| i64::try_from(i).ok());
        if let (Some(a), Some(b)) = (known(&from), known(&to))
            && b.saturating_sub(a) <= UNROLL * by
            && !has_break(body)
        {
            return self.unrolled_for(index, (a, b, by), body);
        }
        let bounds = self.loop_bounds(&from, &to);
        let (f, t) = (self.builder().materialise(&from), self.builder().materialise(&to));
        let counter = self.builder().variable(Ty::I64);
        let (env, scope) = (self.env.clone(), self.builder().open());
        let runs = known(&from).zip(known(&to)).is_some_and(|(a, b)| a < b) && !has_break(body);
        self.builder().conditional |= !runs;
        self.builder().counters.push((counter, bounds));
        let v = Val::affine(Affine::sym(Sym::Counter(counter)));
        self.env = self.env.with(&index.name, Local::Val(v));
        let ok = self.local_stmts(body, loops + 1);
        self.env = env;
        let list = self.builder().close(scope, false);
        self.builder().push(Inst::Loop { counter, from: f, to: t, by, body: list });
        ok.then_some(())
    }

    /// The least and the greatest value of a loop's counter and one more, as index arithmetic; `None` where not known.
    pub(super) fn loop_bounds(&mut self, from: &Val, to: &Val) -> Option<(Affine, Affine)> {
        let low = match from.as_affine() {
            Some(a) => a,
            None => Affine::constant(self.known_range(from)?.lo),
        };
        let high = match to.as_affine() {
            Some(a) => a,
            None => Affine::constant(self.known_range(to)?.hi - 1),
        };
        Some((low, high))
    }

    /// A short loop with constant bounds and no `break`, written out.
    fn unrolled_for(&mut self, index: &ast::Ident, (from, to, by): (i64, i64, i64), body: &Block) -> Option<()> {
        let env = self.env.clone();
        let mut k = from;
        while k < to {
            self.env = env.with(&index.name, Local::Val(Val::constant(Value::i64(k))));
            let ok = self.local_stmts(body, 0);
            self.env = env.clone();
            if !ok {
                return None;
            }
            k += by;
        }
        Some(())
    }

    /// The constant step of a range, 1 when it has none.
    pub(super) fn step(&mut self, range: &Range) -> Option<i64> {
        let Some(by) = range.by else { return Some(1) };
        let v = self.const_as(by, Ty::I64, "the step of a range")?;
        match v.as_int() {
            Some(s) if s >= 1 => i64::try_from(s).ok(),
            _ => {
                let span = self.span(by);
                self.fail_help(
                    "E0230",
                    format!("the step of a range must be at least 1, and this is {v}"),
                    span,
                    "the step",
                    "write `by 1` or more; to count down, write `n - 1 - i` where the index is used",
                )
            }
        }
    }

    fn local_branch(&mut self, block: &Block, facts: &Narrowing, loops: usize) -> Option<Vec<Inst>> {
        let (env, held, scope) = (self.env.clone(), self.scalar_facts.len(), self.builder().open());
        self.builder().conditional = true;
        self.narrow(facts);
        let ok = self.local_stmts(block, loops);
        self.env = env;
        self.scalar_facts.truncate(held);
        let list = self.builder().close(scope, false);
        ok.then_some(list)
    }
}

/// Whether a block leaves the loop around it.
fn has_break(block: &Block) -> bool {
    block.stmts.iter().any(|s| match &s.kind {
        StmtKind::Break => true,
        StmtKind::If { then, otherwise, .. } => has_break(then) || otherwise.as_ref().is_some_and(has_break),
        _ => false,
    })
}
