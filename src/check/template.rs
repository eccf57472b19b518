//! Texts with holes: `print`, the reasons of `assert`, the paths of files.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::Local;
use super::equation::with_part;
use super::left::Index;
use crate::ir::kernel::{Affine, ArrayId, Store, Sym};
use crate::ir::layout::Dist;
use crate::ir::program::{Array, Edge, Placement, PrintPart};
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
        let count = (to - from).max(0) / by + i64::from((to - from).max(0) % by != 0);
        if count > 256 {
            let id = self.list_of(value, index, (from, count, by), span)?;
            self.format_suits(format, self.program.arrays[id.0 as usize].element(), span)?;
            return Some(vec![PrintPart::List { id, format: format.cloned() }]);
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

    /// The values of a long list, in an array.
    fn list_of(&mut self, value: ExprId, index: &Ident, range: (i64, i64, i64), span: Span) -> Option<ArrayId> {
        let (domain, names, outer) = self.enter_domain(&[Index::plain(&index.name, range)]);
        self.push_builder(Builder::new_nest(domain.clone()));
        let v = self.expr(value, None);
        let v = v.map(|v| self.settle(v));
        (self.env, self.index_names) = (outer, names);
        let mut b = self.builders.pop()?;
        let v = v?;
        let laid = (Placement::Divided { dists: vec![Dist::Block], over: vec![] }, vec![Edge::None]);
        let list = Array::of("list".into(), v.ty, vec![domain[0].len()], laid, span);
        let id = self.add_array(Array { temporary: true, ..list });
        let at = vec![Affine { konst: -domain[0].lo, terms: vec![(Sym::Dim(0), 1)] }];
        let parts = match v.parts() {
            Some((re, im)) => vec![(with_part(&at, 0), re), (with_part(&at, 1), im)],
            None => vec![(at, v)],
        };
        let mut store = |(index, v): (Vec<Affine>, Val)| {
            let value = b.materialise(&v);
            Store { operand: b.operand(id, v.ty, index.len(), true), index, value }
        };
        let stores = parts.into_iter().map(&mut store).collect();
        self.push_nest(&mut b, "list".into(), stores, vec![], span);
        Some(id)
    }
}
