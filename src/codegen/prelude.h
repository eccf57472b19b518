/* Reductions and stores past the caches, in C. */

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
