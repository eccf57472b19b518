/* What generated kernels use: names of types, operations with fixed results, and reductions. No system header. */

typedef _Bool b8;
typedef unsigned char u8;
typedef __INT32_TYPE__ i32;
typedef __INT64_TYPE__ i64;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef float f32;
typedef double f64;

#define FN static inline __attribute__((always_inline, unused))
#define OUTLINE static __attribute__((noinline, unused))
#ifdef __clang__
#define MG_SIMD _Pragma("clang loop vectorize(assume_safety)")
#else
#define MG_SIMD _Pragma("GCC ivdep")
#endif

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
    FN T mg_mod_##T(T a, T b) { return a - __builtin_floor##F(a / b) * b; } \
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
MG_MINMAX(i32)
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

/* Trips of a loop, whatever its bounds. */
FN u64 mg_trips(i64 from, i64 to, i64 by) { return from < to ? ((u64)to - (u64)from - 1) / (u64)by + 1 : 0; }

/* The exact sum of runtime/device/exact_sum.rs: 68 limbs in base 2^32, counts of +inf, -inf, NaN, and of deposits. */
OUTLINE void mg_normalise(i64 *limb) {
    i64 carry = 0;
    for (int i = 0; i < 67; i++) {
        i64 v = limb[i] + carry;
        limb[i] = v & 0xffffffff;
        carry = v >> 32;
    }
    limb[67] += carry;
    limb[71] = 0;
}
OUTLINE void mg_deposit(i64 *limb, f64 x) {
    u64 bits = mg_bits_u64_f64(x), fraction = bits & 0xfffffffffffffULL;
    int e = (int)(bits >> 52) & 0x7ff;
    if (e == 0x7ff) {
        limb[fraction ? 70 : 68 + (int)(bits >> 63)]++;
        return;
    }
    i64 m = e ? (i64)(fraction | 1ULL << 52) : (i64)fraction;
    int b = e ? e - 1 : 0;
    if (bits >> 63) m = -m;
    __int128 wide = (__int128)((unsigned __int128)(__int128)m << (b % 32));
    limb[b / 32] += (i64)(wide & 0xffffffff);
    limb[b / 32 + 1] += (i64)(wide >> 32 & 0xffffffff);
    limb[b / 32 + 2] += (i64)(wide >> 64);
    if (++limb[71] >= 1 << 30) mg_normalise(limb);
}

/* Ordered folds. Values x of points j0 .. j0 + n go to lanes of their leaf's column; the first column holds `band`. */
#define MG_LANES(T, NAME, OP) \
    OUTLINE void mg_##NAME##_##T(T *restrict cols, const T *restrict x, i64 j0, i64 n, i64 band, i64 leaf, i64 L) { \
        if (L == leaf) { /* a lane a point: the columns of a row run on */ \
            T *restrict acc = cols + (j0 - (band & -leaf)); \
            for (i64 k = 0; k < n; k++) acc[k] = acc[k] OP x[k]; \
            return; \
        } \
        for (i64 j = j0, end = j0 + n; j < end;) { \
            i64 start = j & -leaf, m = leaf - (j - start); \
            if (m > end - j) m = end - j; \
            T *acc = cols + (start - (band & -leaf)) / leaf * L; \
            const T *p = x + (j - j0); \
            i64 lane = j & (L - 1); \
            j += m; \
            for (; lane && m; m--, lane = (lane + 1) & (L - 1)) acc[lane] = acc[lane] OP *p++; \
            if (L == 64) { \
                T s[64]; \
                for (int l = 0; l < 64; l++) s[l] = acc[l]; \
                for (; m >= 64; m -= 64, p += 64) \
                    for (int l = 0; l < 64; l++) s[l] = s[l] OP p[l]; \
                for (int l = 0; l < 64; l++) acc[l] = s[l]; \
            } \
            for (lane = 0; m; m--, lane = (lane + 1) & (L - 1)) acc[lane] = acc[lane] OP *p++; \
        } \
    } \
    FN T mg_close_of_##NAME##_##T(T *acc, i64 L, T start) { \
        for (i64 s = L / 2; s > 0; s /= 2) \
            for (i64 l = 0; l < s; l++) acc[l] = acc[l] OP acc[l + s]; \
        T value = acc[0]; \
        for (i64 l = 0; l < L; l++) acc[l] = start; \
        return value; \
    } \
    FN T mg_close_##NAME##_##T(T *acc, i64 L, T start) { \
        switch (L) { \
        case 4: return mg_close_of_##NAME##_##T(acc, 4, start); \
        case 8: return mg_close_of_##NAME##_##T(acc, 8, start); \
        case 16: return mg_close_of_##NAME##_##T(acc, 16, start); \
        case 32: return mg_close_of_##NAME##_##T(acc, 32, start); \
        case 64: return mg_close_of_##NAME##_##T(acc, 64, start); \
        default: return mg_close_of_##NAME##_##T(acc, L, start); \
        } \
    }
#define MG_ORDERED(T) \
    MG_LANES(T, sum, +) \
    MG_LANES(T, prod, *) \
    OUTLINE void mg_flush_sum_##T(T *cols, i64 count, i64 L, i64 *limbs) { \
        for (i64 c = 0; c < count; c++) mg_deposit(limbs, (f64)mg_close_sum_##T(cols + c * L, L, 0)); \
    } \
    OUTLINE u64 *mg_flush_prod_##T(T *cols, i64 count, i64 L, u64 *leaves, u64 position) { \
        for (i64 c = 0; c < count; c++) { \
            *leaves++ = position + (u64)c; \
            *leaves++ = mg_bits_u64_f64((f64)mg_close_prod_##T(cols + c * L, L, 1)); \
        } \
        return leaves; \
    }

/* Order-free folds. */
#define MG_FOLD(T, NAME, FIRST, EXPR) \
    OUTLINE T mg_##NAME##_##T(T total, const T *restrict x, i64 n) { \
        T lane[32]; \
        i64 k = 0; \
        for (int l = 0; l < 32; l++) lane[l] = FIRST; \
        for (; k + 32 <= n; k += 32) \
            for (int l = 0; l < 32; l++) { T a = lane[l], b = x[k + l]; lane[l] = EXPR; } \
        for (; k < n; k++) { T a = lane[0], b = x[k]; lane[0] = EXPR; } \
        for (int l = 0; l < 32; l++) { T a = total, b = lane[l]; total = EXPR; } \
        return total; \
    }

/* Stores past the caches: W elements of one aligned block. */
#if defined(__x86_64__) && !defined(__clang__)
typedef long long mg_v8 __attribute__((vector_size(64), may_alias));
typedef long long mg_v4 __attribute__((vector_size(32), may_alias));
typedef long long mg_v2 __attribute__((vector_size(16), may_alias));
FN void mg_stream(void *to, const void *from, int bytes) {
#if defined(__AVX512F__)
    for (int i = 0; i < bytes / 64; i++) __builtin_ia32_movntdq512((mg_v8 *)to + i, ((const mg_v8 *)from)[i]);
#elif defined(__AVX__)
    for (int i = 0; i < bytes / 32; i++) __builtin_ia32_movntdq256((mg_v4 *)to + i, ((const mg_v4 *)from)[i]);
#else
    for (int i = 0; i < bytes / 16; i++) __builtin_ia32_movntdq((mg_v2 *)to + i, ((const mg_v2 *)from)[i]);
#endif
}
FN void mg_stream_end(void) { __builtin_ia32_sfence(); }
#else
FN void mg_stream(void *to, const void *from, int bytes) { __builtin_memcpy(to, from, (u64)bytes); }
FN void mg_stream_end(void) {}
#endif
