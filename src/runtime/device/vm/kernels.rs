//! The block machine's loops: one operation over a strip of elements, built for plain CPUs and for AVX2 with FMA.

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::ir::elem::{CastTo, Elem};
use crate::ir::kernel::{BinaryOp, UnaryOp};
use crate::ir::ty::Ty;

/// Elements that a loop handles at a time; fixed, so that the compiler vectorises.
pub const CHUNK: usize = 32;

/// Where an operand lies: the first element, and how far to step for each chunk (0 for a splat of one chunk).
#[derive(Clone, Copy, Debug)]
pub struct Src {
    pub ptr: *const u8,
    pub step: usize,
}

/// A loop over `n` elements. Sources must be readable for `n` elements (one chunk for a splat), `dst` writable; `dst`
/// may be equal to a source of the same element size but not overlap otherwise.
pub type Kernel = unsafe fn(dst: *mut u8, srcs: &[Src; 3], n: usize);

/// Whether the loops for AVX2 and FMA can run here.
pub fn wide() -> bool {
    static WIDE: OnceLock<bool> = OnceLock::new();
    #[cfg(target_arch = "x86_64")]
    let found = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let found = || false;
    *WIDE.get_or_init(found)
}

trait Op1 {
    type A: Copy;
    type R: Copy;
    fn apply(a: Self::A) -> Self::R;
}

trait Op2 {
    type A: Copy;
    type R: Copy;
    fn apply(a: Self::A, b: Self::A) -> Self::R;
}

trait Op3 {
    type A: Copy;
    type B: Copy;
    fn apply(a: Self::A, b: Self::B, c: Self::B) -> Self::B;
}

#[inline(always)]
unsafe fn read<T: Copy>(p: *const u8) -> [T; CHUNK] {
    unsafe { (p as *const [T; CHUNK]).read_unaligned() }
}

#[inline(always)]
unsafe fn body1<O: Op1>(dst: *mut u8, srcs: &[Src; 3], n: usize) {
    let [a, ..] = *srcs;
    let chunks = n / CHUNK;
    unsafe {
        for k in 0..chunks {
            let x = read::<O::A>(a.ptr.add(k * a.step));
            (dst as *mut [O::R; CHUNK]).add(k).write_unaligned(std::array::from_fn(|i| O::apply(x[i])));
        }
        let a = a.ptr.add(chunks * a.step) as *const O::A;
        let dst = (dst as *mut O::R).add(chunks * CHUNK);
        for i in 0..n % CHUNK {
            dst.add(i).write_unaligned(O::apply(a.add(i).read_unaligned()));
        }
    }
}

#[inline(always)]
unsafe fn body2<O: Op2>(dst: *mut u8, srcs: &[Src; 3], n: usize) {
    let [a, b, _] = *srcs;
    let chunks = n / CHUNK;
    unsafe {
        for k in 0..chunks {
            let x = read::<O::A>(a.ptr.add(k * a.step));
            let y = read::<O::A>(b.ptr.add(k * b.step));
            (dst as *mut [O::R; CHUNK]).add(k).write_unaligned(std::array::from_fn(|i| O::apply(x[i], y[i])));
        }
        let a = a.ptr.add(chunks * a.step) as *const O::A;
        let b = b.ptr.add(chunks * b.step) as *const O::A;
        let dst = (dst as *mut O::R).add(chunks * CHUNK);
        for i in 0..n % CHUNK {
            dst.add(i).write_unaligned(O::apply(a.add(i).read_unaligned(), b.add(i).read_unaligned()));
        }
    }
}

#[inline(always)]
unsafe fn body3<O: Op3>(dst: *mut u8, srcs: &[Src; 3], n: usize) {
    let [a, b, c] = *srcs;
    let chunks = n / CHUNK;
    unsafe {
        for k in 0..chunks {
            let x = read::<O::A>(a.ptr.add(k * a.step));
            let y = read::<O::B>(b.ptr.add(k * b.step));
            let z = read::<O::B>(c.ptr.add(k * c.step));
            (dst as *mut [O::B; CHUNK]).add(k).write_unaligned(std::array::from_fn(|i| O::apply(x[i], y[i], z[i])));
        }
        let a = a.ptr.add(chunks * a.step) as *const O::A;
        let b = b.ptr.add(chunks * b.step) as *const O::B;
        let c = c.ptr.add(chunks * c.step) as *const O::B;
        let dst = (dst as *mut O::B).add(chunks * CHUNK);
        for i in 0..n % CHUNK {
            let (x, y, z) = (a.add(i).read_unaligned(), b.add(i).read_unaligned(), c.add(i).read_unaligned());
            dst.add(i).write_unaligned(O::apply(x, y, z));
        }
    }
}

/// A plain and a wide instance of a loop body, and the choice between them.
macro_rules! versions {
    ($choose:ident, $plain:ident, $wide:ident, $body:ident, $trait:ident) => {
        unsafe fn $plain<O: $trait>(dst: *mut u8, srcs: &[Src; 3], n: usize) {
            unsafe { $body::<O>(dst, srcs, n) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx,avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
        unsafe fn $wide<O: $trait>(dst: *mut u8, srcs: &[Src; 3], n: usize) {
            unsafe { $body::<O>(dst, srcs, n) }
        }
        fn $choose<O: $trait>() -> Kernel {
            #[cfg(target_arch = "x86_64")]
            if wide() {
                return $wide::<O>;
            }
            $plain::<O>
        }
    };
}
versions!(kernel1, plain1, wide1, body1, Op1);
versions!(kernel2, plain2, wide2, body2, Op2);
versions!(kernel3, plain3, wide3, body3, Op3);

macro_rules! ops1 {
    ($($name:ident |$a:ident| $e:expr;)*) => { $(
        struct $name<T>(PhantomData<T>);
        impl<T: Elem> Op1 for $name<T> {
            type A = T;
            type R = T;
            #[inline(always)]
            fn apply($a: T) -> T {
                $e
            }
        }
    )* };
}
ops1! {
    Neg |a| a.neg();
    Not |a| a.not();
    Abs |a| Elem::abs(a);
    Sqrt |a| Elem::sqrt(a);
    Floor |a| Elem::floor(a);
    Ceil |a| Elem::ceil(a);
    Round |a| Elem::round(a);
    Trunc |a| Elem::trunc(a);
}

macro_rules! ops2 {
    ($r:ty: $($name:ident |$a:ident, $b:ident| $e:expr;)*) => { $(
        struct $name<T>(PhantomData<T>);
        impl<T: Elem> Op2 for $name<T> {
            type A = T;
            type R = $r;
            #[inline(always)]
            fn apply($a: T, $b: T) -> $r {
                $e
            }
        }
    )* };
}
ops2! { T:
    Add |a, b| Elem::add(a, b);
    Sub |a, b| Elem::sub(a, b);
    Mul |a, b| Elem::mul(a, b);
    Div |a, b| Elem::div(a, b);
    IntDiv |a, b| a.int_div(b);
    Mod |a, b| a.modulo(b);
    Min |a, b| Elem::min(a, b);
    Max |a, b| Elem::max(a, b);
    MulHi |a, b| a.mul_hi(b);
    And |a, b| a.and(b);
    Or |a, b| a.or(b);
    Xor |a, b| a.xor(b);
    Shl |a, b| Elem::shl(a, b);
    Shr |a, b| Elem::shr(a, b);
}
ops2! { u8:
    Eq |a, b| (a == b) as u8;
    Ne |a, b| (a != b) as u8;
    Lt |a, b| (a < b) as u8;
    Le |a, b| (a <= b) as u8;
    Gt |a, b| (a > b) as u8;
    Ge |a, b| (a >= b) as u8;
}

struct Copied<T>(PhantomData<T>);
impl<T: Copy> Op1 for Copied<T> {
    type A = T;
    type R = T;
    #[inline(always)]
    fn apply(a: T) -> T {
        a
    }
}

struct Cast<A, R>(PhantomData<(A, R)>);
impl<A: Copy + CastTo<R>, R: Copy> Op1 for Cast<A, R> {
    type A = A;
    type R = R;
    #[inline(always)]
    fn apply(a: A) -> R {
        a.cast()
    }
}

struct Fma<T>(PhantomData<T>);
impl<T: Elem> Op3 for Fma<T> {
    type A = T;
    type B = T;
    #[inline(always)]
    fn apply(a: T, b: T, c: T) -> T {
        a.fma(b, c)
    }
}

struct Select<T>(PhantomData<T>);
impl<T: Copy> Op3 for Select<T> {
    type A = u8;
    type B = T;
    #[inline(always)]
    fn apply(cond: u8, a: T, b: T) -> T {
        if cond != 0 { a } else { b }
    }
}

/// Instances for some types; `None` for the others, which the operation has no meaning for.
macro_rules! of_types {
    ($choose:ident, $op:ident, $ty:expr; $($t:ident $m:ident),*) => {
        match $ty {
            $(Ty::$t => Some($choose::<$op<$m>>()),)*
            #[allow(unreachable_patterns)]
            _ => None,
        }
    };
}
macro_rules! numbers {
    ($c:ident, $op:ident, $ty:expr) => {
        of_types!($c, $op, $ty; I32 i32, I64 i64, U32 u32, U64 u64, F32 f32, F64 f64)
    };
}
macro_rules! integers {
    ($c:ident, $op:ident, $ty:expr) => { of_types!($c, $op, $ty; I32 i32, I64 i64, U32 u32, U64 u64) };
}
macro_rules! bits {
    ($c:ident, $op:ident, $ty:expr) => { of_types!($c, $op, $ty; Bool u8, I32 u32, I64 u64, U32 u32, U64 u64) };
}
macro_rules! floats {
    ($c:ident, $op:ident, $ty:expr) => { of_types!($c, $op, $ty; F32 f32, F64 f64) };
}
macro_rules! all {
    ($c:ident, $op:ident, $ty:expr) => {
        of_types!($c, $op, $ty; Bool u8, I32 i32, I64 i64, U32 u32, U64 u64, F32 f32, F64 f64)
    };
}

/// The loop of a unary operation.
pub fn unary(op: UnaryOp, ty: Ty) -> Option<Kernel> {
    match op {
        UnaryOp::Neg => numbers!(kernel1, Neg, ty),
        UnaryOp::Not => bits!(kernel1, Not, ty),
        UnaryOp::Abs => numbers!(kernel1, Abs, ty),
        UnaryOp::Sqrt => floats!(kernel1, Sqrt, ty),
        UnaryOp::Floor => floats!(kernel1, Floor, ty),
        UnaryOp::Ceil => floats!(kernel1, Ceil, ty),
        UnaryOp::Round => floats!(kernel1, Round, ty),
        UnaryOp::Trunc => floats!(kernel1, Trunc, ty),
    }
}

/// The loop of a binary operation on operands of type `ty`.
pub fn binary(op: BinaryOp, ty: Ty) -> Option<Kernel> {
    match op {
        BinaryOp::Add => numbers!(kernel2, Add, ty),
        BinaryOp::Sub => numbers!(kernel2, Sub, ty),
        BinaryOp::Mul => numbers!(kernel2, Mul, ty),
        BinaryOp::Div => floats!(kernel2, Div, ty),
        BinaryOp::IntDiv => integers!(kernel2, IntDiv, ty),
        BinaryOp::Mod => numbers!(kernel2, Mod, ty),
        BinaryOp::Min => all!(kernel2, Min, ty),
        BinaryOp::Max => all!(kernel2, Max, ty),
        BinaryOp::MulHi => of_types!(kernel2, MulHi, ty; U32 u32, U64 u64),
        BinaryOp::And => bits!(kernel2, And, ty),
        BinaryOp::Or => bits!(kernel2, Or, ty),
        BinaryOp::Xor => bits!(kernel2, Xor, ty),
        BinaryOp::Shl => integers!(kernel2, Shl, ty),
        BinaryOp::Shr => integers!(kernel2, Shr, ty),
        BinaryOp::Eq => all!(kernel2, Eq, ty),
        BinaryOp::Ne => all!(kernel2, Ne, ty),
        BinaryOp::Lt => all!(kernel2, Lt, ty),
        BinaryOp::Le => all!(kernel2, Le, ty),
        BinaryOp::Gt => all!(kernel2, Gt, ty),
        BinaryOp::Ge => all!(kernel2, Ge, ty),
    }
}

/// The loop of `a * b + c`.
pub fn fma(ty: Ty) -> Option<Kernel> {
    floats!(kernel3, Fma, ty)
}

/// `cond ? b : c` by the condition in the first source; also writes under a mask.
pub fn select(ty: Ty) -> Kernel {
    match ty.size() {
        1 => kernel3::<Select<u8>>(),
        2 => kernel3::<Select<u16>>(),
        4 => kernel3::<Select<u32>>(),
        _ => kernel3::<Select<u64>>(),
    }
}

/// A copy of the bits.
pub fn copy(ty: Ty) -> Kernel {
    match ty.size() {
        1 => kernel1::<Copied<u8>>(),
        2 => kernel1::<Copied<u16>>(),
        4 => kernel1::<Copied<u32>>(),
        _ => kernel1::<Copied<u64>>(),
    }
}

/// The loop of a conversion.
pub fn cast(from: Ty, to: Ty) -> Kernel {
    use crate::ir::elem::with_ty;
    with_ty!(from, F => with_ty!(to, T => kernel1::<Cast<F, T>>()))
}
