//! Assignments and loops as other languages write them, and what to write in their place.

use super::Checker;
use super::around::is_loose;
use super::env::Local;
use crate::ir::kernel::ArrayId;
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, ExprId, ExprKind, Ident, Target};

impl Checker<'_> {
    /// A left side in a kernel that is none of its results.
    pub(super) fn no_result(&mut self, target: &Target) -> Option<()> {
        let name = &target.name.name;
        let (message, help) = match self.env.find(name) {
            Some(Local::Array(_)) => (
                format!("`{name}` is a parameter, and parameters are not written"),
                "name a result after `->` and define that",
            ),
            Some(Local::Val(_)) => (
                format!("`{name}` is a parameter or a `let`, and keeps its value"),
                "name another value, as in `let b = …`, or a result after `->`",
            ),
            Some(Local::Broken) => return None,
            _ => return self.unknown(name, target.name.span, "result"),
        };
        self.fail_help("E0229", message, target.span, "written here", help)
    }

    /// `var s = 0.0` in a kernel, with the statements behind it: what a loop adds up there is a reduction.
    pub(super) fn kernel_var(&mut self, name: &Ident, span: Span, rest: &[ast::Stmt]) -> Option<()> {
        let sum = rest.iter().find_map(|s| match &s.kind {
            ast::StmtKind::For { index, range, body } => {
                let (target, op, value) = self.accumulates(body)?;
                let word = match op {
                    AssignOp::Add => "sum",
                    AssignOp::Mul => "prod",
                    AssignOp::Min => "min",
                    AssignOp::Max => "max",
                    _ => return None,
                };
                let (range, term) = (self.short_text(range.span)?, self.short_text(self.span(value))?);
                let term = if is_loose(self.ast().expr(value)) { format!("({term})") } else { term };
                (target.name.name == name.name)
                    .then(|| format!("write `let {} = {word}[{} in {range}] {term}`", name.name, index.name))
            }
            _ => None,
        });
        self.env = self.env.with(&name.name, Local::Broken);
        let help = sum.unwrap_or_else(|| {
            "a value is `let x = …`, a sum `let s = sum[i] u[i]`; a `var` stands in a block `{ … }` of an expression".into()
        });
        self.fail_help("E0227", "a kernel has no variables", span, "not inside a kernel", help)
    }

    /// `s += …`, where that is all that a block does.
    pub(super) fn accumulates<'b>(&self, body: &'b ast::Block) -> Option<(&'b Target, AssignOp, ExprId)> {
        match &body.stmts[..] {
            [ast::Stmt { kind: ast::StmtKind::Assign { targets, op, value, .. }, .. }] if body.value.is_none() => {
                let [target @ Target { subscripts: None, .. }] = &targets[..] else { return None };
                Some((target, *op, *value))
            }
            _ => None,
        }
    }

    /// `c = a * b` and `c = 0`.
    pub(super) fn no_whole_array(&mut self, name: &str, array: ArrayId, value: ExprId) -> Option<()> {
        let at = self.span(value);
        let equation = self.equation_for(name, array, value);
        if let ExprKind::Index { base, subscripts } = self.node(value).kind
            && let Some(whole) = self.array_if_named(&base.name)
            && let rank = self.program.arrays[whole.0 as usize].extents().len()
            && let own = self.program.arrays[array.0 as usize].extents().len()
            && subscripts.len() + own == rank
        {
            // `r = q[2]`
            let indices = self.indices_of(array);
            let fixed: Vec<&str> = subscripts.iter().map(|s| self.sources.text(self.span(*s))).collect();
            let row = format!("{name}[{indices}] = {}[{}, {indices}]", base.name, fixed.join(", "));
            return self.fail_help(
                "E0522",
                format!(
                    "`{}` has {}, and {} stands here",
                    base.name,
                    super::counted(rank, "dimension"),
                    super::counted(fixed.len(), "subscript")
                ),
                at,
                "a part of an array",
                format!("write the equation of one element: `{row}`"),
            );
        }
        match self.arrays_in(value).is_empty() {
            true => self.fail_help(
                "E0522",
                format!("`{name}` is an array, and the right side is a single value"),
                at,
                "one value",
                format!("write `{equation}` to set every element"),
            ),
            false => self.fail_help(
                "E0522",
                format!("`{name}` is an array, and arrays are not computed as wholes"),
                at,
                "whole arrays",
                format!("write the equation of one element: `{equation}`"),
            ),
        }
    }

    /// `let c = a * b`
    pub(super) fn no_whole_let(&mut self, name: &str, array: ArrayId, value: ExprId) -> Option<()> {
        let equation = self.equation_for(name, array, value);
        let help = format!("declare `array {name}: …` and write the equation of one element: `{equation}`");
        self.fail_help("E0222", "arrays are not computed as wholes", self.span(value), "whole arrays", help)
    }

    /// The equation of one element of `name`, which has the dimensions of `array`.
    fn equation_for(&self, name: &str, array: ArrayId, value: ExprId) -> String {
        format!("{name}[{}] = {}", self.indices_of(array), self.element_of(array, value))
    }

    /// The reduction that a call of its name means: `max[i, j] u[i, j]` for `max(u)`.
    pub(super) fn reduction_for(&self, name: &str, args: &[ExprId]) -> String {
        let help = match args {
            [value] if let [(array, _), ..] = self.arrays_in(*value)[..] => {
                let (indices, element) = (self.indices_of(array), self.element_of(array, *value));
                let term = if is_loose(self.ast().expr(*value)) { format!("({element})") } else { element };
                format!("{name}[{indices}] {term}")
            }
            _ => format!("{name}[i] …"),
        };
        format!("a reduction names its indices: `{help}`")
    }

    /// One element of an expression of whole arrays that have the dimensions of `array`.
    fn element_of(&self, array: ArrayId, value: ExprId) -> String {
        let (at, indices) = (self.span(value), self.indices_of(array));
        let arrays = self.arrays_in(value);
        let rank = |id: ArrayId| self.program.arrays[id.0 as usize].extents().len();
        let Some(mut text) = self.short_text(at).filter(|_| arrays.iter().all(|a| rank(a.0) == rank(array))) else {
            return "…".into();
        };
        // From the last to the first, so that places stay.
        for (_, s) in arrays.iter().rev() {
            text.insert_str((s.end - at.start) as usize, &format!("[{indices}]"));
        }
        text
    }

    /// The arrays that stand without subscripts in an expression, in the order of the text; not those in a reduction's term.
    pub(super) fn arrays_in(&self, id: ExprId) -> Vec<(ArrayId, Span)> {
        let ast = self.ast();
        let e = ast.expr(id);
        let mut out: Vec<(ArrayId, Span)> = match &e.kind {
            ExprKind::Name(name) => self.array_if_named(name).map(|id| (id, e.span)).into_iter().collect(),
            // What else is called may take whole arrays.
            ExprKind::Call { callee, .. } if !super::calls::NAMES.contains(&callee.name.as_str()) => vec![],
            // `max(u)` means a reduction.
            ExprKind::Call { callee, args } if matches!(&callee.name[..], "min" | "max") && args.len() == 1 => vec![],
            ExprKind::Reduce { .. } | ExprKind::Scan { .. } | ExprKind::Combine { .. } => vec![],
            _ => super::infer::children(&ast, id).into_iter().flat_map(|c| self.arrays_in(c)).collect(),
        };
        out.sort_by_key(|a| a.1.start);
        out
    }

    /// Subscripts for an element of an array.
    pub(super) fn indices_of(&self, array: ArrayId) -> String {
        self.free_indices(self.program.arrays[array.0 as usize].extents().len())
    }
}
