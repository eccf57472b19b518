/* Operations on scalars with results fixed to the bit, for C and CUDA C. What comes before defines the types and FN. */

/* Integers: division floors, a divisor of 0 gives 0, everything wraps (-fwrapv). */
#define MG_SIGNED(T, U, BITS) \
    FN T mg_idiv_##T(T a, T b) { \
        if (b == 0) return 0; \
        if (b == -1) return (T)(0 - (U)a); \
        T q = a / b, r = a % b; \
        return q - ((r != 0) & ((r ^ b) < 0)); \
    } \
    FN T mg_mod_##T(T a, T b) { \
        if (b == 0 || b == -1) return 0; \
        T r = a % b; \
        return r + (((r != 0) & ((r ^ b) < 0)) ? b : 0); \
    } \
    FN T mg_shl_##T(T a, T b) { return (T)((U)a << (b & (BITS - 1))); } \
    FN T mg_shr_##T(T a, T b) { return a >> (b & (BITS - 1)); } \
    FN T mg_abs_##T(T a) { return a < 0 ? (T)(0 - (U)a) : a; }
#define MG_UNSIGNED(T, WIDE, BITS) \
    FN T mg_idiv_##T(T a, T b) { return b == 0 ? 0 : a / b; } \
    FN T mg_mod_##T(T a, T b) { return b == 0 ? 0 : a % b; } \
    FN T mg_shl_##T(T a, T b) { return a << (b & (BITS - 1)); } \
    FN T mg_shr_##T(T a, T b) { return a >> (b & (BITS - 1)); } \
    FN T mg_abs_##T(T a) { return a; } \
    FN T mg_mulhi_##T(T a, T b) { return (T)((WIDE)a * b >> BITS); }
MG_SIGNED(i32, u32, 32)
MG_SIGNED(i64, u64, 64)
MG_UNSIGNED(u32, u64, 32)
MG_UNSIGNED(u64, unsigned __int128, 64)

/* Floats. */
#define MG_FLOAT(T, F) \
    FN T mg_mod_##T(T a, T b) { return a - mg_mul_##T(__builtin_floor##F(a / b), b); } \
    FN T mg_min_##T(T a, T b) { return ((a < b) | (a != a)) ? a : b; } \
    FN T mg_max_##T(T a, T b) { return ((a > b) | (a != a)) ? a : b; } \
    FN T mg_abs_##T(T a) { return __builtin_fabs##F(a); } \
    FN T mg_sqrt_##T(T a) { return __builtin_sqrt##F(a); } \
    FN T mg_floor_##T(T a) { return __builtin_floor##F(a); } \
    FN T mg_ceil_##T(T a) { return __builtin_ceil##F(a); } \
    FN T mg_round_##T(T a) { return __builtin_rint##F(a); } \
    FN T mg_trunc_##T(T a) { return __builtin_trunc##F(a); } \
    FN T mg_fma_##T(T a, T b, T c) { return __builtin_fma##F(a, b, c); }
MG_FLOAT(f32, f)
MG_FLOAT(f64, )
#define MG_MINMAX(T) \
    FN T mg_min_##T(T a, T b) { return a < b ? a : b; } \
    FN T mg_max_##T(T a, T b) { return a > b ? a : b; }
MG_MINMAX(b8)
#ifndef MG_I32_HARDWARE
MG_MINMAX(i32)
FN i32 mg_neg_i32(i32 x) { return -x; }
#endif
MG_MINMAX(i64)
MG_MINMAX(u32)
MG_MINMAX(u64)

/* Float to integer: truncates, saturates, NaN gives 0. IN says which values convert as they are. */
#define MG_TRUNCATE(F, T, IN, HIGH, MOST, LEAST) \
    FN T mg_cast_##T##_##F(F x) { \
        T v = (T)((IN) ? x : 0); \
        return x >= (HIGH) ? (MOST) : (IN) || x != x ? v : (LEAST); \
    }
MG_TRUNCATE(f32, i32, x >= -0x1p31f && x < 0x1p31f, 0x1p31f, 0x7fffffff, -0x7fffffff - 1)
MG_TRUNCATE(f64, i32, x > -2147483649.0 && x < 0x1p31, 0x1p31, 0x7fffffff, -0x7fffffff - 1)
MG_TRUNCATE(f32, i64, x >= -0x1p63f && x < 0x1p63f, 0x1p63f, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1)
MG_TRUNCATE(f64, i64, x >= -0x1p63 && x < 0x1p63, 0x1p63, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1)
MG_TRUNCATE(f32, u32, x > -1.0f && x < 0x1p32f, 0x1p32f, 0xffffffffu, 0)
MG_TRUNCATE(f64, u32, x > -1.0 && x < 0x1p32, 0x1p32, 0xffffffffu, 0)
MG_TRUNCATE(f32, u64, x > -1.0f && x < 0x1p64f, 0x1p64f, 0xffffffffffffffffULL, 0)
MG_TRUNCATE(f64, u64, x > -1.0 && x < 0x1p64, 0x1p64, 0xffffffffffffffffULL, 0)

#define MG_BITS(A, B) \
    FN B mg_bits_##B##_##A(A x) { union { A a; B b; } v; v.a = x; return v.b; } \
    FN A mg_bits_##A##_##B(B x) { union { A a; B b; } v; v.b = x; return v.a; }
MG_BITS(f32, u32)
MG_BITS(f32, i32)
MG_BITS(f64, u64)
MG_BITS(f64, i64)

/* Floats of two bytes: their bits; the values are those of some f32. Conversions to them round to nearest even, and there is one
   NaN. What is beyond 24 bits comes rounded to odd, so that it is rounded once (src/ir/half.rs). */
FN f32 mg_cast_f32_bf16(bf16 h) { return mg_bits_f32_u32((u32)h << 16); }
FN bf16 mg_cast_bf16_f32(f32 x) {
    const u32 u = mg_bits_u32_f32(x);
    return (bf16)(x != x ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}
#ifndef MG_F16_HARDWARE
FN f32 mg_cast_f32_f16(f16 h) {
    const u32 u = (u32)(h & 0x7fff) << 13;
    const u32 small = mg_bits_u32_f32(mg_bits_f32_u32(u + 0x38800000u) - 0x1p-14f);
    const u32 value = u >= 0x0f800000u ? u + 0x70000000u : u < 0x00800000u ? small : u + 0x38000000u;
    return mg_bits_f32_u32(value | (u32)(h & 0x8000) << 16);
}
FN f16 mg_cast_f16_f32(f32 x) {
    const u32 all = mg_bits_u32_f32(x), u = all & 0x7fffffffu;
    const u32 small = mg_bits_u32_f32(mg_bits_f32_u32(u) + 0.5f) - 0x3f000000u;
    const u32 normal = (u - 0x38000000u + 0xfff + (u >> 13 & 1)) >> 13;
    const u32 value = u >= 0x47800000u ? 0x7c00u : u >= 0x38800000u ? normal : small;
    return (f16)(u > 0x7f800000u ? 0x7e00u : value | (all >> 16 & 0x8000u));
}
#endif
FN f32 mg_odd(f64 x) {
    const f32 near = (f32)x;
    const f64 back = near;
    const u32 u = mg_bits_u32_f32(near);
    return back == x || x != x || (u & 1) ? near : mg_bits_f32_u32(mg_abs_f64(back) < mg_abs_f64(x) ? u + 1 : u - 1);
}
FN f16 mg_cast_f16_f64(f64 x) { return mg_cast_f16_f32(mg_odd(x)); }
FN bf16 mg_cast_bf16_f64(f64 x) { return mg_cast_bf16_f32(mg_odd(x)); }
/* What a function of the program made of halves passes through a fold. */
FN f16 mg_max_f16(f16 a, f16 b) { const f32 x = mg_cast_f32_f16(a); return (x > mg_cast_f32_f16(b)) | (x != x) ? a : b; }
FN bf16 mg_max_bf16(bf16 a, bf16 b) { const f32 x = mg_cast_f32_bf16(a); return (x > mg_cast_f32_bf16(b)) | (x != x) ? a : b; }

/* Trips of a loop, whatever its bounds. */
FN u64 mg_trips(i64 from, i64 to, i64 by) { return from < to ? ((u64)to - (u64)from - 1) / (u64)by + 1 : 0; }
