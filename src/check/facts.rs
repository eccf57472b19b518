//! What the checker found out about the expressions of the main module, for editors.

use super::emit::Val;
use crate::ir::ty::{Ty, Value};
use crate::source::{FileId, Span};
use std::collections::HashMap;

/// Types, and values where they are known before the run and the same at every call.
#[derive(Debug, Default)]
pub struct Facts {
    values: HashMap<Span, (Ty, Option<Value>)>,
}

impl Facts {
    /// What is known about the expression at a place.
    pub fn at(&self, span: Span) -> Option<(Ty, Option<Value>)> {
        self.values.get(&span).copied()
    }

    pub(super) fn note(&mut self, span: Span, v: &Val) {
        if span.file != FileId(0) {
            return;
        }
        let now = (v.ty, v.as_const());
        let known = self.values.entry(span).or_insert(now);
        if known.1 != now.1 {
            known.1 = None;
        }
    }
}
