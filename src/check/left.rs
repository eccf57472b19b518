//! The left sides of equations: which names are indices, what they run over, and which element each point writes.

use super::Checker;
use super::emit::{Builder, Val, ValKind};
use super::env::{Global, Local};
use super::infer::children;
use super::narrow::Narrowing;
use super::subscript::Checked;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, ScalarId, Sym};
use crate::ir::ty::Ty;
use crate::source::{FileId, Span};
use crate::syntax::ast::{BinaryOp, Clause, ExprId, ExprKind, Range, Target};

/// The left side of an equation.
pub(super) struct Left {
    pub target: Target,
    pub name: String,
    pub array: ArrayId,
    /// Where the elements go: another array, where those that the equation does not name are kept.
    pub into: ArrayId,
    pub subs: Vec<ExprId>,
    pub shape: Vec<i64>,
}

impl Left {
    /// Whether the equation defines a kernel's result, which has no earlier contents.
    pub fn defines(&self) -> bool {
        self.array == self.into
    }
}

/// An index of an equation with its range.
#[derive(Clone)]
pub(super) struct Index {
    pub name: String,
    pub from: i64,
    pub count: i64,
    pub by: i64,
    pub only: Only,
}

/// Where in its range an index is meant.
#[derive(Clone)]
pub(super) enum Only {
    Everywhere,
    /// At one place, which the program finds when it runs: its scalar, the subscript on the left that says so, and what
    /// that is made of.
    At(Val, usize, Option<Affine>),
    /// In a range whose ends change while the program runs, or with other indices.
    In(Range),
}

impl Index {
    pub fn plain(name: &str, (from, count, by): (i64, i64, i64)) -> Index {
        Index { name: name.to_string(), from, count, by, only: Only::Everywhere }
    }

    /// The index as a function of its dimension of the domain, and that dimension.
    pub fn affine(&self, d: usize) -> (Affine, Interval) {
        if self.by == 1 {
            return (Affine::sym(Sym::Dim(d)), Interval::new(self.from, self.from + self.count));
        }
        (Affine { konst: self.from, terms: vec![(Sym::Dim(d), self.by)] }, Interval::new(0, self.count))
    }
}

impl Checker<'_> {
    /// The indices of an equation, in the order of the subscripts.
    pub(super) fn indices(&mut self, left: &Left, clause: &Clause) -> Option<Vec<Index>> {
        let names = self.left_indices(left, clause)?;
        let ranges = match clause {
            Clause::For(list) => list.as_slice(),
            _ => &[],
        };
        if let Some((extra, _)) = ranges.iter().find(|(i, _)| !names.contains(&i.name)) {
            return self.fail_help(
                "E0271",
                format!("`{}` is not an index of the left side", extra.name),
                extra.span,
                "ranged here",
                "name an index of the left side; a reduction has its range in its brackets, as in `sum[k in 0..n] …`",
            );
        }
        // In the order of the subscripts; ranges that follow other indices are looked at when those are known.
        let range_of = |name: &String| ranges.iter().find(|(i, _)| i.name == *name).map(|r| &r.1);
        let mut found: Vec<(usize, Index)> = vec![];
        let mut later = vec![];
        for k in 0..left.subs.len() {
            let here: Vec<&String> = names.iter().filter(|n| self.mentions(left.subs[k], n)).collect();
            if here.is_empty() {
                found.extend(self.picked(left, k)?.map(|i| (k, i)));
            }
            for name in here {
                if found.iter().any(|f| f.1.name == *name) {
                    continue;
                }
                let range = range_of(name);
                let follows = |r: &Range| names.iter().any(|n| self.mentions(r.from, n) || self.mentions(r.to, n));
                match range.filter(|r| follows(r)) {
                    Some(r) => later.push((k, name, r)),
                    None => found.push((k, self.index_range(name, range, &names, left)?)),
                }
            }
        }
        for (k, name, range) in later {
            if !found.iter().any(|f| f.1.name == *name) {
                let index = self.following_range(name, range, &found, left)?;
                found.push((k, index));
            }
        }
        found.sort_by_key(|f| f.0);
        Some(found.into_iter().map(|f| f.1).collect())
    }

    /// Whether a name stands somewhere in an expression.
    pub(super) fn mentions(&self, id: ExprId, name: &str) -> bool {
        let ast = self.modules[self.module].ast.clone();
        matches!(&ast.expr(id).kind, ExprKind::Name(n) if n == name)
            || children(&ast, id).into_iter().any(|c| self.mentions(c, name))
    }

    /// The names on the left that are not bound yet, in order: the indices.
    pub(super) fn left_indices(&mut self, left: &Left, clause: &Clause) -> Option<Vec<String>> {
        let mut names: Vec<String> = vec![];
        let ast = self.ast();
        for &s in &left.subs {
            let mut stack = vec![s];
            while let Some(id) = stack.pop() {
                stack.extend(children(&ast, id).into_iter().rev());
                let ExprKind::Name(name) = &ast.expr(id).kind else { continue };
                let ranged = matches!(clause, Clause::For(list) if list.iter().any(|(i, _)| i.name == *name));
                if !ranged && self.bound_on_the_left(name, id == s, ast.expr(id).span)? {
                    continue;
                }
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        Some(names)
    }

    /// Whether a name on the left already means something; `None`: it may not stand there alone, which was reported.
    fn bound_on_the_left(&mut self, name: &str, alone: bool, span: Span) -> Option<bool> {
        if let Some(local) = self.env.find(name) {
            let value = if let Local::Val(v) = local { v.as_const().map(|c| c.to_string()) } else { None };
            if let Some(n) = value.filter(|_| alone)
                && self.extent_names.iter().any(|e| e == name)
            {
                let picks = if self.generic {
                    "this would pick one element".into()
                } else {
                    format!("this would pick element {n}")
                };
                return self.fail_help(
                    "E0270",
                    format!("`{name}` is an extent, so it is not an index here"),
                    span,
                    picks,
                    "use another letter for the index; to pick one element write `0 + …` or a number",
                );
            }
            return Some(true);
        }
        if matches!(self.modules[self.module].globals.get(name), Some((Global::Const(_), _))) {
            if !alone {
                return Some(true);
            }
            return self.fail_help(
                "E0270",
                format!("`{name}` is declared at the top, so it is not an index here"),
                span,
                "this would pick one element",
                "use another letter for the index",
            );
        }
        Some(matches!(name, "ranks" | "pi" | "inf"))
    }

    /// A subscript without an index that changes while the program runs: a dimension of which one place is meant.
    fn picked(&mut self, left: &Left, k: usize) -> Option<Option<Index>> {
        let (s, n) = (left.subs[k], left.shape[k]);
        let span = self.span(s);
        let v = self.expr_as(s, Ty::I64)?;
        if v.as_const().is_some() {
            return Some(None);
        }
        let (range, made_of) = (self.known_range(&v), v.as_affine());
        let v = self.in_slot(v, "")?;
        let text = self.sources.text(span).to_string();
        // Of a kernel's result its own name: the array may be that of the call.
        let name = &left.target.name.name;
        let (v, range) = match (range, &v.kind) {
            (Some(r), _) => (v, r),
            (None, ValKind::Slot(id)) => {
                let whole = Interval::new(0, n.max(1));
                let extent = format!("the extent is {n}");
                let what = Checked { text: &text, name, extent, from: 0, reach: 1 };
                (Val::slot(self.checked_scalar(*id, whole, what, span), Ty::I64), whole)
            }
            (None, _) => return None,
        };
        if !self.generic && (range.lo < 0 || range.hi > n) && !range.is_empty() {
            let worst = if range.lo < 0 { range.lo } else { range.hi - 1 };
            return self.fail_help(
                "E0304",
                format!("subscript `{text}` of `{name}` reaches {worst}"),
                span,
                format!("runs over {}..{}, the extent is {n}", range.lo, range.hi),
                "write an element that the array has, or guard the statement: `if … { … }`",
            );
        }
        // No name of the program: the subscript's text, for messages.
        let mut index = Index::plain(&format!("\u{1}{text}"), (range.lo, range.len(), 1));
        index.only = Only::At(v, k, made_of);
        Some(Some(index))
    }

    fn index_range(&mut self, name: &str, range: Option<&Range>, names: &[String], left: &Left) -> Option<Index> {
        let bare = left.subs.iter().position(|&s| matches!(self.node(s).kind, ExprKind::Name(n) if n == name));
        let Some(r) = range else {
            return match bare {
                Some(d) => Some(Index::plain(name, (0, left.shape[d], 1))),
                None => match self.strided_range(name, names, left) {
                    Some((from, count)) => Some(Index::plain(name, (from, count, 1))),
                    None => self.unknown_range(name, left),
                },
            };
        };
        let by = self.step(r)?;
        let (from, to) = (self.expr_as(r.from, Ty::I64)?, self.expr_as(r.to, Ty::I64)?);
        let known = |v: &Val| v.as_const().and_then(|c| c.as_int()).map(|i| i as i64);
        if let (Some(a), Some(b)) = (known(&from), known(&to)) {
            let n = (b - a).max(0);
            return Some(Index::plain(name, (a, n / by + i64::from(n % by != 0), by)));
        }
        let at = self.span(if known(&from).is_none() { r.from } else { r.to });
        let ends = self.known_range(&from).zip(self.known_range(&to));
        self.changing_range(name, r, by, ends, at, left)
    }

    /// The range of an index that follows others, which are known.
    fn following_range(&mut self, name: &str, r: &Range, found: &[(usize, Index)], left: &Left) -> Option<Index> {
        let by = self.step(r)?;
        let mut env = self.env.clone();
        let mut domain = vec![];
        for (d, (_, index)) in found.iter().enumerate() {
            let (value, range) = index.affine(d);
            domain.push(range);
            env = env.with(&index.name, Local::Val(Val::affine(value)));
        }
        let outer = std::mem::replace(&mut self.env, env);
        self.push_builder(Builder::new_nest(domain));
        let ends = self.expr_as(r.from, Ty::I64).zip(self.expr_as(r.to, Ty::I64));
        let hull = ends.as_ref().and_then(|(a, b)| self.known_range(a).zip(self.known_range(b)));
        self.builders.pop();
        self.env = outer;
        ends?;
        let at = self.span(r.to);
        self.changing_range(name, r, by, hull, at, left)
    }

    /// The hull of a range whose ends change between what `ends` says.
    fn changing_range(
        &mut self,
        name: &str,
        r: &Range,
        by: i64,
        ends: Option<(Interval, Interval)>,
        at: Span,
        left: &Left,
    ) -> Option<Index> {
        if left.defines() || by != 1 {
            let help = "choose on the right instead: `if … { … } else { … }`";
            let message = match by {
                1 => "the range of a kernel's equation must be known before the program runs",
                _ => "a range with a step must be known before the program runs",
            };
            return self.fail_help("E0221", message, at, "this end of the range changes", help);
        }
        let Some((from, to)) = ends else {
            return self.fail_help(
                "E0221",
                "the ends of this range are not known before the program runs",
                at,
                "this value changes while the program runs",
                "use literals, `param`s, extents, the indices of loops with known ranges, or choose on the right: `if … { … } else { … }`",
            );
        };
        let count = (to.hi - 1 - from.lo).max(0);
        let mut index = Index::plain(name, (from.lo, count, 1));
        index.only = Only::In(r.clone());
        Some(index)
    }

    /// What an index runs over that stands in one subscript, times a constant: all places that the array has.
    fn strided_range(&mut self, name: &str, names: &[String], left: &Left) -> Option<(i64, i64)> {
        let with: Vec<usize> = (0..left.subs.len()).filter(|&k| self.mentions(left.subs[k], name)).collect();
        let [k] = with[..] else { return None };
        let s = left.subs[k];
        if names.iter().any(|n| n != name && self.mentions(s, n)) || self.reads_arrays(s) {
            return None;
        }
        let env = self.env.with(name, Local::Val(Val::affine(Affine::sym(Sym::Dim(0)))));
        let outer = std::mem::replace(&mut self.env, env);
        self.push_builder(Builder::new_nest(vec![Interval::new(0, 1)]));
        let v = self.expr_as(s, Ty::I64);
        self.builders.pop();
        self.env = outer;
        let a = v?.as_affine()?;
        let [(Sym::Dim(0), c)] = a.terms[..] else { return None };
        let from = (-a.konst + c - 1).div_euclid(c);
        let to = (left.shape[k] - 1 - a.konst).div_euclid(c) + 1;
        (c > 0).then_some((from, (to - from).max(0)))
    }

    fn unknown_range<T>(&mut self, name: &str, left: &Left) -> Option<T> {
        let span = left.subs.first().map_or(Span::new(FileId(0), 0, 0), |&s| self.span(s));
        self.fail_help(
            "E0260",
            format!("the range of `{name}` is not known"),
            span,
            "it subscripts no dimension on its own",
            format!("write it: `for {name} in 0..…`"),
        )
    }

    /// The condition under which a point of the domain is meant, and what it says; `None`: everywhere.
    pub(super) fn only_where(&mut self, indices: &[Index]) -> Option<Option<(Val, Narrowing)>> {
        let (mut all, mut facts): (Option<Val>, Narrowing) = (None, vec![]);
        for (d, ix) in indices.iter().enumerate() {
            let i = ix.affine(d).0;
            let compared = match &ix.only {
                Only::Everywhere => continue,
                Only::At(v, ..) => vec![(BinaryOp::Eq, B::Eq, v.clone())],
                Only::In(r) => {
                    let (from, to) = (self.expr_as(r.from, Ty::I64)?, self.expr_as(r.to, Ty::I64)?);
                    vec![(BinaryOp::Ge, B::Ge, from), (BinaryOp::Lt, B::Lt, to)]
                }
            };
            for (op, code, v) in compared {
                if let (Some(a), Only::In(_)) = (v.as_affine(), &ix.only) {
                    facts.extend(self.compare_facts(&i, op, &a));
                }
                let c = self.builder().binary(code, &Val::affine(i.clone()), &v);
                all = Some(match all {
                    None => c,
                    Some(a) => self.builder().binary(B::And, &a, &c),
                });
            }
        }
        Some(all.map(|c| (c, facts)))
    }

    /// The scalars that the place of a point decides, where [`Checker::only_where`] holds.
    pub(super) fn picks(&self, indices: &[Index]) -> Vec<(ScalarId, Affine)> {
        let pick = |(d, ix): (usize, &Index)| match &ix.only {
            Only::At(_, _, Some(Affine { konst, terms })) => match terms[..] {
                [(Sym::Scalar(id), 1)] => Some((id, Affine { konst: -konst, terms: vec![(Sym::Dim(d), 1)] })),
                _ => None,
            },
            _ => None,
        };
        indices.iter().enumerate().filter_map(pick).collect()
    }

    /// The store's subscripts: each a constant or a multiple of one index of its own, inside the array.
    #[allow(clippy::type_complexity)]
    pub(super) fn left_subscripts(
        &mut self,
        left: &Left,
        indices: &[Index],
        domain: &[Interval],
    ) -> Option<(Vec<Affine>, Vec<(i64, i64, i64)>)> {
        let (mut index, mut dims, mut used) = (vec![], vec![], vec![false; domain.len()]);
        for (k, &s) in left.subs.iter().enumerate() {
            let span = self.span(s);
            let at = indices.iter().position(|i| matches!(i.only, Only::At(_, at, _) if at == k));
            if let Some(d) = at {
                used[d] = true;
                index.push(Affine::sym(Sym::Dim(d)));
                dims.push((domain[d].lo, domain[d].len(), 1));
                continue;
            }
            let v = self.expr_as(s, Ty::I64)?;
            let Some(a) = v.as_affine() else {
                return self.fail_help(
                    "E0272",
                    "a subscript on the left is a number, or one index times a positive constant",
                    span,
                    "not index arithmetic",
                    "accumulate at computed subscripts: `+=`; or put the arithmetic on the right side",
                );
            };
            let dim = match a.terms[..] {
                [] => (a.konst, 1, 1),
                [(Sym::Dim(d), c)] if c > 0 && !used[d] => {
                    used[d] = true;
                    (a.konst + c * domain[d].lo, domain[d].len(), c)
                }
                [(Sym::Dim(d), _)] if used[d] => {
                    let name = &indices[d].name;
                    return self.fail_help(
                        "E0272",
                        format!("`{name}` subscripts two dimensions on the left"),
                        span,
                        "for the second time",
                        "an index picks the place in one dimension; for a diagonal write `if i == j { … } else { … }` on the right",
                    );
                }
                _ => {
                    return self.fail_help(
                        "E0272",
                        "a subscript on the left is a number, or one index times a positive constant",
                        span,
                        "not such a subscript",
                        "put the arithmetic on the right side",
                    );
                }
            };
            self.left_in_bounds(left, k, &a, dim)?;
            index.push(a);
            dims.push(dim);
        }
        if let Some(d) = used.iter().position(|u| !u) {
            let span = left.subs.first().map_or(Span::new(FileId(0), 0, 0), |&s| self.span(s));
            return self.fail_help(
                "E0272",
                format!("`{}` does not subscript a dimension of its own on the left", indices[d].name),
                span,
                "left side",
                "use it in a subscript of its own, or write a number in its place",
            );
        }
        Some((index, dims))
    }

    fn left_in_bounds(&mut self, left: &Left, k: usize, a: &Affine, dim: (i64, i64, i64)) -> Option<()> {
        let (name, n, span) = (&left.name, left.shape[k], self.span(left.subs[k]));
        let last = dim.0 + (dim.1 - 1) * dim.2;
        if self.generic || dim.1 == 0 || (dim.0 >= 0 && last < n) {
            return Some(());
        }
        let text = self.sources.text(span).to_string();
        let worst = if dim.0 < 0 { dim.0 } else { last };
        if a.terms.is_empty() {
            return self.fail_help(
                "E0304",
                format!("`{name}` has no element {worst} to define"),
                span,
                format!("the extent is {n}"),
                "restrict the equation, as in `… for i in 0..n`",
            );
        }
        self.fail_help(
            "E0304",
            format!("subscript `{text}` of `{name}` reaches {worst}"),
            span,
            format!("the extent is {n}"),
            "let the range end earlier: `for … in …`",
        )
    }
}
