//! Every executor gives the bits that the naive interpreter gives, however the domain is split.

mod generate;
mod oracle;

use generate::{Case, Rng};
use mgpu::ir::index_box::{IndexBox, Interval};
use mgpu::ir::kernel::*;
use mgpu::ir::ty::{Ty, Value};
use mgpu::runtime::device::{Executor, Partial, native::Native, vm::Vm};
use oracle::{Array, same};

/// Cuts a domain into parts at leaf boundaries.
fn split(rng: &mut Rng, nest: &Nest) -> Vec<IndexBox> {
    let mut parts = vec![nest.domain.clone()];
    for d in 0..nest.domain.rank() {
        let cut = rng.range(nest.domain.dims[d].lo, nest.domain.dims[d].hi + 1) & -nest.leaf[d];
        let halves = |p: &IndexBox| {
            [Interval::new(p.dims[d].lo, cut.min(p.dims[d].hi)), Interval::new(cut.max(p.dims[d].lo), p.dims[d].hi)]
                .into_iter()
                .filter(|i| !i.is_empty())
                .map(|i| {
                    let mut q = p.clone();
                    q.dims[d] = i;
                    q
                })
                .collect::<Vec<_>>()
        };
        parts = parts.iter().flat_map(halves).collect();
    }
    for i in (1..parts.len()).rev() {
        parts.swap(i, rng.below(i as u64 + 1) as usize);
    }
    parts
}

/// Runs nest `id` of an executor on parts and compares with the reference.
fn compare(executor: &dyn Executor, id: usize, case: &Case, parts: &[IndexBox], expected: &(Vec<Array>, Vec<Value>)) {
    let nest = &case.nest;
    let mut arrays = case.arrays.clone();
    let bindings: Vec<_> = arrays.iter_mut().map(Array::binding).collect();
    let ty = |r: &Reduction| nest.code.regs[r.value.0 as usize];
    let fresh = || nest.reductions.iter().map(|r| Partial::new(r.op, ty(r))).collect::<Vec<_>>();
    let mut totals = fresh();
    for part in parts {
        let mut partials = fresh();
        if let Err(e) = executor.run(id, part, &bindings, &case.scalars, &mut partials) {
            panic!("{} on {part}: {e}\n{nest:#?}", executor.name());
        }
        let (mut wire, mut at) = (vec![], 0);
        partials.iter_mut().for_each(|p| p.write(&mut wire));
        for (r, total) in nest.reductions.iter().zip(&mut totals) {
            total.merge_written(r.op, ty(r), &wire, &mut at);
        }
    }
    for (k, (a, b)) in arrays.iter().zip(&expected.0).enumerate() {
        if let Some((i, got, want)) = a.differs(b) {
            panic!("{}: operand {k} element {i}: {got:?}, not {want:?}\nparts {parts:?}\n{nest:#?}", executor.name());
        }
    }
    for (k, (r, total)) in nest.reductions.iter().zip(&mut totals).enumerate() {
        let (got, want) = (total.finish(ty(r)), expected.1[k]);
        assert!(
            got.bits == want.bits,
            "{}: reduction {k}: {got:?}, not {want:?}\nparts {parts:?}\n{nest:#?}",
            executor.name()
        );
    }
}

/// Native code in both of its ways to store, where there is a compiler.
fn native(nests: &[Nest], tables: &[Table]) -> Vec<Box<dyn Executor>> {
    let mut executors: Vec<Box<dyn Executor>> = vec![];
    let folder = tempfile::tempdir().unwrap();
    for bytes in [0, usize::MAX] {
        match Native::in_folder(nests, tables, folder.path()) {
            Ok(mut native) => {
                native.store_past_caches_from(bytes);
                executors.push(Box::new(native));
            }
            Err(e) if e.starts_with("no C compiler") => {}
            Err(e) => panic!("{e}"),
        }
    }
    executors
}

fn check_all(cases: &[Case], compile: bool, rng: &mut Rng) {
    let nests: Vec<Nest> = cases.iter().map(|c| c.nest.clone()).collect();
    let tables = generate::tables();
    let mut executors: Vec<Box<dyn Executor>> = vec![Box::new(Vm::new(&nests, &tables))];
    if compile {
        executors.extend(native(&nests, &tables));
    }
    for (id, case) in cases.iter().enumerate() {
        let mut arrays = case.arrays.clone();
        let values = oracle::run(&case.nest, &mut arrays, &case.scalars, &tables);
        let expected = (arrays, values);
        let parts = split(rng, &case.nest);
        for executor in &executors {
            compare(&**executor, id, case, std::slice::from_ref(&case.nest.domain), &expected);
            compare(&**executor, id, case, &parts, &expected);
        }
    }
}

#[test]
fn random_nests() {
    // `MGPU_TEST_SEED` and `MGPU_TEST_ROUNDS` search further.
    let number = |name, otherwise| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise);
    let mut rng = Rng(number("MGPU_TEST_SEED", 20261122));
    for round in 0..number("MGPU_TEST_ROUNDS", 40) {
        let cases: Vec<Case> = (0..50).map(|i| generate::case(&mut rng, 4 + i)).collect();
        // Compiling is what takes the time.
        check_all(&cases, round % 4 == 0, &mut rng);
    }
}

/// `out[i] = op(a[i], b[i], c[i])` on awkward values.
fn one_op(rng: &mut Rng, types: &[Ty], result: Ty, op: impl Fn(&[Reg]) -> Op) -> Case {
    let domain = IndexBox::new(vec![Interval::new(-3, 300)]);
    let mut nest = Nest {
        name: "one".into(),
        span: generate::span(),
        domain: domain.clone(),
        operands: vec![],
        accesses: vec![],
        code: Code::default(),
        stores: vec![],
        reductions: vec![],
        checks: vec![],
        only: vec![],
        leaf: vec![16],
    };
    let here = vec![Affine::sym(Sym::Dim(0))];
    let mut arrays = vec![];
    for (k, &ty) in types.iter().chain([&result]).enumerate() {
        let written = k == types.len();
        nest.operands.push(Operand { array: ArrayId(k as u32), ty, rank: 1, written });
        let mut array = Array::new(ty, domain.clone(), 0);
        (0..array.len()).for_each(|i| array.set(i, rng.value(ty).bits));
        arrays.push(array);
        nest.code.regs.push(ty);
        let (dst, operand) = (Reg(k as u32), OperandId(k as u32));
        if written {
            let regs: Vec<Reg> = (0..k as u32).map(Reg).collect();
            nest.code.body.push(Inst::Op { dst, op: op(&regs) });
            nest.stores.push(Store { operand, index: here.clone(), value: dst });
        } else {
            nest.code.body.push(Inst::Op { dst, op: Op::Load(AccessId(k as u32)) });
            let (index, within) = (here.clone(), domain.clone());
            nest.accesses.push(Access {
                operand,
                index,
                within,
                counters: vec![],
                checks: vec![],
                span: generate::span(),
            });
        }
    }
    Case { nest, arrays, scalars: vec![] }
}

#[test]
fn every_operation_of_every_type() {
    use BinaryOp::*;
    let mut rng = Rng(5);
    let mut cases = vec![];
    for ty in Ty::ALL {
        for &op in generate::unary_ops(ty) {
            cases.push(one_op(&mut rng, &[ty], ty, |r| Op::Unary(op, r[0])));
        }
        for &op in generate::binary_ops(ty) {
            cases.push(one_op(&mut rng, &[ty, ty], ty, |r| Op::Binary(op, r[0], r[1])));
        }
        for op in [Eq, Ne, Lt, Le, Gt, Ge].into_iter().filter(|_| !ty.is_half()) {
            cases.push(one_op(&mut rng, &[ty, ty], Ty::Bool, |r| Op::Binary(op, r[0], r[1])));
        }
        for to in Ty::ALL.into_iter().filter(|to| generate::converts(ty, *to)) {
            cases.push(one_op(&mut rng, &[ty], to, |r| Op::Cast(r[0])));
        }
        cases.push(one_op(&mut rng, &[Ty::Bool, ty, ty], ty, |r| Op::Select(r[0], r[1], r[2])));
        if ty.is_float() && !ty.is_half() {
            cases.push(one_op(&mut rng, &[ty, ty, ty], ty, |r| Op::Fma(r[0], r[1], r[2])));
        }
    }
    check_all(&cases, true, &mut rng);
}

#[test]
fn reads_outside_are_reported_in_debug_builds() {
    let mut rng = Rng(9);
    let mut case = one_op(&mut rng, &[Ty::F32], Ty::F32, |r| Op::Copy(r[0]));
    case.nest.accesses[0].index[0].konst = 1;
    let vm = Vm::new(std::slice::from_ref(&case.nest), &[]);
    let bindings: Vec<_> = case.arrays.iter_mut().map(Array::binding).collect();
    let result = vm.run(0, &case.nest.domain, &bindings, &[], &mut []);
    if cfg!(debug_assertions) {
        assert!(result.unwrap_err().contains("`one` reads operand 0 at 300"));
    }
    assert!(same(Value::f32(f32::NAN), Value::f32(-f32::NAN)));
}
