//! Names of the script: the program's where Python takes them, each only once.

use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// Words that a name of the program may not be in the script: Python's own, and those that the script uses.
const TAKEN: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "np", "MPI", "comm", "rank", "print",
    "range", "min", "max", "abs", "float", "int", "bool", "str", "zip", "slice", "tuple", "before", "after", "shift",
    "exchange", "gather", "box", "i", "j", "k", "l", "m", "i0", "i1", "j0", "j1", "k0", "k1", "l0", "l1", "m0", "m1",
];

/// The names given so far.
pub struct Names {
    taken: BTreeSet<String>,
    arrays: BTreeMap<ArrayId, String>,
    scalars: BTreeMap<ScalarId, String>,
}

impl Names {
    pub fn new() -> Names {
        let taken = TAKEN.iter().map(|t| t.to_string()).collect();
        Names { taken, arrays: BTreeMap::new(), scalars: BTreeMap::new() }
    }

    /// A name that nothing has yet.
    pub fn fresh(&mut self, wish: &str) -> String {
        let mut name: String = wish.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            name = format!("x{name}");
        }
        let mut out = name.clone();
        let mut n = 2;
        while !self.taken.insert(out.clone()) {
            out = if TAKEN.contains(&out.as_str()) { format!("{name}_") } else { format!("{name}{n}") };
            n += 1;
        }
        out
    }

    /// The name of an array: `u`, and `u_next` for the buffer that takes turns with it.
    pub fn array(&mut self, plan: &Plan, id: ArrayId) -> String {
        if let Some(known) = self.arrays.get(&id) {
            return known.clone();
        }
        let name = self.fresh(&plan.array(id).array.name.replace('\'', "_next"));
        self.arrays.insert(id, name.clone());
        name
    }

    /// The name of a scalar.
    pub fn scalar(&mut self, plan: &Plan, id: ScalarId) -> String {
        if let Some(known) = self.scalars.get(&id) {
            return known.clone();
        }
        let wish = plan.scalar_name(id);
        let name = self.fresh(if wish.is_empty() { "s" } else { &wish });
        self.scalars.insert(id, name.clone());
        name
    }
}
