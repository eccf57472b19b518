//! Any text parses to a tree or to reports: no panic, no overflow, no endless loop.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mgpu::diag::Sink;
use mgpu::source::SourceMap;

fuzz_target!(|text: &str| {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("fuzz.mgpu", text);
    mgpu::syntax::parse::parse(id, text, &mut sink);
    for d in &sink.items {
        mgpu::diag::render::render(d, &sources, false);
    }
});
