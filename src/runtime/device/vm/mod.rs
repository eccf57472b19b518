//! The block machine: runs nests as bytecode over strips of points. It needs nothing but Rust, works everywhere, and is
//! the reference for the other executors.

mod analyse;
mod compile;
mod fold;
mod frame;
mod kernels;
mod memory;
mod program;
mod run;

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{Nest, Table};
use crate::runtime::device::vm::program::Program;
use crate::runtime::device::{Binding, Executor, Partial, leaf};

/// A constant table with its elements' bytes.
pub(crate) struct TableBytes {
    table: Table,
    bytes: Vec<u8>,
}

/// The nests of a program, compiled.
pub struct Vm {
    programs: Vec<Result<Program, String>>,
    tables: Vec<TableBytes>,
}

impl Vm {
    /// Compiles all nests; one that cannot be compiled reports so when it is run.
    pub fn new(nests: &[Nest], tables: &[Table]) -> Vm {
        let bytes = |t: &Table| {
            let mut bytes: Vec<u8> =
                t.values.iter().flat_map(|v| v.bits.to_le_bytes().into_iter().take(t.ty.size())).collect();
            // An empty table still has an entry for points that do not run.
            bytes.resize(bytes.len().max(8), 0);
            bytes
        };
        Vm {
            programs: nests.iter().map(compile::compile).collect(),
            tables: tables.iter().map(|t| TableBytes { table: t.clone(), bytes: bytes(t) }).collect(),
        }
    }
}

impl Executor for Vm {
    fn name(&self) -> &str {
        "block machine"
    }

    fn run(
        &self,
        nest: usize,
        part: &IndexBox,
        bindings: &[Binding],
        scalars: &[u64],
        partials: &mut [Partial],
    ) -> Result<(), String> {
        let program = self.programs.get(nest).ok_or_else(|| format!("there is no nest number {nest}"))?;
        let program = program.as_ref().map_err(Clone::clone)?;
        if part.is_empty() {
            return Ok(());
        }
        if bindings.len() != program.operands || partials.len() != program.folds.len() {
            return Err(format!("`{}` is called with the wrong number of operands or reductions", program.name));
        }
        frame::with(|frame| {
            let mut call = run::Call { program, frame, bindings, scalars, tables: &self.tables, partials };
            call.open(part);
            leaf::walk(part, &program.leaf, program.ordered, &mut call)
        })
        .unwrap_or_else(|| Err(format!("`{}` is run from within another nest", program.name)))
    }
}
