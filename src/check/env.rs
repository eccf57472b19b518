//! Names in scope: a chain of bindings that closures can keep.

use crate::check::emit::Val;
use crate::check::partial::Partial;
use crate::ir::kernel::{ArrayId, Reg, ScalarId, TableId};
use crate::ir::program::Placement;
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::ExprId;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a local name means.
#[derive(Clone, Debug)]
pub enum Local {
    /// An immutable value: `let`, an index, an extent, an argument.
    Val(Val),
    /// A `var` of a block expression.
    Var(Reg, Ty),
    /// A `var` of a workflow.
    Slot(ScalarId, Ty),
    Array(ArrayId),
    /// A result that has no value yet.
    Unset(Span),
    /// A workflow's kernel parameter.
    Kernel(Rc<Partial>),
    /// A type variable, which stands for the type of an argument.
    Type(Ty),
    /// Its declaration was wrong: uses are not reported again.
    Broken,
    /// `let flux[k, i] = …`: expanded where it is read.
    Indexed(Rc<IndexedLet>),
}

/// An intermediate indexed like an array.
#[derive(Debug)]
pub struct IndexedLet {
    pub module: usize,
    pub indices: Vec<String>,
    pub body: ExprId,
    pub env: Env,
    pub ty: Option<Ty>,
    pub span: Span,
}

/// A chain of bindings, the latest first.
#[derive(Clone, Debug, Default)]
pub struct Env(Option<Rc<Node>>);

#[derive(Debug)]
struct Node {
    name: String,
    local: Local,
    parent: Env,
}

impl Env {
    /// This chain with one more binding in front.
    pub fn with(&self, name: &str, local: Local) -> Env {
        Env(Some(Rc::new(Node { name: name.to_string(), local, parent: self.clone() })))
    }

    /// Whether this is that very chain.
    pub fn is(&self, other: &Env) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    pub fn find(&self, name: &str) -> Option<&Local> {
        let mut at = self;
        while let Some(node) = &at.0 {
            if node.name == name {
                return Some(&node.local);
            }
            at = &node.parent;
        }
        None
    }

    /// All names in scope, the latest first.
    pub fn names(&self) -> Vec<&str> {
        let (mut at, mut out) = (self, vec![]);
        while let Some(node) = &at.0 {
            out.push(node.name.as_str());
            at = &node.parent;
        }
        out
    }
}

/// What a name at the top of a module means.
#[derive(Clone, Debug)]
pub enum Global {
    Const(Val),
    /// With its extents.
    Table(TableId, Ty, Vec<i64>),
    Partition(Placement),
    Array(ArrayId),
    /// Module and item index of a declaration.
    Fn(usize, usize),
    Kernel(usize, usize),
    Workflow(usize, usize),
    /// Declared, but its declaration was wrong: uses are not reported again.
    Broken,
}

/// The top-level names of one module with the place of their declaration.
pub type Globals = BTreeMap<String, (Global, Span)>;
