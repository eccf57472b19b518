//! What elementary functions give: one value, by the instructions that the compiler makes of them, one after another. Their accuracy
//! has tests of its own (tests/math); here they are to be the same wherever they stand.

use crate::model::{ELEMENTARY, OF_TWO};
use mgpu::check::{NoFiles, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::kernel::{AccessId, Nest, Table};
use mgpu::ir::ty::{Ty, Value};
use mgpu::runtime::device::scalar::{Point, eval_at};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use std::collections::BTreeMap;
use std::sync::OnceLock;

type Known = BTreeMap<(&'static str, bool), (Nest, Vec<Table>)>;

/// The nests of `c[i] = f(a[i])` or `f(a[i], b[i])`, in f32 and f64.
fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let mut out = Known::new();
        for (f, args) in ELEMENTARY.iter().map(|f| (f, "a[i]")).chain(OF_TWO.iter().map(|f| (f, "a[i], b[i]"))) {
            for ty in ["f32", "f64"] {
                let text = format!("array a, b, c: {ty}[1]\nworkflow main {{ c[i] = {f}({args}) }}\n");
                let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
                let id = sources.add("elementary.mgpu", text.as_str());
                let options = Options { params: &[], ranks: 1 };
                let bound =
                    parse(id, &text, &mut sink).and_then(|t| check(t, &mut sources, &NoFiles, &options, &mut sink));
                let bound = bound.unwrap_or_else(|| panic!("{text}: {:?}", sink.items));
                out.insert((*f, ty == "f64"), (bound.nests[0].clone(), bound.tables.clone()));
            }
        }
        out
    })
}

/// The arguments, by the order of the arrays that are read.
struct Arguments<'a>(&'a Nest, &'a [Value]);

impl Point for Arguments<'_> {
    fn index(&mut self, _: usize) -> i64 {
        0
    }
    fn load(&mut self, access: AccessId, _: &[u64]) -> u64 {
        let operand = self.0.accesses[access.0 as usize].operand;
        self.1[self.0.operands[operand.0 as usize].array.0 as usize].bits
    }
}

/// The function of one or two floats of 4 or 8 bytes.
pub fn eval(f: &str, args: &[Value]) -> Value {
    let ty = args[0].ty;
    let name = ELEMENTARY.iter().chain(OF_TWO).find(|n| **n == f).unwrap_or_else(|| panic!("{f}"));
    let (nest, tables) = &known()[&(*name, ty == Ty::F64)];
    let mut regs = vec![];
    eval_at(&nest.code, &[], tables, &mut regs, &mut Arguments(nest, args));
    Value { ty, bits: regs[nest.stores[0].value.0 as usize] }
}
