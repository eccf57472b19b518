//! Which expressions stand directly in a statement, a range or a block.

use super::ast::*;

/// The expressions of an index list's ranges.
pub fn index_list(indices: &[(Ident, Option<Range>)], f: &mut dyn FnMut(ExprId)) {
    indices.iter().filter_map(|i| i.1.as_ref()).for_each(|r| range(r, f));
}

/// The expressions of a range.
pub fn range(r: &Range, f: &mut dyn FnMut(ExprId)) {
    f(r.from);
    f(r.to);
    r.by.into_iter().for_each(f);
}

/// The expressions of a block's statements, and its value.
pub fn block(b: &Block, f: &mut dyn FnMut(ExprId)) {
    b.stmts.iter().for_each(|s| stmt(s, f));
    b.value.into_iter().for_each(f);
}

/// The expressions of a type's shape.
pub fn type_expr(t: &TypeExpr, f: &mut dyn FnMut(ExprId)) {
    t.shape.iter().flatten().for_each(|e| f(*e));
}

/// The expressions of an array declaration.
pub fn array(a: &ArrayDecl, f: &mut dyn FnMut(ExprId)) {
    let ArrayBody::Typed { ty, placement, edges, .. } = &a.body else { return };
    type_expr(ty, f);
    placement.iter().for_each(|p| self::placement(p, f));
    for e in edges {
        if let Edge::Constant(x, _) = e {
            f(*x);
        }
    }
}

/// The expressions of a placement.
pub fn placement(p: &Placement, f: &mut dyn FnMut(ExprId)) {
    let Placement::Dists { dists, over, .. } = p else { return };
    for (d, _) in dists {
        if let Dist::Cyclic(Some(e)) = d {
            f(*e);
        }
    }
    over.iter().flatten().flatten().for_each(|e| f(*e));
}

/// The printed texts and paths of a file.
pub fn templates(ast: &Ast, f: &mut dyn FnMut(&Template)) {
    for item in &ast.items {
        match &item.kind {
            ItemKind::Workflow(w) => block_templates(&w.body, f),
            ItemKind::Test(t) => block_templates(&t.body, f),
            ItemKind::Kernel(KernelDecl { body: KernelBody::Block(b), .. }) => block_templates(b, f),
            _ => {}
        }
    }
}

/// The statements of a block that hold no others, those within loops and choices included.
pub fn statements(b: &Block, f: &mut dyn FnMut(&Stmt)) {
    for s in &b.stmts {
        match &s.kind {
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => statements(body, f),
            StmtKind::If { then, otherwise, .. } => {
                statements(then, f);
                otherwise.iter().for_each(|b| statements(b, f));
            }
            _ => f(s),
        }
    }
}

fn block_templates(b: &Block, f: &mut dyn FnMut(&Template)) {
    statements(b, &mut |s| match &s.kind {
        StmtKind::Print { text: t }
        | StmtKind::Assert { why: Some(t), .. }
        | StmtKind::Load { path: t, .. }
        | StmtKind::Save { path: t, .. }
        | StmtKind::Plot { path: t, .. } => f(t),
        _ => {}
    });
}

/// The expressions of a text's holes.
pub fn template(t: &Template, f: &mut dyn FnMut(ExprId)) {
    for part in &t.parts {
        if let TemplatePart::Hole { value, over, .. } = part {
            f(*value);
            over.iter().for_each(|(_, r)| range(r, f));
        }
    }
}

/// The expressions of a statement, those of the statements within it included.
pub fn stmt(s: &Stmt, f: &mut dyn FnMut(ExprId)) {
    match &s.kind {
        StmtKind::Let { targets, ty, value } => {
            targets.iter().flat_map(|t| t.subscripts.iter().flatten()).for_each(|e| f(*e));
            ty.iter().for_each(|t| type_expr(t, f));
            f(*value);
        }
        StmtKind::Var { ty, value, .. } => {
            ty.iter().for_each(|t| type_expr(t, f));
            f(*value);
        }
        StmtKind::Assign { targets, value, clause, .. } => {
            targets.iter().flat_map(|t| t.subscripts.iter().flatten()).for_each(|e| f(*e));
            f(*value);
            if let Clause::For(binders) = clause {
                binders.iter().for_each(|(_, r)| range(r, f));
            }
        }
        StmtKind::For { range: r, body, .. } => {
            range(r, f);
            block(body, f);
        }
        StmtKind::While { cond, body } => {
            f(*cond);
            block(body, f);
        }
        StmtKind::If { cond, then, otherwise } => {
            f(*cond);
            block(then, f);
            otherwise.iter().for_each(|b| block(b, f));
        }
        StmtKind::Break => {}
        StmtKind::Print { text } => template(text, f),
        StmtKind::Assert { cond, why } => {
            f(*cond);
            why.iter().for_each(|t| template(t, f));
        }
        StmtKind::Expect { cond } => f(*cond),
        StmtKind::Load { path, .. } | StmtKind::Save { path, .. } | StmtKind::Plot { path, .. } => template(path, f),
        StmtKind::Array(a) => array(a, f),
        StmtKind::Expr(e) => f(*e),
    }
}
