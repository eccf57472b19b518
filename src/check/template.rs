//! Texts with holes: `print`, the reasons of `assert`, the paths of files.

use super::Checker;
use super::emit::Val;
use super::env::Local;
use crate::ir::program::PrintPart;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, ExprId, ExprKind, Ident, Template, TemplatePart};

impl Checker<'_> {
    /// A string with its holes evaluated.
    pub(super) fn template(&mut self, t: &Template) -> Option<Vec<PrintPart>> {
        let mut out = vec![];
        let mut ok = true;
        for p in &t.parts {
            match p {
                TemplatePart::Text(s) => out.push(PrintPart::Text(s.clone())),
                TemplatePart::Hole { value, over, format, span } => {
                    match self.hole(*value, over.as_ref(), format.as_ref(), *span) {
                        Some(parts) => out.extend(parts),
                        None => ok = false,
                    }
                }
            }
        }
        ok.then_some(out)
    }

    fn hole(
        &mut self,
        value: ExprId,
        over: Option<&(Ident, ast::Range)>,
        format: Option<&String>,
        span: Span,
    ) -> Option<Vec<PrintPart>> {
        if let Some((index, range)) = over {
            return self.list_hole(value, index, range, format, span);
        }
        let e = self.node(value);
        if let ExprKind::Name(n) = &e.kind
            && let Some(id) = self.array_if_named(n)
        {
            self.format_suits(format, self.program.arrays[id.0 as usize].element(), span)?;
            return Some(vec![PrintPart::Array { id, format: format.cloned() }]);
        }
        let v = self.expr(value, None)?;
        let v = self.settle(v);
        self.format_suits(format, v.ty, span)?;
        let id = self.force_slot(&v);
        Some(vec![PrintPart::Scalar { id, format: format.cloned() }])
    }

    /// A format of a hole fits values of type `ty`.
    fn format_suits(&mut self, format: Option<&String>, ty: Ty, span: Span) -> Option<()> {
        let parts_only = |spec: &String| match spec.starts_with('.') || !ty.is_complex() {
            true => crate::ir::format::check_spec(spec, ty.part()),
            false => Err("complex numbers take digits and a type, as in `.3f` or `.2e`".to_string()),
        };
        match format.map(|spec| (spec, parts_only(spec))) {
            Some((spec, Err(why))) => self.fail_help(
                "E0530",
                format!("`{spec}` does not format `{ty}`: {why}"),
                span,
                "this format",
                "write `.3f` or `.3e` for floats, `d` or `,` for integers, or no format",
            ),
            _ => Some(()),
        }
    }

    /// `{p[k, k] for k in 0..m by 8}`: a list in brackets.
    fn list_hole(
        &mut self,
        value: ExprId,
        index: &Ident,
        range: &ast::Range,
        format: Option<&String>,
        span: Span,
    ) -> Option<Vec<PrintPart>> {
        let from = self.const_as(range.from, Ty::I64, "the range of a list")?.as_int()? as i64;
        let to = self.const_as(range.to, Ty::I64, "the range of a list")?.as_int()? as i64;
        let by = self.step(range)?;
        if (to - from) / by > 256 {
            return self.not_yet("a printed list of more than 256 values", span);
        }
        let mut out = vec![PrintPart::Text("[".into())];
        let env = self.env.clone();
        let mut k = from;
        while k < to {
            if k > from {
                out.push(PrintPart::Text(", ".into()));
            }
            self.env = env.with(&index.name, Local::Val(Val::constant(Value::i64(k))));
            let parts = self.hole(value, None, format, span);
            self.env = env.clone();
            out.extend(parts?);
            k += by;
        }
        out.push(PrintPart::Text("]".into()));
        Some(out)
    }
}
