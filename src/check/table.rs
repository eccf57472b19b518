//! Constant tables: what `let w = [[1, 2], [3, 4]]` holds, and reads of it.

use super::Checker;
use super::emit::Val;
use super::env::Global;
use crate::ir::kernel::{BinaryOp, Op, Table, TableId};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident};

impl Checker<'_> {
    /// A table of numbers in rows, as deep as they are written.
    pub(super) fn constant_table(&mut self, list: &[ExprId], want: Option<Ty>) -> Option<Global> {
        let mut elements = vec![];
        let shape = self.rows(list, &mut elements)?;
        let mut vals: Vec<(Val, Span)> = vec![];
        for x in elements {
            let v = self.expr(x, want)?;
            match v.is_known() {
                true => vals.push((v, self.span(x))),
                false => {
                    let at = self.span(x);
                    return self.fail_help(
                        "E0221",
                        "a table holds constants",
                        at,
                        "this value changes while the program runs",
                        "write numbers, `param`s and `let`s of the top in it; values that change stand in an array",
                    );
                }
            }
        }
        let condition = |v: &Val| v.ty == Ty::Bool;
        if let Some(other) = vals.iter().find(|v| want.is_none() && condition(&v.0) != condition(&vals[0].0)) {
            let kinds = if condition(&other.0) { ["a number", "`bool`"] } else { ["`bool`", "a number"] };
            return self.fail_help(
                "E0210",
                format!("expected {}, found {}", kinds[0], kinds[1]),
                other.1,
                format!("the first element is {}", kinds[0]),
                "a table holds values of one type: numbers, or `true` and `false`",
            );
        }
        let float = vals.iter().any(|v| v.0.ty.is_float());
        let complex = vals.iter().find(|v| v.0.ty.is_complex()).map(|v| v.0.ty);
        let fixed = vals.iter().find(|v| !v.0.is_flex()).map(|v| v.0.ty);
        let ty = want.or(complex).or(fixed).unwrap_or(if float { Ty::F64 } else { Ty::I64 });
        let mut values: Vec<Value> = vec![];
        for (v, at) in vals {
            let v = self.convert(v, ty, at)?;
            match v.parts() {
                Some((re, im)) => values.extend([re, im].iter().filter_map(Val::as_const)),
                None => values.extend(v.as_const()),
            }
        }
        self.program.tables.push(Table { ty: ty.part(), values, literal: want.is_none() && fixed.is_none() });
        Some(Global::Table(TableId(self.program.tables.len() as u32 - 1), ty, shape))
    }

    /// The elements of a table, the last dimension the fastest, and its extents: rows are of one length.
    fn rows(&mut self, list: &[ExprId], elements: &mut Vec<ExprId>) -> Option<Vec<i64>> {
        let mut inner: Option<Vec<i64>> = None;
        for &x in list {
            let shape = match self.node(x).kind {
                ExprKind::Table(row) => self.rows(&row, elements)?,
                _ => {
                    elements.push(x);
                    vec![]
                }
            };
            match &inner {
                Some(first) if *first != shape => {
                    let said = |shape: &[i64]| match shape {
                        [] => "a number".to_string(),
                        [n] => format!("a row of {n}"),
                        more => format!("rows of {more:?}"),
                    };
                    return self.fail_help(
                        "E0220",
                        format!(
                            "the rows of a table are of one length: expected {}, found {}",
                            said(first),
                            said(&shape)
                        ),
                        self.span(x),
                        format!("the first one is {}", said(first)),
                        "write as many numbers in each, such as `[[1, 2], [3, 4]]`",
                    );
                }
                _ => inner = Some(shape),
            }
        }
        let mut shape = vec![list.len() as i64];
        shape.extend(inner.unwrap_or_default());
        Some(shape)
    }

    /// Does something where tables of literals take the type around an element, or where they do not.
    pub(super) fn tables_adapting<T>(&mut self, adapt: bool, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.tables_adapt, adapt);
        let out = f(self);
        self.tables_adapt = before;
        out
    }

    /// The table with its numbers in the type that is expected where an element stands, if they are literals: these take it.
    pub(super) fn table_as(&mut self, (id, ty): (TableId, Ty), expected: Option<Ty>) -> (TableId, Ty) {
        let table = &self.program.tables[id.0 as usize];
        let plain = |t: Ty| !t.is_complex() && t != Ty::Bool;
        let literal = table.literal && self.tables_adapt;
        let Some(to) = expected.filter(|to| literal && *to != ty && plain(*to) && plain(ty)) else {
            return (id, ty);
        };
        let taken = |v: &Value| match v.as_int() {
            Some(i) if to.is_int() => Some(Value::int(to, i)).filter(|n| n.as_int() == Some(i)),
            _ if !to.is_float() => None,
            _ => Some(Value::float(to, v.as_f64())).filter(|n| n.as_f64().is_finite() || !v.as_f64().is_finite()),
        };
        let Some(values) = table.values.iter().map(taken).collect::<Option<Vec<Value>>>() else { return (id, ty) };
        let new = Table { ty: to, values, literal: true };
        let same = self.program.tables.iter().position(|t| *t == new);
        if same.is_none() {
            self.program.tables.push(new);
        }
        (TableId(same.unwrap_or(self.program.tables.len() - 1) as u32), to)
    }

    /// `w[i, j]`
    pub(super) fn table(
        &mut self,
        base: &Ident,
        (id, ty): (TableId, Ty),
        shape: &[i64],
        subscripts: &[ExprId],
        span: Span,
    ) -> Option<Val> {
        if subscripts.len() != shape.len() {
            let names: Vec<&str> = ["i", "j", "k", "l"].into_iter().cycle().take(shape.len()).collect();
            return self.fail_help(
                "E0252",
                format!("`{}` is a table of {}", base.name, super::counted(shape.len(), "dimension")),
                span,
                super::counted(subscripts.len(), "subscript"),
                format!("write a subscript for each, as in `{}[{}]`", base.name, names.join(", ")),
            );
        }
        // Where an element stands among all.
        let mut place: Option<Val> = None;
        for (&sub, &n) in subscripts.iter().zip(shape) {
            let v = self.subscript_of_table(base, n, shape.len(), sub)?;
            let b = self.builder();
            place = Some(match place {
                None => v,
                Some(rows) => {
                    let before = b.binary(BinaryOp::Mul, &rows, &Val::constant(Value::i64(n)));
                    b.binary(BinaryOp::Add, &before, &v)
                }
            });
        }
        let place = place?;
        let value = |k: usize| self.program.tables[id.0 as usize].values.get(k).copied();
        if let Some(k) = place.as_const().and_then(|c| usize::try_from(c.as_int()?).ok()) {
            // Literals stay literals: the element takes the type around it.
            return match ty.is_complex() {
                true => Some(Val::complex(Val::constant(value(2 * k)?), Val::constant(value(2 * k + 1)?))),
                false => value(k).map(Val::flex),
            };
        }
        let b = self.builder();
        if ty.is_complex() {
            // Its parts follow one another.
            let first = b.binary(BinaryOp::Mul, &place, &Val::constant(Value::i64(2)));
            let [re, im] = [0, 1].map(|part| {
                let at = b.binary(BinaryOp::Add, &first, &Val::constant(Value::i64(part)));
                let index = b.materialise(&at);
                Val::reg(b.emit(ty.part(), Op::Table { table: id, index }), ty.part())
            });
            return Some(Val::complex(re, im));
        }
        let index = b.materialise(&place);
        Some(Val::reg(b.emit(ty, Op::Table { table: id, index }), ty))
    }

    /// A subscript that is proved to lie in `0..n`, or checked when the program runs.
    fn subscript_of_table(&mut self, base: &Ident, n: i64, rank: usize, sub: ExprId) -> Option<Val> {
        let mut v = self.expr_as(sub, Ty::I64)?;
        let at = self.span(sub);
        if self.known_range(&v).is_none() && !self.generic {
            v = self.checked_subscript(v, base, n, at)?;
        }
        match self.known_range(&v) {
            _ if self.generic => {}
            None if self.builder().nest => v = self.checked_in_place(v, base, n, at),
            None => v = self.checked_behind(v, base, n, at),
            Some(r) if !r.is_empty() && (r.lo < 0 || r.hi > n) => {
                let worst = if r.lo < 0 { r.lo } else { r.hi - 1 };
                let text = self.sources.text(at).to_string();
                let has = match rank {
                    1 => format!("the table has {}", super::counted(n as usize, "element")),
                    _ => format!("the table has {n} there"),
                };
                let (message, label) = match v.as_const() {
                    Some(_) => (format!("the table `{}` has no element {worst}", base.name), has),
                    None => (
                        format!("subscript `{text}` of the table `{}` reaches {worst}", base.name),
                        format!("runs over {}..{}, {has}", r.lo, r.hi),
                    ),
                };
                let help = "restrict the index, take it `mod` the number of elements, or guard the read (`if … { … } else { … }`)";
                return self.fail_help("E0302", message, at, label, help);
            }
            Some(_) => {}
        }
        Some(v)
    }
}
