//! Two products that share a matrix as one kernel (`pair.cu`), and the nest that rides along: see [`crate::ir::pair`].
//!
//! The kernel takes the arguments of all nests. What the second and the third one do stands in functions with their own parameters, as
//! all count points, pointers and registers from 0.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, Surroundings, c_const, c_ty};
use crate::codegen::cuda::Placed;
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::contraction::{Generator, around, code, registers};
use crate::ir::contraction::Chain;
use crate::ir::kernel::{AccessId, Inst, Nest, Op, OperandId, Reg, ScalarId, Sym};
use crate::ir::pair;
use crate::ir::ty::Ty;

/// The text in front of units with pairs; behind that of products.
pub const PRELUDE: &str = include_str!("pair.cu");

/// A kernel for two or three nests. Its arguments are those of the first one's product, those of the second's, those of the rider's fast
/// kernel, and whether it rides.
#[derive(Clone, Debug)]
pub struct Pair {
    pub first: usize,
    pub second: usize,
    pub name: String,
    pub threads: u32,
    /// Bytes of shared memory that a launch gives, or all there are.
    pub shared: u32,
    pub pair: pair::Pair,
    pub rider: Option<Rider>,
}

/// The nest that rides along.
#[derive(Clone, Debug)]
pub struct Rider {
    pub nest: usize,
    pub chain: Chain,
    /// `r` as its operand, and how many arguments it has.
    pub read: OperandId,
    pub words: usize,
}

/// Appends the kernel of two nests, if they are a pair whose factors lie as it wants them; `behind` is the nest that follows.
pub fn write(
    out: &mut String,
    (first, second): (usize, usize),
    behind: Option<usize>,
    nests: &[Placed],
    moving: &BTreeSet<ScalarId>,
) -> Option<Pair> {
    let (a, b) = (&nests[first], &nests[second]);
    let pair = pair::of(a.nest, b.nest)?;
    let one = Generator { w: Writer::new(a, moving), c: &pair.first };
    let two = Writer::new(b, moving);
    let plain = |p: &Placed| p.folds.iter().flatten().all(Option::is_none);
    if !plain(a) || !plain(b) || !two.scalars().is_disjoint(moving) {
        return None;
    }
    let rider = behind.and_then(|n| {
        let (chain, read) = pair::rider(a.nest, b.nest, &pair, nests[n].nest)?;
        let w = Writer::new(&nests[n], moving);
        (plain(&nests[n]) && w.scalars().is_disjoint(moving)).then(|| Rider {
            nest: n,
            chain,
            read,
            words: w.words().len(),
        })
    });

    // The second nest: its terms, and what becomes of a sum.
    let then = Arguments::of(&two, "then_");
    let chain = &pair.second.chain;
    let _ = writeln!(out, "FN void mgpu_terms_{second}({}, i64 x0, i64 &from, i64 &to) {{", then.declared);
    registers(out, b.nest, &chain.bounds, 4);
    out.push_str(&code(&two, &chain.bounds, 1));
    let _ = writeln!(out, "    from = r{}, to = r{};\n}}", chain.from.0, chain.to.0);
    let _ = writeln!(out, "FN void mgpu_result_{second}({}, i64 x0, i64 x1, i64 x2, f32 value) {{", then.declared);
    two.pointers(out);
    around(out, &two, chain, &[], 4);
    out.push_str("}\n");
    let riding = rider.as_ref().map(|r| {
        let w = Writer::new(&nests[r.nest], moving);
        write_rider(out, r, &w);
        Arguments::of(&w, "rider_")
    });

    let name = format!("mgpu_pair_{first}_{second}");
    let words = one.w.words();
    let mut parameters: Vec<String> = one.w.parameters(&words).into_iter().map(|(ty, name)| ty + &name).collect();
    parameters.push(then.prefixed);
    if let Some(r) = &riding {
        parameters.push(format!("{}, u64 rides", r.prefixed));
    }
    let threads = if rider.is_some() { 192 } else { 160 };
    let _ = writeln!(
        out,
        "extern \"C\" __global__ void __launch_bounds__({threads}, 2) {name}({}) {{",
        parameters.join(", ")
    );
    one.w.pointers(out);
    let _ = writeln!(out, "    typedef mg_pair<{}, MG_PAIR_ROWS, {}> Pair;", pair.terms, rider.is_some());
    let (rows, line) = (64, if pair.terms <= 64 { 64 } else { 128 });
    let shared = 4 * (3 * rows * line + 2 * rows * pair::MOST_COLUMNS + pair.terms * pair::MOST_COLUMNS) as u32;
    let _ = writeln!(out, "    static_assert(Pair::BYTES <= {shared} && Pair::THREADS == {threads}, \"\");");
    out.push_str("    extern __shared__ __align__(16) u8 room[];\n");
    // The rows behind the last block of the second nest, in blocks as long.
    let given = &then.given;
    let _ = writeln!(
        out,
        "    const i64 sums = then_hi0 - then_lo0;
    i64 block = (i64)blockIdx.x, from, to, length;
    mgpu_terms_{second}({given}, 0, from, to);
    length = to - from;
    if (block < sums) mgpu_terms_{second}({given}, block, from, to);
    else {{
        mgpu_terms_{second}({given}, sums - 1, from, to);
        from = to + (block - sums) * length;
        to = from + length < hi0 ? from + length : hi0;
    }}
    from -= lo0, to -= lo0;"
    );
    let whole = one.factor(out, "left", &pair.first.left, 0).replace(" + from", "");
    one.factor(out, "right", &pair.first.right, 1);
    let ahead = ahead(a.nest, &pair.first.chain);
    out.push_str("    struct Ahead {\n");
    for (r, _) in &ahead {
        let _ = writeln!(out, "        {} r{};", c_ty(a.nest.code.regs[r.0 as usize]), r.0);
    }
    out.push_str("    };\n    const auto ahead = [&](i64 x0, i64 x1) {\n        Ahead ahead;\n");
    for (r, access) in &ahead {
        let read = one.w.load(*access, &|r| format!("r{}", r.0));
        let _ = writeln!(out, "        ahead.r{} = {read};", r.0);
    }
    out.push_str("        return ahead;\n    };\n");
    out.push_str("    const auto results = [&](i64 x0, i64 x1, f32 value, const Ahead &ahead) {\n");
    let read: Vec<Reg> = ahead.iter().map(|a| a.0).collect();
    around(out, &one.w, &pair.first.chain, &read, 8);
    let _ = writeln!(out, "        return r{};\n    }};", a.nest.stores[pair.stored].value.0);
    let _ = writeln!(
        out,
        "    const auto then = [&](i64 x1, i64 x2, f32 value) {{ mgpu_result_{second}({given}, block, x1, x2, value); }};"
    );
    let mut start = "0".to_string();
    let mut bodies = [String::from("{ return 0; }"), String::from("{}")];
    let mut ty = "int";
    if let (Some(r), Some(args)) = (&rider, &riding) {
        start = c_const(r.chain.start?);
        ty = c_ty(r.chain.ty);
        let (n, given) = (r.nest, &args.given);
        bodies = [
            format!("{{ return rides ? mgpu_next_{n}({given}, block, c, i + lo0, value, sum) : sum; }}"),
            format!("{{\n        if (rides) mgpu_total_{n}({given}, block, c, sum);\n    }}"),
        ];
    }
    let _ = writeln!(out, "    const auto next = [&](i64 c, i64 i, f32 value, {ty} sum) -> {ty} {};", bodies[0]);
    let _ = writeln!(out, "    const auto total = [&](i64 c, {ty} sum) {};", bodies[1]);
    let _ = writeln!(
        out,
        "    Pair::run(room, left, right, ahead, results, then, ({ty}){start}, next, total, from, (int)(to - from), hi1 - lo1, {whole}, block < sums);\n}}"
    );
    Some(Pair { first, second, name, threads, shared, pair, rider })
}

/// The parameters of a nest's kernel: declared by their names, declared with a prefix, and handed on by those.
struct Arguments {
    declared: String,
    prefixed: String,
    given: String,
}

impl Arguments {
    fn of(w: &Writer, prefix: &str) -> Arguments {
        let all = w.parameters(&w.words());
        let list = |f: &dyn Fn(&(String, String)) -> String| all.iter().map(f).collect::<Vec<_>>().join(", ");
        Arguments {
            declared: list(&|(ty, name)| format!("{ty}{name}")),
            prefixed: list(&|(ty, name)| format!("{ty}{prefix}{name}")),
            given: list(&|(_, name)| format!("{prefix}{name}")),
        }
    }
}

/// What the code around a chain reads at its own point: the register and the access of each.
fn ahead(nest: &Nest, chain: &Chain) -> Vec<(Reg, AccessId)> {
    let body = nest.code.body[..chain.at].iter().chain(&nest.code.body[chain.at + 1..]);
    let own = |i: &Inst| match i {
        Inst::Op { dst, op: Op::Load(a) } => {
            let mut terms = nest.accesses[a.0 as usize].index.iter().flat_map(|x| &x.terms);
            (!terms.any(|t| matches!(t.0, Sym::Counter(_)))).then_some((*dst, *a))
        }
        _ => None,
    };
    body.filter_map(own).collect()
}

/// Appends a rider's functions: the sum behind one more element of `r`, and what becomes of a sum.
fn write_rider(out: &mut String, r: &Rider, w: &Writer) {
    let (n, c, ty) = (r.nest, &r.chain, c_ty(r.chain.ty));
    let declared = Arguments::of(w, "").declared;
    let acc = c.acc.0;
    let _ = writeln!(
        out,
        "FN {ty} mgpu_next_{n}({declared}, i64 x0, i64 x1, i64 r{}, f32 element, {ty} r{acc}) {{",
        c.counter.0
    );
    let riding = Riding(w);
    for (k, f) in c.terms.iter().enumerate() {
        let _ = writeln!(out, "    {} term{k};\n    {{", c_ty(w.nest.code.regs[f.value.0 as usize]));
        registers(out, w.nest, &f.code, 8);
        let names = (0..w.nest.code.regs.len()).map(|i| format!("r{i}")).collect();
        out.push_str(&Body::new(&riding, names, 2).write(&f.code));
        let _ = writeln!(out, "        term{k} = r{};\n    }}", f.value.0);
    }
    for (k, f) in c.terms.iter().enumerate() {
        // A square has one register for both terms.
        if k == 0 || f.value != c.terms[0].value {
            let _ = writeln!(out, "    const {} r{} = term{k};", c_ty(w.nest.code.regs[f.value.0 as usize]), f.value.0);
        }
    }
    let step = Inst::Op { dst: c.acc, op: c.next.clone() };
    out.push_str(&code(w, std::slice::from_ref(&step), 1));
    let _ = writeln!(out, "    return r{acc};\n}}");
    let _ = writeln!(out, "FN void mgpu_total_{n}({declared}, i64 x0, i64 x1, {ty} value) {{");
    w.pointers(out);
    around(out, w, c, &[], 4);
    out.push_str("}\n");
}

/// A rider finds the elements of `r` in a register.
struct Riding<'a>(&'a Writer<'a>);

impl Surroundings for Riding<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.0.ty(r)
    }
    fn load(&self, _: AccessId, _: &dyn Fn(Reg) -> String) -> String {
        "element".into()
    }
    fn index(&self, dim: usize) -> String {
        self.0.index(dim)
    }
    fn scalar(&self, id: ScalarId) -> String {
        self.0.scalar(id)
    }
}
