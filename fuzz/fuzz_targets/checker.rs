//! Any text that parses is checked and planned for three ranks, or refused with reports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mgpu::check::{Loader, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::ty::Ty;
use mgpu::source::SourceMap;

struct NoFiles;

impl Loader for NoFiles {
    fn source(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
    fn array(&self, _: &str) -> Result<(Ty, Vec<i64>), String> {
        Ok((Ty::F32, vec![5, 7]))
    }
}

fuzz_target!(|text: &str| {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("fuzz.mgpu", text);
    let Some(ast) = mgpu::syntax::parse::parse(id, text, &mut sink) else { return };
    let options = Options { params: &[], ranks: 3 };
    if let Some(program) = check(ast, &mut sources, &NoFiles, &options, &mut sink) {
        mgpu::planner::plan(program, 3, &mut sink);
    }
    for d in &sink.items {
        mgpu::diag::render::render(d, &sources, false);
    }
});
