//! Looking through expressions: which extents an index runs over, and what an expression depends on.

use super::Checker;
use super::emit::{Val, ValKind};
use super::env::{Env, Global, Local};
use crate::ir::kernel::Sym;
use crate::source::Span;
use crate::syntax::ast::{Ast, Block, Clause, ExprId, ExprKind, Ident, Range, Stmt, StmtKind, TemplatePart};

/// The direct subexpressions of an expression, those of statements in its blocks included.
pub(super) fn children(ast: &Ast, id: ExprId) -> Vec<ExprId> {
    let range = |r: &Range| [Some(r.from), Some(r.to), r.by].into_iter().flatten().collect::<Vec<_>>();
    match &ast.expr(id).kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Hole => vec![],
        ExprKind::Index { subscripts: list, .. } | ExprKind::Call { args: list, .. } => list.clone(),
        ExprKind::Tuple(list) | ExprKind::Table(list) => list.clone(),
        ExprKind::Unary { arg, .. } => vec![*arg],
        ExprKind::Binary { left, right, .. } => vec![*left, *right],
        ExprKind::If { cond, then, otherwise } => vec![*cond, *then, *otherwise],
        ExprKind::Block(b) => block_exprs(b),
        ExprKind::Reduce { indices, term, .. } | ExprKind::Scan { indices, term, .. } => {
            let mut out: Vec<ExprId> = indices.iter().filter_map(|i| i.1.as_ref()).flat_map(range).collect();
            out.push(*term);
            out
        }
        ExprKind::Combine { start, indices, term, .. } => {
            let mut out: Vec<ExprId> = indices.iter().filter_map(|i| i.1.as_ref()).flat_map(range).collect();
            out.extend([*start, *term]);
            out
        }
        ExprKind::Grad { call, .. } => vec![*call],
    }
}

fn block_exprs(block: &Block) -> Vec<ExprId> {
    let mut out: Vec<ExprId> = block.value.into_iter().collect();
    for s in &block.stmts {
        match &s.kind {
            StmtKind::Let { value, .. }
            | StmtKind::Var { value, .. }
            | StmtKind::Expr(value)
            | StmtKind::Expect { cond: value } => out.push(*value),
            StmtKind::Assign { targets, value, clause, .. } => {
                out.push(*value);
                out.extend(targets.iter().filter_map(|t| t.subscripts.as_ref()).flatten());
                if let Clause::For(list) = clause {
                    list.iter().for_each(|(_, r)| out.extend([r.from, r.to].into_iter().chain(r.by)));
                }
            }
            StmtKind::For { range, body, .. } => {
                out.extend([range.from, range.to].into_iter().chain(range.by));
                out.extend(block_exprs(body));
            }
            StmtKind::While { cond, body } => {
                out.push(*cond);
                out.extend(block_exprs(body));
            }
            StmtKind::If { cond, then, otherwise } => {
                out.push(*cond);
                out.extend(block_exprs(then));
                otherwise.iter().for_each(|b| out.extend(block_exprs(b)));
            }
            StmtKind::Assert { cond, why } => {
                out.push(*cond);
                out.extend(why.iter().flat_map(|t| template_exprs(&t.parts)));
            }
            StmtKind::Print { text: t }
            | StmtKind::Load { path: t, .. }
            | StmtKind::Save { path: t, .. }
            | StmtKind::Plot { path: t, .. } => {
                out.extend(template_exprs(&t.parts));
            }
            StmtKind::Break | StmtKind::Array(_) => {}
        }
    }
    out
}

/// The expressions of a statement itself, without those of the blocks in it.
pub(super) fn own_exprs(s: &Stmt) -> Vec<ExprId> {
    match &s.kind {
        StmtKind::For { range, .. } => [range.from, range.to].into_iter().chain(range.by).collect(),
        StmtKind::While { cond, .. } | StmtKind::If { cond, .. } => vec![*cond],
        _ => block_exprs(&Block { stmts: vec![s.clone()], value: None, span: s.span }),
    }
}

fn template_exprs(parts: &[TemplatePart]) -> Vec<ExprId> {
    let hole = |p: &TemplatePart| match p {
        TemplatePart::Hole { value, .. } => Some(*value),
        TemplatePart::Text(_) => None,
    };
    parts.iter().filter_map(hole).collect()
}

impl Checker<'_> {
    /// The extents of the dimensions that `index` subscripts on its own inside `term`, with the place of each.
    pub(super) fn extents_of(&self, term: ExprId, index: &str) -> Vec<(i64, Span)> {
        let mut out = vec![];
        self.find_extents(self.module, &self.env, term, index, 0, &mut out);
        out
    }

    fn find_extents(
        &self,
        module: usize,
        env: &Env,
        id: ExprId,
        index: &str,
        depth: usize,
        out: &mut Vec<(i64, Span)>,
    ) {
        let ast = self.modules[module].ast.clone();
        let e = ast.expr(id);
        if let ExprKind::Index { base, subscripts } = &e.kind {
            for (k, &s) in subscripts.iter().enumerate() {
                if !matches!(&ast.expr(s).kind, ExprKind::Name(n) if n == index) {
                    continue;
                }
                match env.find(&base.name) {
                    Some(Local::Array(a)) => {
                        out.extend(self.program.arrays[a.0 as usize].extents().get(k).map(|&n| (n, e.span)))
                    }
                    Some(Local::Indexed(def)) if depth < 64 => {
                        if let Some(inner) = def.indices.get(k) {
                            self.find_extents(def.module, &def.env, def.body, inner, depth + 1, out);
                        }
                    }
                    Some(_) => {}
                    None => match self.modules[module].globals.get(&base.name) {
                        Some((Global::Array(a), _)) => {
                            out.extend(self.program.arrays[a.0 as usize].extents().get(k).map(|&n| (n, e.span)))
                        }
                        Some((Global::Table(_, _, shape), _)) => out.extend(shape.get(k).map(|&n| (n, e.span))),
                        _ => {}
                    },
                }
            }
        }
        for child in children(&ast, id) {
            self.find_extents(module, env, child, index, depth, out);
        }
    }

    /// The first name that is subscripted inside `id` and means nothing, or belongs to a faulty declaration.
    pub(super) fn unknown_base(&self, id: ExprId) -> Option<Ident> {
        let ast = self.modules[self.module].ast.clone();
        if let ExprKind::Index { base, .. } = &ast.expr(id).kind
            && match self.env.find(&base.name) {
                Some(local) => matches!(local, Local::Broken),
                None => {
                    matches!(self.modules[self.module].globals.get(&base.name), None | Some((Global::Broken, _)))
                }
            }
        {
            return Some(base.clone());
        }
        children(&ast, id).into_iter().find_map(|c| self.unknown_base(c))
    }

    /// Whether an expression needs the element being computed: an index, a loop counter, a `var` or a value made of them.
    pub(super) fn needs_element(&self, id: ExprId) -> bool {
        self.depends(self.module, &self.env, id, &mut vec![], 0)
    }

    fn depends(&self, module: usize, env: &Env, id: ExprId, bound: &mut Vec<String>, depth: usize) -> bool {
        let ast = self.modules[module].ast.clone();
        let e = ast.expr(id);
        let mark = bound.len();
        let own = match &e.kind {
            ExprKind::Name(n) => !bound.contains(n) && matches!(env.find(n), Some(l) if local_varies(l)),
            ExprKind::Index { base, .. } => match env.find(&base.name) {
                Some(Local::Indexed(def)) if depth < 64 => {
                    self.depends(def.module, &def.env, def.body, &mut def.indices.clone(), depth + 1)
                }
                _ => false,
            },
            ExprKind::Reduce { indices, .. } => {
                bound.extend(indices.iter().map(|i| i.0.name.clone()));
                false
            }
            _ => false,
        };
        let out = own || children(&ast, id).into_iter().any(|c| self.depends(module, env, c, bound, depth));
        bound.truncate(mark);
        out
    }
}

fn local_varies(l: &Local) -> bool {
    match l {
        Local::Var(..) => true,
        Local::Val(Val { kind: ValKind::Reg(_), .. }) => true,
        Local::Val(Val { kind: ValKind::Parts(parts), .. }) => {
            [&parts.0, &parts.1].into_iter().any(|v| local_varies(&Local::Val(v.clone())))
        }
        Local::Val(Val { kind: ValKind::Affine(a), .. }) => a.terms.iter().any(|t| !matches!(t.0, Sym::Scalar(_))),
        _ => false,
    }
}
