/* Names of types and functions for kernels in CUDA C. No header is included, so that NVRTC needs no folder. */

typedef bool b8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef u16 f16;
typedef u16 bf16;
typedef int i32;
typedef long long i64;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;

/* Conversions that the hardware has. */
#define MG_F16_HARDWARE
__device__ __forceinline__ static f32 mg_cast_f32_f16(f16 h) { f32 x; asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h)); return x; }
__device__ __forceinline__ static f16 mg_cast_f16_f32(f32 x) {
    f16 h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return x != x ? 0x7e00 : h;
}

/* NVIDIA's assembler (13.0, for sm_90 and sm_100) makes one instruction of two minima of i32, or two maxima, and forgets a minus in front of
   an operand: of min(min(a, -b), c) comes min(min(a, b), c), however each is written. An operation in between that gives its first operand
   keeps the two apart, and where a choice is a minimum for the compiler, it does not see the minus. */
#define MG_I32_HARDWARE
__device__ __forceinline__ static i32 mg_neg_i32(i32 x) {
    i32 r;
    asm("not.b32 %0, %1;\n\tadd.s32 %0, %0, 1;" : "=r"(r) : "r"(x));
    return r;
}
#define MG_APART_I32(NAME, CHOSEN) \
    __device__ __forceinline__ static i32 NAME(i32 a, i32 b) { \
        const i32 m = CHOSEN ? a : b; \
        i32 r; \
        asm("lop3.b32 %0, %1, %2, %3, 0xf0;" : "=r"(r) : "r"(m), "r"(a), "r"(b)); \
        return r; \
    }
MG_APART_I32(mg_min_i32, a < b)
MG_APART_I32(mg_max_i32, a > b)

#define INLINE __device__ __forceinline__
#define FN static INLINE
#define __builtin_floorf floorf
#define __builtin_floor floor
#define __builtin_fabsf fabsf
#define __builtin_fabs fabs
#define __builtin_sqrtf sqrtf
#define __builtin_sqrt sqrt
#define __builtin_ceilf ceilf
#define __builtin_ceil ceil
#define __builtin_rintf rintf
#define __builtin_rint rint
#define __builtin_truncf truncf
#define __builtin_trunc trunc
#define __builtin_fmaf fmaf
#define __builtin_fma fma
#define __builtin_nanf(s) __int_as_float(0x7fc00000)
#define __builtin_nan(s) __longlong_as_double(0x7ff8000000000000LL)
#define __builtin_inff() __int_as_float(0x7f800000)
#define __builtin_inf() __longlong_as_double(0x7ff0000000000000LL)
/* The low half of a 32-bit product, from the instruction that also gives the high half (Philox wants both). */
FN u64 mg_wide_u32(u32 a, u32 b) { u64 w; asm("mul.wide.u32 %0, %1, %2;" : "=l"(w) : "r"(a), "r"(b)); return w; }
#define mg_mul_f32(a, b) ((a) * (b))
#define mg_mul_f64(a, b) ((a) * (b))
FN u32 mg_mul_u32(u32 a, u32 b) { return (u32)mg_wide_u32(a, b); }
FN u32 mg_high_u32(u32 a, u32 b) { return (u32)(mg_wide_u32(a, b) >> 32); }

