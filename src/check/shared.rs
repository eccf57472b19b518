//! Values that a statement of the workflow names more than once: computed, and agreed on by the ranks, once.
//!
//! Nothing changes while the expressions of one statement are evaluated, so the same text with the same names in scope has the same
//! value.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::Env;
use super::infer::{children, own_exprs};
use crate::ir::ty::Ty;
use crate::syntax::ast::{Ast, Expr, ExprId, ExprKind, Stmt};
use std::collections::BTreeSet;

/// The expressions of one statement that stand in it several times, and the values that are known so far.
#[derive(Default)]
pub(super) struct Shared {
    texts: BTreeSet<String>,
    values: Vec<Known>,
}

struct Known {
    text: String,
    module: usize,
    /// Kept alive, so that no other scope takes its address.
    env: Env,
    expected: Option<Ty>,
    /// The statement list that computes it.
    depth: usize,
    value: Val,
}

/// Expressions whose value ranks have to agree on.
fn agreed(e: &Expr) -> bool {
    matches!(
        e.kind,
        ExprKind::Index { .. } | ExprKind::Call { .. } | ExprKind::Reduce { .. } | ExprKind::Combine { scan: None, .. }
    )
}

impl Checker<'_> {
    /// What a statement names several times.
    pub(super) fn shared_of(&self, s: &Stmt) -> Shared {
        let ast = self.modules[self.module].ast.clone();
        let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
        let mut all = own_exprs(s);
        while let Some(id) = all.pop() {
            all.extend(children(&ast, id));
            if agreed(ast.expr(id)) {
                let text = self.plain_text(&ast, id);
                if !once.insert(text.clone()) {
                    twice.insert(text);
                }
            }
        }
        Shared { texts: twice, values: vec![] }
    }

    fn plain_text(&self, ast: &Ast, id: ExprId) -> String {
        self.subscript_text(ast.expr(id).span)
    }

    /// The value of an expression that the statement names several times; `None` of the outer kind: it is none of these.
    pub(super) fn shared_value(&mut self, id: ExprId, expected: Option<Ty>) -> Option<Option<Val>> {
        if self.shared.texts.is_empty() || self.builder().nest || self.builder().conditional {
            return None;
        }
        let e = self.node(id);
        let pure = match &e.kind {
            ExprKind::Call { callee, .. } => self.gives_outcomes(callee) && !self.is_workflow(callee),
            _ => agreed(&e),
        };
        let ast = self.modules[self.module].ast.clone();
        let text = self.plain_text(&ast, id);
        if !pure || !self.shared.texts.contains(&text) || self.uses_registers(id) {
            return None;
        }
        let (module, env, depth) = (self.module, self.env.clone(), self.blocks.len());
        let same = |k: &&Known| {
            (k.module, k.depth, k.expected) == (module, depth, expected) && k.text == text && k.env.is(&env)
        };
        if let Some(known) = self.shared.values.iter().find(same) {
            return Some(Some(known.value.clone()));
        }
        // In scalar code of its own, so that the registers of the code being written stay.
        self.push_builder(Builder::new(vec![]));
        let texts = std::mem::take(&mut self.shared.texts);
        let v = self.expr_apart(id, expected);
        let v = v.and_then(|v| if v.is_known() { Some(v) } else { self.in_slot(v, "") });
        self.shared.texts = texts;
        self.builders.pop();
        if let Some(value) = v.clone() {
            self.shared.values.push(Known { text, module, env, expected, depth, value });
        }
        Some(v)
    }
}
