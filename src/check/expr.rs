//! Expressions to values.

use super::Checker;
use super::emit::{Val, ValKind};
use super::env::{Global, Local};
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{BinaryOp as B, Inst, Op, Sym, UnaryOp as U};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, BinaryOp, Block, ExprId, ExprKind, Range, StmtKind, UnaryOp};

/// Comparisons on one domain dimension that hold where code runs.
pub(super) type Narrowing = Vec<(usize, Interval)>;

impl Checker<'_> {
    /// The value of an expression; `expected` gives literals inside it a type. `None`: an error was reported.
    pub(super) fn expr(&mut self, id: ExprId, expected: Option<Ty>) -> Option<Val> {
        let v = self.expr_unnoted(id, expected)?;
        if let Some(facts) = self.facts.as_deref_mut() {
            facts.note(self.modules[self.module].ast.expr(id).span, &v);
        }
        Some(v)
    }

    fn expr_unnoted(&mut self, id: ExprId, expected: Option<Ty>) -> Option<Val> {
        let e = self.node(id);
        match e.kind {
            ExprKind::Int(v) => {
                Some(Val::flex(if v > i64::MAX as u64 { Value::int(Ty::U64, v as i128) } else { Value::i64(v as i64) }))
            }
            ExprKind::Float(v) => Some(Val::flex(Value::f64(v))),
            ExprKind::Bool(v) => Some(Val::constant(Value::bool(v))),
            ExprKind::Name(name) => self.name(&name, e.span),
            ExprKind::Index { base, subscripts } => self.index(&base, &subscripts, e.span),
            ExprKind::Call { callee, args } => self.call(&callee, &args, expected, e.span),
            ExprKind::Unary { op, arg } => self.unary(op, arg, expected),
            ExprKind::Binary { op, left, right, op_span } => self.binary(op, left, right, expected, op_span),
            ExprKind::If { cond, then, otherwise } => self.if_expr(cond, then, otherwise, expected),
            ExprKind::Block(block) => self.block_expr(&block, expected, e.span),
            ExprKind::Reduce { op, indices, term } => self.reduce(op, &indices, term, expected, e.span),
            ExprKind::Hole => self.fail("E0220", "`_` stands only for an argument of a kernel", e.span, "not a value"),
            ExprKind::Scan { .. } => self.not_yet("`scan`", e.span),
            ExprKind::Grad { .. } => self.not_yet("`grad`", e.span),
            ExprKind::Tuple(_) => self.fail(
                "E0220",
                "a tuple stands only where several values are assigned",
                e.span,
                "not a single value",
            ),
            ExprKind::Table(_) => self.fail_help(
                "E0220",
                "a table is not a single value",
                e.span,
                "a table",
                "name it at the top of the file, `let w = […]`, and write `w[d]`",
            ),
        }
    }

    /// An expression that must have type `ty`.
    pub(super) fn expr_as(&mut self, id: ExprId, ty: Ty) -> Option<Val> {
        let v = self.expr(id, Some(ty))?;
        let span = self.span(id);
        self.convert(v, ty, span)
    }

    /// An expression with a constant value of type `ty`.
    pub(super) fn const_as(&mut self, id: ExprId, ty: Ty, what: &str) -> Option<Value> {
        let v = self.expr_as(id, ty)?;
        match v.as_const() {
            Some(c) => Some(c),
            None => {
                let span = self.span(id);
                self.fail_help(
                    "E0221",
                    format!("{what} must be known before the program runs"),
                    span,
                    "this value changes while the program runs",
                    "use literals, `param`s, `let`s at the top, or extents",
                )
            }
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Option<Val> {
        if let Some(local) = self.env.find(name).cloned() {
            return match local {
                Local::Val(v) => Some(v),
                Local::Var(reg, ty) => Some(Val::reg(reg, ty)),
                Local::Slot(id, ty) => Some(Val::slot(id, ty)),
                Local::Broken => None,
                Local::Array(_) | Local::Indexed(_) => self.fail_help(
                    "E0222",
                    format!("`{name}` is an array, and one element is needed here"),
                    span,
                    "a whole array",
                    format!("write its subscripts: `{name}[…]`"),
                ),
                Local::Unset(at) => {
                    let d = Diagnostic::error("E0223", format!("`{name}` is read before it is set"), span, "read here")
                        .label(at, "declared here");
                    self.report(d);
                    None
                }
            };
        }
        match self.modules[self.module].globals.get(name).map(|g| g.0.clone()) {
            Some(Global::Const(v)) => return Some(v),
            Some(Global::Broken) => return None,
            Some(Global::Array(_)) => {
                return self.fail_help(
                    "E0222",
                    format!("`{name}` is an array, and one element is needed here"),
                    span,
                    "a whole array",
                    format!("write its subscripts: `{name}[…]`"),
                );
            }
            Some(Global::Table(..)) => {
                return self.fail_help(
                    "E0222",
                    format!("`{name}` is a table, and one element is needed here"),
                    span,
                    "a whole table",
                    format!("write a subscript: `{name}[…]`"),
                );
            }
            Some(Global::Fn(..) | Global::Kernel(..) | Global::Workflow(..)) => {
                return self.fail_help(
                    "E0222",
                    format!("`{name}` is called, not read"),
                    span,
                    "a function",
                    format!("write `{name}(…)`"),
                );
            }
            Some(Global::Partition(_)) => {
                return self.fail("E0222", format!("`{name}` is a partition, not a value"), span, "a partition");
            }
            None => {}
        }
        match name {
            "pi" => Some(Val::flex(Value::f64(std::f64::consts::PI))),
            "inf" => Some(Val::flex(Value::f64(f64::INFINITY))),
            "nan" => Some(Val::flex(Value::f64(f64::NAN))),
            "ranks" => {
                self.program.depends_on_ranks = true;
                Some(Val::constant(Value::i64(self.options.ranks)))
            }
            _ => self.unknown(name, span, "name"),
        }
    }

    /// Reports an unknown name with the nearest known one.
    pub(super) fn unknown<T>(&mut self, name: &str, span: Span, what: &str) -> Option<T> {
        let globals: Vec<String> = self.modules[self.module].globals.keys().cloned().collect();
        let near = {
            let locals = self.env.names();
            let all =
                locals.into_iter().chain(globals.iter().map(|s| s.as_str())).chain(super::calls::NAMES.iter().copied());
            crate::diag::did_you_mean(name, all).map(str::to_string)
        };
        let d = Diagnostic::error("E0200", format!("unknown {what} `{name}`"), span, "not declared");
        self.report(match near {
            Some(n) => d.help(format!("did you mean `{n}`?")),
            None => d,
        });
        None
    }

    fn unary(&mut self, op: UnaryOp, arg: ExprId, expected: Option<Ty>) -> Option<Val> {
        let span = self.span(arg);
        if op == UnaryOp::Not {
            let v = self.expr_as(arg, Ty::Bool)?;
            return Some(self.builder().unary(U::Not, &v));
        }
        let v = self.expr(arg, expected)?;
        if v.ty == Ty::Bool {
            return self.fail_help("E0213", "`-` takes a number", span, "this is `bool`", "write `not …`");
        }
        Some(self.builder().unary(U::Neg, &v))
    }

    /// Whether a literal inside this expression may need the type of the other operand.
    fn wants_hint(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::If { .. } | ExprKind::Block(_) | ExprKind::Reduce { .. } => true,
            ExprKind::Call { callee, .. } => matches!(callee.name.as_str(), "min" | "max" | "select" | "abs"),
            ExprKind::Binary { left, right, .. } => self.wants_hint(*left) || self.wants_hint(*right),
            ExprKind::Unary { arg, .. } => self.wants_hint(*arg),
            _ => false,
        }
    }

    /// Both operands, each giving its type to literals in the other.
    fn operands(&mut self, left: ExprId, right: ExprId, expected: Option<Ty>) -> Option<(Val, Val)> {
        let hint = |v: &Val| if v.is_flex() { expected } else { Some(v.ty) };
        if self.wants_hint(left) && !self.wants_hint(right) {
            let b = self.expr(right, expected);
            let h = b.as_ref().and_then(hint).or(expected);
            let a = self.expr(left, h);
            return Some((a?, b?));
        }
        let a = self.expr(left, expected);
        let h = a.as_ref().and_then(hint).or(expected);
        let b = self.expr(right, h);
        Some((a?, b?))
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
        expected: Option<Ty>,
        op_span: Span,
    ) -> Option<Val> {
        use BinaryOp as O;
        match op {
            O::And | O::Or => {
                let (a, b) = (self.expr_as(left, Ty::Bool), self.expr_as(right, Ty::Bool));
                let op = if op == O::And { B::And } else { B::Or };
                return Some(self.logic(op, &a?, &b?));
            }
            O::Pow => return self.power(left, right, expected, op_span),
            _ => {}
        }
        let compares = matches!(op, O::Eq | O::Ne | O::Lt | O::Le | O::Gt | O::Ge);
        let (a, b) = self.operands(left, right, if compares { None } else { expected })?;
        let (at, bt) = (self.span(left), self.span(right));
        if matches!(op, O::Shl | O::Shr) {
            let b = self.convert(b, a.ty, bt)?;
            return self.integers(if op == O::Shl { B::Shl } else { B::Shr }, a, b, op_span);
        }
        let (a, b) = self.lift_integers(a, b, (at, bt), expected)?;
        let (a, b) = self.unify((a, at), (b, bt), &format!("`{}`", operator(op)))?;
        let boolean = a.ty == Ty::Bool;
        let op = match op {
            O::Eq => B::Eq,
            O::Ne => B::Ne,
            O::Lt => B::Lt,
            O::Le => B::Le,
            O::Gt => B::Gt,
            O::Ge => B::Ge,
            O::Add => B::Add,
            O::Sub => B::Sub,
            O::Mul => B::Mul,
            O::Div if a.ty.is_int() => {
                return self.fail_help(
                    "E0214",
                    "`/` between two integers has no one meaning",
                    op_span,
                    format!("both sides are `{}`", a.ty),
                    "write `div` for the floor of the quotient, or convert: `f64(…) / …`",
                );
            }
            O::Div => B::Div,
            O::IntDiv | O::BitAnd | O::BitOr | O::BitXor => {
                let op = match op {
                    O::IntDiv => B::IntDiv,
                    O::BitAnd => B::And,
                    O::BitOr => B::Or,
                    _ => B::Xor,
                };
                return self.integers(op, a, b, op_span);
            }
            _ => B::Mod,
        };
        if boolean && !matches!(op, B::Eq | B::Ne) {
            return self.fail_help(
                "E0213",
                "arithmetic takes numbers",
                at,
                "this is `bool`",
                "write `i32(…)` for 0 and 1",
            );
        }
        Some(self.builder().binary(op, &a, &b))
    }

    /// An integer beside a float literal becomes the float that is expected.
    fn lift_integers(&mut self, a: Val, b: Val, (at, bt): (Span, Span), expected: Option<Ty>) -> Option<(Val, Val)> {
        let ty = expected.filter(|t| t.is_float()).unwrap_or(Ty::F64);
        let lone = |x: &Val, y: &Val| x.is_flex() && x.ty.is_float() && y.ty.is_int() && !y.is_flex();
        if lone(&a, &b) {
            return Some((a, self.convert(b, ty, bt)?));
        }
        if lone(&b, &a) {
            return Some((self.convert(a, ty, at)?, b));
        }
        Some((a, b))
    }

    /// `and`/`or` with one constant side folded.
    fn logic(&mut self, op: B, a: &Val, b: &Val) -> Val {
        for (c, other) in [(a, b), (b, a)] {
            if let Some(v) = c.as_const() {
                let decides = v.as_bool() == (op == B::Or);
                return if decides { Val::constant(v) } else { other.clone() };
            }
        }
        self.builder().binary(op, a, b)
    }

    fn integers(&mut self, op: B, a: Val, b: Val, span: Span) -> Option<Val> {
        if a.ty.is_int() {
            return Some(self.builder().binary(op, &a, &b));
        }
        let help = if op == B::IntDiv { "write `floor(a / b)` for floats" } else { "bit operations take integers" };
        self.fail_help("E0213", "this operator takes integers", span, format!("the operands are `{}`", a.ty), help)
    }

    /// `x^k`: products for a constant whole exponent, else the library's `pow`.
    fn power(&mut self, left: ExprId, right: ExprId, expected: Option<Ty>, span: Span) -> Option<Val> {
        let base = self.expr(left, expected)?;
        let exponent = self.expr(right, None)?;
        let (lt, rt) = (self.span(left), self.span(right));
        if base.ty == Ty::Bool || exponent.ty == Ty::Bool {
            return self.fail("E0213", "`^` takes numbers", span, "an operand is `bool`");
        }
        if let Some(k) = exponent.as_const().and_then(|c| c.as_int()) {
            if k < 0 && !base.ty.is_float() {
                return self.fail_help(
                    "E0213",
                    "an integer to a negative power is not an integer",
                    rt,
                    format!("the exponent is {k}"),
                    "write `1 / f64(…)^…`",
                );
            }
            if k.unsigned_abs() <= 64 {
                let p = self.repeated_product(&base, k.unsigned_abs() as u32);
                if k >= 0 {
                    return Some(p);
                }
                let one = self.convert(Val::flex(Value::i64(1)), p.ty, rt)?;
                return Some(self.builder().binary(B::Div, &one, &p));
            }
        }
        if base.ty.is_int() && !base.is_flex() {
            return self.fail_help(
                "E0213",
                "an integer is raised to constant powers up to 64 only",
                rt,
                "not such a power",
                "convert the base: `f64(…)^…`",
            );
        }
        let (a, b) = self.unify((base, lt), (exponent, rt), "`^`")?;
        self.elementary("pow", vec![(a, lt), (b, rt)], expected, span)
    }

    fn repeated_product(&mut self, base: &Val, k: u32) -> Val {
        if k == 0 {
            return match base.is_flex() {
                true => Val::flex(Value::i64(1)),
                false => Val::constant(crate::ir::fold::cast(Value::i64(1), base.ty)),
            };
        }
        let half = if k == 1 { return base.clone() } else { self.repeated_product(base, k / 2) };
        let square = self.builder().binary(B::Mul, &half, &half);
        if k % 2 == 1 { self.builder().binary(B::Mul, &square, base) } else { square }
    }

    /// What the truth (or falsehood) of a condition says about the domain's indices.
    pub(super) fn narrowing(&mut self, cond: ExprId, holds: bool) -> Narrowing {
        let e = self.node(cond);
        match e.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right, .. } if holds => {
                let mut out = self.narrowing(left, true);
                out.extend(self.narrowing(right, true));
                out
            }
            ExprKind::Binary { op: BinaryOp::Or, left, right, .. } if !holds => {
                let mut out = self.narrowing(left, false);
                out.extend(self.narrowing(right, false));
                out
            }
            ExprKind::Unary { op: UnaryOp::Not, arg } => self.narrowing(arg, !holds),
            ExprKind::Binary { op, left, right, .. } => {
                self.compare_narrowing(op, left, right, holds).into_iter().collect()
            }
            _ => vec![],
        }
    }

    fn compare_narrowing(
        &mut self,
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
        holds: bool,
    ) -> Option<(usize, Interval)> {
        use BinaryOp as O;
        let op = match (op, holds) {
            (O::Lt, true) | (O::Ge, false) => O::Lt,
            (O::Le, true) | (O::Gt, false) => O::Le,
            (O::Gt, true) | (O::Le, false) => O::Gt,
            (O::Ge, true) | (O::Lt, false) => O::Ge,
            (O::Eq, true) | (O::Ne, false) => O::Eq,
            (O::Ne, true) | (O::Eq, false) => O::Ne,
            _ => return None,
        };
        if !self.is_index_expr(left) || !self.is_index_expr(right) {
            return None;
        }
        let (a, b) = (self.expr(left, None)?.as_affine()?, self.expr(right, None)?.as_affine()?);
        let d = a.add(&b.scale(-1)?)?; // d OP 0
        let [(Sym::Dim(dim), coef)] = d.terms[..] else { return None };
        // i OP bound / |coef|, with the comparison turned round when the coefficient is negative.
        let bound = if coef > 0 { -d.konst } else { d.konst };
        let (below, exact) = (bound.div_euclid(coef.abs()), bound.rem_euclid(coef.abs()) == 0);
        let op = match (op, coef > 0) {
            (O::Lt, false) => O::Gt,
            (O::Le, false) => O::Ge,
            (O::Gt, false) => O::Lt,
            (O::Ge, false) => O::Le,
            (op, _) => op,
        };
        let all = *self.builder().within.get(dim)?;
        let narrowed = match op {
            O::Lt => Interval::new(all.lo, below + i64::from(!exact)),
            O::Le => Interval::new(all.lo, below + 1),
            O::Gt => Interval::new(below + 1, all.hi),
            O::Ge => Interval::new(below + i64::from(!exact), all.hi),
            O::Eq if !exact => Interval::EMPTY,
            O::Eq => Interval::new(below, below + 1),
            _ if exact && below == all.lo => Interval::new(all.lo + 1, all.hi),
            _ if exact && below == all.hi - 1 => Interval::new(all.lo, all.hi - 1),
            _ => return None,
        };
        Some((dim, narrowed))
    }

    /// Whether an expression is made of names, literals and `+ - * div mod` only, so that looking at it emits nothing odd.
    fn is_index_expr(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) => true,
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Val(v)) => v.ty == Ty::I64,
                Some(_) => false,
                None => {
                    matches!(self.modules[self.module].globals.get(n), Some((Global::Const(v), _)) if v.ty == Ty::I64)
                }
            },
            ExprKind::Unary { op: UnaryOp::Neg, arg } => self.is_index_expr(*arg),
            ExprKind::Binary { op, left, right, .. } => {
                use BinaryOp as O;
                matches!(op, O::Add | O::Sub | O::Mul | O::IntDiv | O::Mod)
                    && self.is_index_expr(*left)
                    && self.is_index_expr(*right)
            }
            _ => false,
        }
    }

    pub(super) fn narrow(&mut self, facts: &Narrowing) {
        let within = &mut self.builder().within;
        for (d, r) in facts {
            within[*d] = within[*d].intersect(*r);
        }
    }

    fn if_expr(&mut self, cond: ExprId, then: ExprId, otherwise: ExprId, expected: Option<Ty>) -> Option<Val> {
        let c = self.expr_as(cond, Ty::Bool)?;
        if let Some(k) = c.as_const() {
            return self.expr(if k.as_bool() { then } else { otherwise }, expected);
        }
        let (yes, no) = (self.narrowing(cond, true), self.narrowing(cond, false));
        let (first, second) =
            if self.wants_hint(then) || self.is_literal(then) { (otherwise, then) } else { (then, otherwise) };
        let flip = first == otherwise;
        let (f1, f2) = if flip { (&no, &yes) } else { (&yes, &no) };
        let a = self.branch(first, f1, expected);
        let hint = a.as_ref().and_then(|a| if a.0.is_flex() { None } else { Some(a.0.ty) }).or(expected);
        let b = self.branch(second, f2, hint);
        let ((a, a_code, a_pure), (b, b_code, b_pure)) = (a?, b?);
        let (at, bt) = (self.span(first), self.span(second));
        let (a, b) = match expected {
            Some(ty) if a.is_flex() && b.is_flex() => (self.convert(a, ty, at)?, self.convert(b, ty, bt)?),
            _ => self.unify((a, at), (b, bt), "`if`")?,
        };
        let (a, b) = (self.settle(a), self.settle(b));
        if a_pure && b_pure {
            for inst in a_code.into_iter().chain(b_code) {
                self.builder().push(inst);
            }
            let (x, y) = if flip { (b, a) } else { (a, b) };
            return Some(self.builder().select(&c, &x, &y));
        }
        let dst = self.builder().variable(a.ty);
        let (mut a_code, mut b_code) = (a_code, b_code);
        for (v, code) in [(&a, &mut a_code), (&b, &mut b_code)] {
            let scope = self.builder().open();
            let r = self.builder().materialise(v);
            code.extend(self.builder().close(scope, false));
            code.push(Inst::Op { dst, op: Op::Copy(r) });
        }
        let (then, otherwise) = if flip { (b_code, a_code) } else { (a_code, b_code) };
        let cond = self.builder().materialise(&c);
        self.builder().push(Inst::If { cond, then, otherwise });
        Some(Val::reg(dst, a.ty))
    }

    fn is_literal(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) | ExprKind::Float(_) => true,
            ExprKind::Unary { arg, .. } => self.is_literal(*arg),
            _ => false,
        }
    }

    /// One branch of an `if`: its value, its code, and whether the code may run where the condition does not hold.
    fn branch(&mut self, id: ExprId, facts: &Narrowing, expected: Option<Ty>) -> Option<(Val, Vec<Inst>, bool)> {
        let scope = self.builder().open();
        let outer = self.builder().within_box();
        self.narrow(facts);
        let v = self.expr(id, expected);
        // An affine or constant value must not become code in the branch's own list.
        let narrowed = self.builder().within_box() != outer;
        let code = self.builder().close(scope, false);
        // Reads that the condition keeps in bounds must not run without it.
        let guarded = narrowed && code.iter().any(|i| matches!(i, Inst::Op { op: Op::Load(_) | Op::Table { .. }, .. }));
        let pure = !guarded && code.iter().all(|i| matches!(i, Inst::Op { .. }));
        Some((v?, code, pure))
    }

    /// `{ var z = 0.0; for k in … { … }; z }`
    fn block_expr(&mut self, block: &Block, expected: Option<Ty>, span: Span) -> Option<Val> {
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
            StmtKind::Assign { targets, op, value, .. } => self.local_assign(targets, *op, *value),
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
            StmtKind::Break => self.fail("E0225", "`break` stands outside a loop", s.span, "no loop around it"),
            StmtKind::While { .. } => self.fail_help(
                "E0226",
                "an element-local loop needs a bound",
                s.span,
                "`while` has none",
                "write `for k in 0..limit { … if done { break } }`",
            ),
            _ => self.fail("E0227", "this statement belongs to a workflow", s.span, "not inside an expression"),
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
                return self.fail(
                    "E0228",
                    "an indexed `let` stands in a kernel's body, not inside an expression",
                    t.span,
                    "indexed here",
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
                ValKind::Reg(r) => Val::reg(self.snapshot(r, v.ty), v.ty),
                _ => v,
            };
            self.env = self.env.with(&t.name.name, Local::Val(v));
        }
        Some(())
    }

    fn snapshot(&mut self, r: crate::ir::kernel::Reg, ty: Ty) -> crate::ir::kernel::Reg {
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
        for (v, (reg, ty)) in vals.into_iter().zip(&slots) {
            let at = self.span(value);
            let v = self.convert(v, *ty, at)?;
            let v = match compound(op) {
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
        let bounds = from.as_affine().zip(to.as_affine());
        let (f, t) = (self.builder().materialise(&from), self.builder().materialise(&to));
        let counter = self.builder().variable(Ty::I64);
        let (env, scope) = (self.env.clone(), self.builder().open());
        self.builder().counters.push((counter, bounds));
        let v = Val::affine(crate::ir::kernel::Affine::sym(Sym::Counter(counter)));
        self.env = self.env.with(&index.name, Local::Val(v));
        let ok = self.local_stmts(body, loops + 1);
        self.builder().counters.pop();
        self.env = env;
        let list = self.builder().close(scope, false);
        self.builder().push(Inst::Loop { counter, from: f, to: t, by, body: list });
        ok.then_some(())
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
                self.fail("E0230", format!("the step of a range must be at least 1, and this is {v}"), span, "the step")
            }
        }
    }

    fn local_branch(&mut self, block: &Block, facts: &Narrowing, loops: usize) -> Option<Vec<Inst>> {
        let (env, scope) = (self.env.clone(), self.builder().open());
        self.narrow(facts);
        let ok = self.local_stmts(block, loops);
        self.env = env;
        let list = self.builder().close(scope, false);
        ok.then_some(list)
    }
}

/// Loops up to this many rounds are written out.
const UNROLL: i64 = 16;

/// Whether a block leaves the loop around it.
fn has_break(block: &Block) -> bool {
    block.stmts.iter().any(|s| match &s.kind {
        StmtKind::Break => true,
        StmtKind::If { then, otherwise, .. } => has_break(then) || otherwise.as_ref().is_some_and(has_break),
        _ => false,
    })
}

/// The operation of `+=` and its kin; `None` for `=`.
pub(super) fn compound(op: AssignOp) -> Option<B> {
    match op {
        AssignOp::Set => None,
        AssignOp::Add => Some(B::Add),
        AssignOp::Sub => Some(B::Sub),
        AssignOp::Mul => Some(B::Mul),
        AssignOp::Div => Some(B::Div),
    }
}

fn operator(op: BinaryOp) -> &'static str {
    use BinaryOp as O;
    match op {
        O::Or => "or",
        O::And => "and",
        O::Eq => "==",
        O::Ne => "!=",
        O::Lt => "<",
        O::Le => "<=",
        O::Gt => ">",
        O::Ge => ">=",
        O::Add => "+",
        O::Sub => "-",
        O::Mul => "*",
        O::Div => "/",
        O::IntDiv => "div",
        O::Mod => "mod",
        O::Pow => "^",
        O::BitAnd => "bitand",
        O::BitOr => "bitor",
        O::BitXor => "bitxor",
        O::Shl => "shl",
        O::Shr => "shr",
    }
}
