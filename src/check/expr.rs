//! Expressions to values.

use super::Checker;
use super::combine::{Combination, With};
use super::emit::Val;
use super::env::{Global, Local};
use super::reduce::Reduce;
use crate::diag::Diagnostic;
use crate::ir::kernel::{BinaryOp as B, UnaryOp as U};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Block, Expr, ExprId, ExprKind, ReduceOp, UnaryOp};

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
        match self.shared_value(id, expected) {
            Some(v) => v,
            None => self.expr_apart(id, expected),
        }
    }

    /// The value of an expression, whatever the statement knows of it.
    pub(super) fn expr_apart(&mut self, id: ExprId, expected: Option<Ty>) -> Option<Val> {
        let e = self.node(id);
        match e.kind {
            ExprKind::Int(v) => {
                Some(Val::flex(if v > i64::MAX as u64 { Value::int(Ty::U64, v as i128) } else { Value::i64(v as i64) }))
            }
            ExprKind::Float(v) => Some(Val::flex(Value::f64(v))),
            ExprKind::Bool(v) => Some(Val::constant(Value::bool(v))),
            ExprKind::Name(name) => self.name(&name, e.span),
            ExprKind::Index { base, subscripts } => self.index(&base, &subscripts, expected, e.span),
            ExprKind::Call { callee, args } => self.call(&callee, &args, expected, e.span),
            ExprKind::Unary { op, arg } => self.unary(op, arg, expected),
            ExprKind::Binary { op, left, right, op_span } => self.binary(op, left, right, expected, op_span),
            ExprKind::If { cond, then, otherwise } => self.if_expr(cond, then, otherwise, expected),
            ExprKind::Block(block) => self.block_expr(&block, expected, e.span),
            ExprKind::Reduce { op: op @ (ReduceOp::ArgMin | ReduceOp::ArgMax), indices, term } => {
                let vals = self.arg_reduce(Reduce { op, indices: &indices, term, span: e.span })?;
                self.single(vals, op.name(), e.span)
            }
            ExprKind::Reduce { op, indices, term } => {
                self.reduce(Reduce { op, indices: &indices, term, span: e.span }, expected)
            }
            ExprKind::Hole => self.fail_help(
                "E0220",
                "`_` stands only for an argument of a kernel that a workflow is given",
                e.span,
                "not a value",
                "write a value; `_` stands only where a workflow takes a kernel, as in `cg(conduct(_, k), b)`",
            ),
            ExprKind::Scan { op, exclusive, indices, term } => {
                self.scan((&op, exclusive), &indices, term, expected, e.span)
            }
            ExprKind::Combine { ref with, .. } => {
                let name = with.name.clone();
                let vals = self.combined(&e)?;
                self.single(vals, &name, e.span)
            }
            ExprKind::Grad { .. } => self.fail_help(
                "E0265",
                "a derivative is assigned to arrays, or named by `let`",
                e.span,
                "inside an expression",
                "write `let g = grad loss(w) for w`",
            ),
            ExprKind::Tuple(_) => self.fail_help(
                "E0220",
                "a tuple stands only where several values are assigned",
                e.span,
                "not a single value",
                "assign it to several names, as in `a, b = (x, y)`",
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

    /// The values of a reduction or scan by a function.
    pub(super) fn combined(&mut self, e: &Expr) -> Option<Vec<Val>> {
        let ExprKind::Combine { with, start, scan, indices, term } = &e.kind else { return None };
        let c = Combination { with: With::Function(with, *start), indices, term: *term, span: e.span };
        match scan {
            None => self.reduce_by(&c),
            Some(exclusive) => self.scan_by(&c, *exclusive),
        }
    }

    /// An expression that must have type `ty`.
    pub(super) fn expr_as(&mut self, id: ExprId, ty: Ty) -> Option<Val> {
        let v = self.expr(id, Some(ty))?;
        let span = self.value_span(id);
        self.convert(v, ty, span)
    }

    /// Where the value of an expression stands: in a block its last line.
    fn value_span(&self, id: ExprId) -> Span {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Block(Block { value: Some(v), .. }) => self.value_span(*v),
            _ => self.span(id),
        }
    }

    /// An expression with a constant value of type `ty`.
    pub(super) fn const_as(&mut self, id: ExprId, ty: Ty, what: &str) -> Option<Value> {
        self.known_as(id, ty, what)?.as_const()
    }

    /// An expression of type `ty` whose value is known, complex or not.
    pub(super) fn known_as(&mut self, id: ExprId, ty: Ty, what: &str) -> Option<Val> {
        let v = self.expr_as(id, ty)?;
        match v.is_known() {
            true => Some(v),
            false => {
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
                Local::Type(_) => self.fail_help(
                    "E0222",
                    format!("`{name}` is a type"),
                    span,
                    "not a value",
                    format!("a conversion is written `{name}(…)`"),
                ),
                Local::Kernel(_) => self.fail_help(
                    "E0222",
                    format!("`{name}` is called, not read"),
                    span,
                    "a kernel",
                    format!("write `{name}(…)`"),
                ),
                Local::Array(id) => self.whole_array(name, self.program.arrays[id.0 as usize].extents().len(), span),
                Local::Indexed(def) => self.whole_array(name, def.indices.len(), span),
                Local::Unset(at) => {
                    let d = Diagnostic::error("E0223", format!("`{name}` is read before it is set"), span, "read here")
                        .label(at, "declared here");
                    self.report(d.help(format!("set it before: `{name} = …`")));
                    None
                }
            };
        }
        match self.modules[self.module].globals.get(name).map(|g| g.0.clone()) {
            Some(Global::Const(v)) => return Some(v),
            Some(Global::Broken) => return None,
            Some(Global::Array(id)) => {
                return self.whole_array(name, self.program.arrays[id.0 as usize].extents().len(), span);
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
                return self.fail_help(
                    "E0222",
                    format!("`{name}` is a partition, not a value"),
                    span,
                    "a partition",
                    "name an array or a value; a partition stands behind `in`",
                );
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

    /// An array without subscripts, where one element is needed.
    pub(super) fn whole_array<T>(&mut self, name: &str, rank: usize, span: Span) -> Option<T> {
        self.fail_help(
            "E0222",
            format!("`{name}` is an array, and one element is needed here"),
            span,
            "a whole array",
            format!("write its subscripts, as in `{name}[{}]`", self.indices_for(rank, span)),
        )
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
        Some(self.arithmetic_unary(U::Neg, &v))
    }

    /// Whether a literal inside this expression may need the type of the other operand.
    pub(super) fn wants_hint(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::If { .. } | ExprKind::Block(_) | ExprKind::Reduce { .. } => true,
            ExprKind::Call { callee, .. } => {
                matches!(callee.name.as_str(), "min" | "max" | "select" | "abs" | "complex")
            }
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
                if let Some((name, at)) = self.behind_its_term(left, right) {
                    return self.unknown(&name, at, "name");
                }
                if let Some(v) = self.guarded_logic(op == O::And, left, right) {
                    return v;
                }
                let (a, b) = (self.expr_as(left, Ty::Bool), self.expr_as(right, Ty::Bool));
                let op = if op == O::And { B::And } else { B::Or };
                return Some(self.logic(op, &a?, &b?));
            }
            O::Pow => return self.power(left, right, expected, op_span),
            _ => {}
        }
        if let Some(compare) = comparison(op) {
            let (a, b) = self.compared(op, left, right)?;
            if a.ty.is_complex() && !matches!(op, O::Eq | O::Ne) {
                return self.no_order(a.ty, op_span);
            }
            return Some(self.arithmetic(compare, &a, &b));
        }
        let whole = matches!(op, O::Shl | O::Shr | O::BitAnd | O::BitOr | O::BitXor | O::IntDiv | O::Mod);
        let (a, b) = self.operands(left, right, expected.filter(|ty| !whole || ty.is_int()))?;
        let (at, bt) = (self.span(left), self.span(right));
        if matches!(op, O::Add | O::Sub | O::Mul | O::Div | O::IntDiv | O::Mod) {
            let other = |v: &Val| if v.is_flex() { expected.unwrap_or(v.ty) } else { v.ty };
            match (a.ty, b.ty) {
                (Ty::Bool, _) => return self.no_number(at, other(&b)),
                (_, Ty::Bool) => return self.no_number(bt, other(&a)),
                _ => {}
            }
        }
        if matches!(op, O::Shl | O::Shr) {
            let b = self.convert(b, a.ty, bt)?;
            return self.integers(if op == O::Shl { B::Shl } else { B::Shr }, a, b, op_span);
        }
        let (a, b) = self.lift_integers(a, b, (at, bt), expected)?;
        let (a, b) = self.unify((a, at), (b, bt), &format!("`{}`", operator(op)))?;
        let op = match op {
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
            _ if a.ty.is_complex() => {
                let (message, label) = ("`mod` takes real numbers", format!("the operands are `{}`", a.ty));
                return self.fail_help("E0213", message, op_span, label, "take the rest of a part: `re(z) mod x`");
            }
            _ => B::Mod,
        };
        Some(self.arithmetic(op, &a, &b))
    }

    /// Arithmetic with a condition, beside a value of type `other`.
    pub(super) fn no_number<T>(&mut self, at: Span, other: Ty) -> Option<T> {
        let help = match self.short_text(at).filter(|_| other != Ty::Bool) {
            Some(text) => format!("write `{other}({text})` for 0 and 1"),
            None => "conditions are joined by `and` and `or`; `i32(…)` gives 0 and 1".into(),
        };
        self.fail_help("E0213", "arithmetic takes numbers", at, "this is `bool`", help)
    }

    /// The two sides of a comparison in one type.
    pub(super) fn compared(&mut self, op: BinaryOp, left: ExprId, right: ExprId) -> Option<(Val, Val)> {
        let (a, b) = self.operands(left, right, None)?;
        let (at, bt) = (self.span(left), self.span(right));
        let (a, b) = self.lift_integers(a, b, (at, bt), None)?;
        let (a, b) = self.unify((a, at), (b, bt), &format!("`{}`", operator(op)))?;
        if a.ty == Ty::Bool && !matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            self.no_number(at, Ty::Bool)
        } else {
            Some((a, b))
        }
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
            return Some(self.arithmetic(op, &a, &b));
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
            return self.fail_help(
                "E0213",
                "`^` takes numbers",
                span,
                "an operand is `bool`",
                "convert it: `i32(…)` gives 0 and 1",
            );
        }
        if let Some(k) = exponent.as_const().and_then(|c| c.as_int()) {
            if k < 0 && !base.ty.part().is_float() {
                return self.fail_help(
                    "E0213",
                    "an integer to a negative power is not an integer",
                    rt,
                    format!("the exponent is {k}"),
                    "write `1 / f64(…)^…`",
                );
            }
            if k.unsigned_abs() <= 64 {
                if base.ty.is_half() {
                    // In f32, rounded once.
                    let wide = self.builder().cast(&base, Ty::F32);
                    let p = self.whole_power(&wide, k as i64, rt)?;
                    return Some(self.builder().narrowed(&p, base.ty));
                }
                return self.whole_power(&base, k as i64, rt);
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
        let (base, exponent) = self.lift_integers(base, exponent, (lt, rt), expected)?;
        let (a, b) = self.unify((base, lt), (exponent, rt), "`^`")?;
        self.elementary("pow", vec![(a, lt), (b, rt)], expected, span)
    }

    /// A power of -64..=64.
    fn whole_power(&mut self, base: &Val, k: i64, span: Span) -> Option<Val> {
        let p = self.repeated_product(base, k.unsigned_abs() as u32);
        if k >= 0 {
            return Some(p);
        }
        let one = self.convert(Val::flex(Value::i64(1)), p.ty, span)?;
        Some(self.builder().binary(B::Div, &one, &p))
    }

    fn repeated_product(&mut self, base: &Val, k: u32) -> Val {
        if k == 0 {
            return match base.is_flex() {
                true => Val::flex(Value::i64(1)),
                false => self.builder().cast(&Val::constant(Value::i64(1)), base.ty),
            };
        }
        let half = if k == 1 { return base.clone() } else { self.repeated_product(base, k / 2) };
        let square = self.builder().binary(B::Mul, &half, &half);
        if k % 2 == 1 { self.builder().binary(B::Mul, &square, base) } else { square }
    }
}

/// The comparison that an operator is, if it is one.
pub(super) fn comparison(op: BinaryOp) -> Option<B> {
    Some(match op {
        BinaryOp::Eq => B::Eq,
        BinaryOp::Ne => B::Ne,
        BinaryOp::Lt => B::Lt,
        BinaryOp::Le => B::Le,
        BinaryOp::Gt => B::Gt,
        BinaryOp::Ge => B::Ge,
        _ => return None,
    })
}

pub(super) fn operator(op: BinaryOp) -> &'static str {
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
