//! Tests: a `test` is a program of its own, with some of the parameters set.

use super::env::Env;
use super::{Checker, Expansion};
use crate::diag::Diagnostic;
use crate::syntax::ast::{ExprId, ItemKind, TestDecl};

impl Checker<'_> {
    /// The test that is checked in place of `main`.
    fn the_test(&self) -> Option<TestDecl> {
        match &self.modules[0].ast.items[self.test?].kind {
            ItemKind::Test(t) => Some(t.clone()),
            _ => None,
        }
    }

    /// Checks the statements of a test as a program's.
    pub(super) fn test_body(&mut self, item: usize) {
        let Some(t) = self.the_test() else { return };
        self.program.has_main = true;
        self.set_by_tests(&t);
        self.expanding.push(Expansion { item: (0, item), call: None });
        self.in_scope(0, Env::default(), |c| c.workflow_body(&t.body));
        self.drop_needless_clears();
        self.expanding.pop();
    }

    /// The value that the test gives to a parameter of the main module.
    pub(super) fn set_by_test(&self, param: &str) -> Option<ExprId> {
        let t = self.the_test().filter(|_| self.module == 0)?;
        t.with.iter().rev().find(|w| w.0.name == param).map(|w| w.1)
    }

    /// What `with` names are parameters.
    pub(super) fn set_by_tests(&mut self, t: &TestDecl) {
        let seen = self.params_seen.clone();
        for (name, _) in t.with.iter().filter(|w| !seen.contains(&w.0.name)) {
            let known = self.params_seen.iter().map(String::as_str);
            let near = crate::diag::did_you_mean(&name.name, known).map(|n| format!("did you mean `{n}`?"));
            let help = match self.params_seen.is_empty() {
                true => "the program has none".to_string(),
                false => format!("the program has {}", self.params_seen.join(", ")),
            };
            let message = format!("the program has no parameter `{}`", name.name);
            let d = Diagnostic::error("E0203", message, name.span, "set here");
            self.report(d.help(near.unwrap_or(help)));
        }
    }
}
