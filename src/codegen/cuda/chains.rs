//! Long loops inside few elements: a block of threads for some columns, terms evaluated by all, added up by one thread a column.
//!
//! A loop inside an element is a chain: its rounds follow one another. Where elements are few, or where the terms of one lie
//! beside each other in memory, a thread that evaluates its own terms waits for memory in every round. Here eight warps evaluate
//! the terms of a panel, neighbouring threads neighbouring elements, while a ninth goes through the panel before (`chains.cu`).

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{c_const, c_ty};
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::contraction::{MULTIPROCESSORS, around, code, registers};
use crate::codegen::cuda::{Form, Kernel, Placed};
use crate::ir::contraction::{Chain, chain};
use crate::ir::kernel::{Inst, Op, ScalarId, Sym};

/// The text in front of units with such loops.
pub const PRELUDE: &str = include_str!("chains.cu");

/// Columns of a block of threads at most, a power of two; where there are more blocks than a GPU runs at one time, of several dimensions.
const MOST_COLUMNS: i64 = 16;
const MOST_ELEMENTS: i64 = 32;
const BLOCKS: i64 = 4 * MULTIPROCESSORS;
/// The warps that evaluate and the one that adds up.
const THREADS: u32 = 288;
/// From so many elements on, a thread for each keeps the memory busy, unless the terms of an element lie beside each other.
const MANY: i64 = 1 << 15;
/// A term of more operations is worth a thread of its own, where there are many elements.
const MOST_CODE: usize = 64;

/// The chain of a nest that runs in panels, whether terms lie beside each other, and whether they take much computing.
fn panels(placed: &Placed, w: &Writer) -> Option<(Chain, bool, bool)> {
    let c = chain(placed.nest)?;
    let last = placed.nest.domain.rank().checked_sub(1)?;
    let many = placed.extent.iter().try_fold(1i64, |n, e| n.checked_mul(*e)).is_none_or(|n| n >= MANY);
    let (mut terms, mut across, mut length) = (0, 0, 0);
    for f in &c.terms {
        length += f.code.len();
        for i in &f.code {
            let Inst::Op { op: Op::Load(a), .. } = i else { continue };
            let group = w.routes[a.0 as usize].0;
            terms += i64::from(w.step(group, Sym::Counter(c.counter)).abs() == 1);
            across += i64::from(w.step(group, Sym::Dim(last)).abs() == 1);
        }
    }
    let (along, large) = (terms > across, length > MOST_CODE);
    let fits = !c.limits.contains(&last) && terms + across > 0 && c.start.is_some();
    let worth = if many { along && !large } else { true };
    (fits && worth).then_some((c, along, large))
}

/// Appends the kernel of a nest whose elements are few long loops.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Option<Kernel> {
    let w = Writer::new(placed, moving);
    let (c, along, large) = panels(placed, &w)?;
    let nest = placed.nest;
    // The columns are the elements of the last dimension, or of the last ones from `first` on.
    let column = nest.domain.rank() - 1;
    let mut first = column;
    let mut many = placed.extent[column];
    let blocks = |first: usize| placed.extent[..first].iter().fold(1, |n: i64, e| n.saturating_mul(*e));
    while blocks(first) > BLOCKS
        && let Some(d) = first.checked_sub(1)
        && many * placed.extent[d] <= MOST_ELEMENTS
        && !c.limits.contains(&d)
        && (first..=column).all(|k| placed.even[k] == placed.extent[k])
    {
        (first, many) = (d, many * placed.extent[d]);
    }
    let most = if first < column { MOST_ELEMENTS } else { MOST_COLUMNS };
    let wide = (many.clamp(1, most) as u64).next_power_of_two();
    let (name, words) = (format!("mgpu_chains_{number}"), w.words());
    // Four blocks a multiprocessor, so that as many as there are of long reductions run at one time; a chain is bound by the latency of
    // its additions. Terms that take much computing may want the registers.
    let simple = c.terms.iter().map(|t| t.code.len()).sum::<usize>() < 24;
    let resident = if simple { 4 } else { 1 };
    w.head(out, &name, &words, &format!("__launch_bounds__({THREADS}, {resident})"));
    let (ty, count) = (c_ty(c.ty), c.terms.len());
    let _ = writeln!(out, "    typedef mg_chains<{ty}, {count}, {along}, {large}, {wide}> Chains;");
    out.push_str("    __shared__ Chains::Panel room[2];\n");
    let columns: Vec<String> = (first..=column).map(|d| format!("(hi{d} - lo{d})")).collect();
    let _ = writeln!(out, "    const i64 columns = {}, wide = (columns + {wide} - 1) / {wide};", columns.join(" * "));
    out.push_str("    i64 rest = blockIdx.x / wide;\n");
    for d in (0..first).rev() {
        let _ = writeln!(out, "    const i64 x{d} = rest % (hi{d} - lo{d}); rest /= hi{d} - lo{d};");
    }
    registers(out, nest, &c.bounds, 4);
    out.push_str(&code(&w, &c.bounds, 1));
    let _ = writeln!(out, "    const i64 from = r{}, to = r{};", c.from.0, c.to.0);
    // The numbers of an element among the columns.
    let mut at = String::new();
    for d in (first..=column).rev().filter(|_| first < column) {
        let outer = if d == first { String::new() } else { format!(" % {0}; rest /= {0}", placed.extent[d]) };
        let _ = writeln!(at, "        const i64 x{d} = rest{outer};");
    }
    let head = |name: &str, ty: &str| match first < column {
        true => format!("    const auto {name} = [&](i64 element, {ty}) {{\n        u32 rest = (u32)element;\n{at}"),
        false => format!("    const auto {name} = [&](i64 x{column}, {ty}) {{\n"),
    };
    out.push_str(&head("terms", &format!("i64 r{}, Chains::Terms &terms", c.counter.0)));
    for (k, f) in c.terms.iter().enumerate() {
        // Each in a scope of its own: they may share registers.
        out.push_str("        {\n");
        registers(out, nest, &f.code, 12);
        out.push_str(&code(&w, &f.code, 3));
        let _ = writeln!(out, "            terms.v[{k}] = r{};\n        }}", f.value.0);
    }
    out.push_str("    };\n");
    let _ = writeln!(out, "    const auto next = [&](i64, {ty} r{}, const Chains::Terms &terms) {{", c.acc.0);
    for (k, f) in c.terms.iter().enumerate() {
        // A square has one register for both terms.
        if k == 0 || f.value != c.terms[0].value {
            let _ = writeln!(out, "        const {ty} r{} = terms.v[{k}];", f.value.0);
        }
    }
    let step = Inst::Op { dst: c.acc, op: c.next.clone() };
    out.push_str(&code(&w, std::slice::from_ref(&step), 2));
    let _ = writeln!(out, "        return r{};\n    }};", c.acc.0);
    out.push_str(&head("results", &format!("{ty} value")));
    around(out, &w, &c, &[], 8);
    out.push_str("    };\n");
    let _ = writeln!(
        out,
        "    Chains::run(room, terms, next, results, {}, blockIdx.x % wide * {wide}, columns, from, to);\n}}",
        c_const(c.start?)
    );
    Some(Kernel { name, words, groups: w.groups, form: Form::Chains { first, columns: wide as i64, threads: THREADS } })
}
