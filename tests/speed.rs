//! Speed of the executors against plain C++ on one thread: `cargo test --release --test speed -- --ignored --nocapture`.

use std::process::Command;
use std::time::Instant;

use mgpu::ir::index_box::{IndexBox, Interval};
use mgpu::ir::kernel::*;
use mgpu::ir::ty::{Ty, Value};
use mgpu::runtime::device::{Binding, Executor, Partial, native::Native, vm::Vm};
use mgpu::source::{FileId, Span};

const BASELINE: &str = r#"
#include <cstdint>
extern "C" void triad(double *a, const double *b, const double *c, double s, int64_t n) {
    for (int64_t i = 0; i < n; i++) a[i] = b[i] + s * c[i];
}
extern "C" void stencil(float *v, const float *u, float c, int64_t n) {
    for (int64_t i = 1; i < n - 1; i++)
        for (int64_t j = 1; j < n - 1; j++)
            v[i * n + j] = u[i * n + j] + c * (u[(i - 1) * n + j] + u[(i + 1) * n + j] + u[i * n + j - 1]
                + u[i * n + j + 1] - 4.0f * u[i * n + j]);
}
extern "C" float squares(const float *x, int64_t n) {
    float s = 0;
    for (int64_t i = 0; i < n; i++) s += x[i] * x[i];
    return s;
}
extern "C" float squares_fast(const float *x, int64_t n) {
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < n; i++) s += x[i] * x[i];
    return s;
}
extern "C" void matmul(float *c, const float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            float s = 0;
            for (int64_t k = 0; k < n; k++) s += a[i * n + k] * b[k * n + j];
            c[i * n + j] = s;
        }
}
extern "C" void escape(int *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            float cr = -2.0f + j * (3.0f / n), ci = -1.5f + i * (3.0f / n), x = 0, y = 0;
            int k = 0;
            for (; k < 200; k++) {
                float xx = x * x, yy = y * y;
                if (xx + yy > 4.0f) break;
                y = 2.0f * x * y + ci;
                x = xx - yy + cr;
            }
            out[i * n + j] = k;
        }
}
extern "C" void transpose(float *v, const float *u, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) v[i * n + j] = u[j * n + i];
}
"#;

struct Builder {
    nest: Nest,
}

impl Builder {
    fn new(name: &str, domain: IndexBox, leaf: Vec<i64>) -> Builder {
        let nest = Nest {
            name: name.into(),
            span: span(),
            domain,
            operands: vec![],
            accesses: vec![],
            code: Code::default(),
            stores: vec![],
            reductions: vec![],
            checks: vec![],
            only: vec![],
            leaf,
        };
        Builder { nest }
    }
    fn operand(&mut self, ty: Ty, rank: usize, written: bool) -> OperandId {
        let array = ArrayId(self.nest.operands.len() as u32);
        self.nest.operands.push(Operand { array, ty, rank, written });
        OperandId(array.0)
    }
    fn reg(&mut self, ty: Ty) -> Reg {
        self.nest.code.regs.push(ty);
        Reg(self.nest.code.regs.len() as u32 - 1)
    }
    fn op(&mut self, ty: Ty, op: Op) -> Reg {
        let dst = self.reg(ty);
        self.nest.code.body.push(Inst::Op { dst, op });
        dst
    }
    fn bin(&mut self, ty: Ty, op: BinaryOp, a: Reg, b: Reg) -> Reg {
        self.op(ty, Op::Binary(op, a, b))
    }
    fn float(&mut self, x: f64) -> Reg {
        self.op(Ty::F32, Op::Const(Value::float(Ty::F32, x)))
    }
    fn access(&mut self, operand: OperandId, index: Vec<Affine>) -> Op {
        let within = self.nest.domain.clone();
        self.nest.accesses.push(Access { operand, index, within, counters: vec![], checks: vec![], span: span() });
        Op::Load(AccessId(self.nest.accesses.len() as u32 - 1))
    }
    fn load(&mut self, operand: OperandId, offsets: &[i64]) -> Reg {
        let index = here(offsets);
        let ty = self.nest.operands[operand.0 as usize].ty;
        let op = self.access(operand, index);
        self.op(ty, op)
    }
    fn store(&mut self, operand: OperandId, value: Reg) {
        let index = here(&vec![0; self.nest.domain.rank()]);
        self.nest.stores.push(Store { operand, index, value });
    }
}

fn span() -> Span {
    Span::new(FileId(0), 0, 0)
}

fn here(offsets: &[i64]) -> Vec<Affine> {
    offsets.iter().enumerate().map(|(d, &k)| Affine { konst: k, terms: vec![(Sym::Dim(d), 1)] }).collect()
}

fn inst(dst: Reg, op: Op) -> Inst {
    Inst::Op { dst, op }
}

const N1: i64 = 1 << 25;
const N2: i64 = 4096;
const N3: i64 = 1 << 26;
const NM: i64 = 512;
const NE: i64 = 512;

fn triad() -> Nest {
    let mut b = Builder::new("triad", IndexBox::whole(&[N1]), vec![4096]);
    let (x, y, z) = (b.operand(Ty::F64, 1, false), b.operand(Ty::F64, 1, false), b.operand(Ty::F64, 1, true));
    let s = b.op(Ty::F64, Op::Scalar(ScalarId(0)));
    let (p, q) = (b.load(x, &[0]), b.load(y, &[0]));
    let sq = b.bin(Ty::F64, BinaryOp::Mul, s, q);
    let r = b.bin(Ty::F64, BinaryOp::Add, p, sq);
    b.store(z, r);
    b.nest
}

fn stencil() -> Nest {
    let inner = Interval::new(1, N2 - 1);
    let mut b = Builder::new("stencil", IndexBox::new(vec![inner, inner]), vec![16, 256]);
    let (u, v) = (b.operand(Ty::F32, 2, false), b.operand(Ty::F32, 2, true));
    let c = b.float(0.1);
    let four = b.float(4.0);
    let middle = b.load(u, &[0, 0]);
    let mut sum = b.load(u, &[-1, 0]);
    for at in [[1, 0], [0, -1], [0, 1]] {
        let x = b.load(u, &at);
        sum = b.bin(Ty::F32, BinaryOp::Add, sum, x);
    }
    let m4 = b.bin(Ty::F32, BinaryOp::Mul, four, middle);
    let d = b.bin(Ty::F32, BinaryOp::Sub, sum, m4);
    let cd = b.bin(Ty::F32, BinaryOp::Mul, c, d);
    let r = b.bin(Ty::F32, BinaryOp::Add, middle, cd);
    b.store(v, r);
    b.nest
}

fn squares() -> Nest {
    let mut b = Builder::new("squares", IndexBox::whole(&[N3]), vec![4096]);
    let x = b.operand(Ty::F32, 1, false);
    let p = b.load(x, &[0]);
    let value = b.bin(Ty::F32, BinaryOp::Mul, p, p);
    b.nest.reductions.push(Reduction { op: FoldOp::Sum, value, into: ScalarId(0) });
    b.nest
}

fn matmul() -> Nest {
    let mut b = Builder::new("matmul", IndexBox::whole(&[NM, NM]), vec![16, 256]);
    let (x, y, z) = (b.operand(Ty::F32, 2, false), b.operand(Ty::F32, 2, false), b.operand(Ty::F32, 2, true));
    let sum = b.float(0.0);
    let from = b.op(Ty::I64, Op::Const(Value::i64(0)));
    let to = b.op(Ty::I64, Op::Const(Value::i64(NM)));
    let k = b.reg(Ty::I64);
    let (p, q, pq) = (b.reg(Ty::F32), b.reg(Ty::F32), b.reg(Ty::F32));
    let counter = Affine::sym(Sym::Counter(k));
    let bounds = vec![(k, Affine::constant(0), Affine::constant(NM))];
    let left = b.access(x, vec![Affine::sym(Sym::Dim(0)), counter.clone()]);
    let right = b.access(y, vec![counter, Affine::sym(Sym::Dim(1))]);
    b.nest.accesses.iter_mut().for_each(|a| a.counters = bounds.clone());
    let body = vec![
        inst(p, left),
        inst(q, right),
        inst(pq, Op::Binary(BinaryOp::Mul, p, q)),
        inst(sum, Op::Binary(BinaryOp::Add, sum, pq)),
    ];
    b.nest.code.body.push(Inst::Loop { counter: k, from, to, by: 1, body });
    b.store(z, sum);
    b.nest
}

fn escape() -> Nest {
    let mut b = Builder::new("escape", IndexBox::whole(&[NE, NE]), vec![16, 256]);
    let z = b.operand(Ty::I32, 2, true);
    let step = b.float(3.0f32 as f64 / NE as f64);
    let (two, four) = (b.float(2.0), b.float(4.0));
    let mut coordinate = |dim, first: f64| {
        let i = b.op(Ty::I64, Op::Index(dim));
        let i = b.op(Ty::F32, Op::Cast(i));
        let i = b.bin(Ty::F32, BinaryOp::Mul, i, step);
        let first = b.float(first);
        b.bin(Ty::F32, BinaryOp::Add, first, i)
    };
    let (cr, ci) = (coordinate(1, -2.0), coordinate(0, -1.5));
    let (x, y) = (b.float(0.0), b.float(0.0));
    let count = b.op(Ty::I32, Op::Const(Value::int(Ty::I32, 0)));
    let one = b.op(Ty::I32, Op::Const(Value::int(Ty::I32, 1)));
    let from = b.op(Ty::I64, Op::Const(Value::i64(0)));
    let to = b.op(Ty::I64, Op::Const(Value::i64(200)));
    let k = b.reg(Ty::I64);
    let [xx, yy, r2, xy, xy2, d] = [(); 6].map(|_| b.reg(Ty::F32));
    let cond = b.reg(Ty::Bool);
    use BinaryOp::*;
    let body = vec![
        inst(xx, Op::Binary(Mul, x, x)),
        inst(yy, Op::Binary(Mul, y, y)),
        inst(r2, Op::Binary(Add, xx, yy)),
        inst(cond, Op::Binary(Gt, r2, four)),
        Inst::If { cond, then: vec![Inst::Break], otherwise: vec![] },
        inst(xy, Op::Binary(Mul, two, x)),
        inst(xy2, Op::Binary(Mul, xy, y)),
        inst(y, Op::Binary(Add, xy2, ci)),
        inst(d, Op::Binary(Sub, xx, yy)),
        inst(x, Op::Binary(Add, d, cr)),
        inst(count, Op::Binary(Add, count, one)),
    ];
    b.nest.code.body.push(Inst::Loop { counter: k, from, to, by: 1, body });
    b.store(z, count);
    b.nest
}

fn transpose() -> Nest {
    let mut b = Builder::new("transpose", IndexBox::whole(&[N2, N2]), vec![16, 256]);
    let (u, v) = (b.operand(Ty::F32, 2, false), b.operand(Ty::F32, 2, true));
    let op = b.access(u, vec![Affine::sym(Sym::Dim(1)), Affine::sym(Sym::Dim(0))]);
    let r = b.op(Ty::F32, op);
    b.store(v, r);
    b.nest
}

fn tiny() -> Nest {
    let mut b = Builder::new("tiny", IndexBox::whole(&[16]), vec![16]);
    let (u, v) = (b.operand(Ty::F32, 1, false), b.operand(Ty::F32, 1, true));
    let p = b.load(u, &[0]);
    let r = b.bin(Ty::F32, BinaryOp::Add, p, p);
    b.store(v, r);
    b.nest
}

/// Seconds of the fastest of several runs.
fn best(runs: usize, mut f: impl FnMut()) -> f64 {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn bind(data: &mut [u64], ty: Ty, shape: &[i64]) -> Binding {
    assert!(shape.iter().product::<i64>() as usize * ty.size() <= data.len() * 8);
    let mut strides = vec![1; shape.len()];
    (1..shape.len()).rev().for_each(|d| strides[d - 1] = strides[d] * shape[d]);
    Binding { ptr: data.as_mut_ptr() as *mut u8, lo: vec![0; shape.len()], strides, hi: shape.to_vec() }
}

fn fill(words: i64, ty: Ty) -> Vec<u64> {
    let value = |i: i64| ((i * 7919) % 1000) as f64 / 1000.0;
    let word = |i: i64| match ty {
        Ty::F64 => value(i).to_bits(),
        _ => (value(2 * i) as f32).to_bits() as u64 | ((value(2 * i + 1) as f32).to_bits() as u64) << 32,
    };
    (0..words).map(word).collect()
}

/// Times one nest on both executors beside the baseline and prints a line.
fn line(nest: Nest, ty: Ty, shapes: &[&[i64]], scalars: &[u64], bytes: f64, baseline: &mut dyn FnMut(&mut [Vec<u64>])) {
    let name = nest.name.clone();
    let mut data: Vec<Vec<u64>> =
        shapes.iter().map(|s| fill(s.iter().product::<i64>() * ty.size() as i64 / 8, ty)).collect();
    let plain = best(9, || baseline(&mut data));
    let bindings: Vec<Binding> = data.iter_mut().zip(shapes).map(|(d, s)| bind(d, ty, s)).collect();
    let nests = [nest];
    let start = Instant::now();
    let native = Native::new(&nests, &[]).unwrap();
    let built = start.elapsed().as_secs_f64();
    let start = Instant::now();
    drop(Native::new(&nests, &[]).unwrap());
    let warm = start.elapsed().as_secs_f64();
    let vm = Vm::new(&nests, &[]);
    let time = |executor: &dyn Executor| {
        let mut partials: Vec<Partial> =
            nests[0].reductions.iter().map(|r| Partial::new(r.op, nests[0].code.regs[r.value.0 as usize])).collect();
        best(9, || executor.run(0, &nests[0].domain, &bindings, scalars, &mut partials).unwrap())
    };
    let (native, vm) = (time(&native), time(&vm));
    println!(
        "{name:10} C++ {:7.2} ms {:6.2} GB/s | native {:7.2} ms {:6.2} GB/s {:5.2}x | vm {:7.2} ms {:5.2}x | build {:4.0} ms, warm {:.2} ms",
        plain * 1e3,
        bytes / plain / 1e9,
        native * 1e3,
        bytes / native / 1e9,
        plain / native,
        vm * 1e3,
        plain / vm,
        built * 1e3,
        warm * 1e3
    );
}

#[test]
#[ignore = "takes a while and needs g++"]
fn speed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("base.cpp"), folder.path().join("base.so"));
    std::fs::write(&source, BASELINE).unwrap();
    let flags = ["-O3", "-march=native", "-fopenmp-simd", "-shared", "-fPIC", "-o"];
    assert!(Command::new("g++").args(flags).args([&object, &source]).status().unwrap().success());
    let library = unsafe { libloading::Library::new(&object) }.unwrap();
    type P = *mut u8;
    unsafe {
        let f: unsafe extern "C" fn(P, P, P, f64, i64) = *library.get(b"triad").unwrap();
        let shape: &[i64] = &[N1];
        line(triad(), Ty::F64, &[shape, shape, shape], &[3f64.to_bits()], 24.0 * N1 as f64, &mut |d| {
            f(d[2].as_mut_ptr() as P, d[0].as_mut_ptr() as P, d[1].as_mut_ptr() as P, 3.0, N1)
        });
        let f: unsafe extern "C" fn(P, P, f32, i64) = *library.get(b"stencil").unwrap();
        let shape: &[i64] = &[N2, N2];
        line(stencil(), Ty::F32, &[shape, shape], &[], 8.0 * (N2 * N2) as f64, &mut |d| {
            f(d[1].as_mut_ptr() as P, d[0].as_mut_ptr() as P, 0.1, N2)
        });
        for name in ["squares", "squares_fast"] {
            let f: unsafe extern "C" fn(P, i64) -> f32 = *library.get(name.as_bytes()).unwrap();
            line(squares(), Ty::F32, &[&[N3]], &[], 4.0 * N3 as f64, &mut |d| {
                std::hint::black_box(f(d[0].as_mut_ptr() as P, N3));
            });
        }
        let f: unsafe extern "C" fn(P, P, P, i64) = *library.get(b"matmul").unwrap();
        let shape: &[i64] = &[NM, NM];
        line(matmul(), Ty::F32, &[shape, shape, shape], &[], 2.0 * (NM * NM * NM) as f64, &mut |d| {
            f(d[2].as_mut_ptr() as P, d[0].as_mut_ptr() as P, d[1].as_mut_ptr() as P, NM)
        });
        let f: unsafe extern "C" fn(P, i64) = *library.get(b"escape").unwrap();
        line(escape(), Ty::I32, &[&[NE, NE]], &[], 4.0 * (NE * NE) as f64, &mut |d| f(d[0].as_mut_ptr() as P, NE));
        let f: unsafe extern "C" fn(P, P, i64) = *library.get(b"transpose").unwrap();
        let shape: &[i64] = &[N2, N2];
        line(transpose(), Ty::F32, &[shape, shape], &[], 8.0 * (N2 * N2) as f64, &mut |d| {
            f(d[1].as_mut_ptr() as P, d[0].as_mut_ptr() as P, N2)
        });
    }
    overhead();
}

/// Nanoseconds of a call on 16 points.
fn overhead() {
    let nests = [tiny()];
    let mut data = [fill(16, Ty::F32), fill(16, Ty::F32)];
    let bindings: Vec<Binding> = data.iter_mut().map(|d| bind(d, Ty::F32, &[16])).collect();
    let (native, vm) = (Native::new(&nests, &[]).unwrap(), Vm::new(&nests, &[]));
    for executor in [&native as &dyn Executor, &vm] {
        let t =
            best(5, || (0..100_000).for_each(|_| executor.run(0, &nests[0].domain, &bindings, &[], &mut []).unwrap()));
        println!("{}: {:.0} ns a call", executor.name(), t * 1e9 / 1e5);
    }
}
