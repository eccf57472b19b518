/* What generated kernels share on a GPU: vectors, reductions, exact sums, copies of regions. */

/* V neighbours in memory, moved in one access. */
template <int BYTES> struct mg_bytes;
template <> struct mg_bytes<16> { typedef uint4 word; };
template <> struct mg_bytes<8> { typedef uint2 word; };
template <> struct mg_bytes<4> { typedef u32 word; };
template <> struct mg_bytes<2> { typedef u16 word; };
template <> struct mg_bytes<1> { typedef u8 word; };
template <class T, int V> union mg_vec { T v[V]; typename mg_bytes<sizeof(T) * V>::word word; };
/* Volatile, so that the compiler leaves all loads of a thread in front of its first store. */
FN void mg_fetch(uint4 &w, const uint4 *p) {
    asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w) : "l"(p));
}
template <class W> FN void mg_fetch(W &w, const W *p) { w = *p; }
template <class T, int V> FN void mg_get(mg_vec<T, V> &x, const T *p) { mg_fetch(x.word, (const decltype(x.word) *)p); }
FN void mg_store(uint4 *p, uint4 w) {
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(w.x), "r"(w.y), "r"(w.z), "r"(w.w) : "memory");
}
template <class W> FN void mg_store(W *p, W w) { *p = w; }
template <class T, int V> FN void mg_put(T *p, const mg_vec<T, V> &x) {
    mg_store((typename mg_bytes<sizeof(T) * V>::word *)p, x.word);
}

/* The index inside of lo..hi that an edge rule names for one near it, which may pass both ends, or one. */
template <class I> FN I mg_clamp_low(I i, I lo, I hi) { return i < lo ? lo : i; }
template <class I> FN I mg_wrap_low(I i, I lo, I hi) { return i < lo ? i + (hi - lo) : i; }
template <class I> FN I mg_mirror_low(I i, I lo, I hi) { return i < lo ? 2 * lo - 1 - i : i; }
template <class I> FN I mg_clamp_high(I i, I lo, I hi) { return i >= hi ? hi - 1 : i; }
template <class I> FN I mg_wrap_high(I i, I lo, I hi) { return i >= hi ? i - (hi - lo) : i; }
template <class I> FN I mg_mirror_high(I i, I lo, I hi) { return i >= hi ? 2 * hi - 1 - i : i; }
template <class I> FN I mg_clamp(I i, I lo, I hi) { return i < lo ? lo : mg_clamp_high(i, lo, hi); }
template <class I> FN I mg_wrap(I i, I lo, I hi) { return i < lo ? i + (hi - lo) : mg_wrap_high(i, lo, hi); }
template <class I> FN I mg_mirror(I i, I lo, I hi) { return i < lo ? 2 * lo - 1 - i : mg_mirror_high(i, lo, hi); }
/* Sets the elements of a vector that lie past the ends of their row: `first` is the index of the vector's first element, which
   `row` points to, `n` the extent. */
#define MG_MEND(RULE)                                                                                     \
    template <class T, int V> FN void mg_mend_##RULE(mg_vec<T, V> &x, const T *row, i64 first, i64 n) {   \
        if (first >= 0 && first + V <= n) return;                                                         \
        for (int e = 0; e < V; e++) {                                                                     \
            const i64 i = first + e;                                                                      \
            if (i < 0 || i >= n) x.v[e] = row[mg_clamp(mg_##RULE(i, 0LL, n), 0LL, n) - first];            \
        }                                                                                                 \
    }
MG_MEND(clamp) MG_MEND(wrap) MG_MEND(mirror)
/* What a shuffle moves. */
template <class T> FN T mg_wide(T x) { return x; }
FN u32 mg_wide(u16 x) { return x; }
/* An element of the vector that the thread before or behind holds; threads at the ends of a warp have loaded it. */
template <class T> FN T mg_before(u32 warp, T x, bool first, T far) {
    x = (T)__shfl_up_sync(warp, mg_wide(x), 1);
    return first ? far : x;
}
template <class T> FN T mg_behind(u32 warp, T x, bool last, T far) {
    x = (T)__shfl_down_sync(warp, mg_wide(x), 1);
    return last ? far : x;
}

/* Reductions whose order does not matter are combined as 64-bit keys: integers as they are, for minima and maxima in an
   order-preserving form where NaN wins. */
struct mg_sum { FN u64 join(u64 a, u64 b) { return a + b; } FN void add(u64 *p, u64 v) { if (v) atomicAdd(p, v); } };
struct mg_least { FN u64 join(u64 a, u64 b) { return a < b ? a : b; } FN void add(u64 *p, u64 v) { atomicMin(p, v); } };
struct mg_most { FN u64 join(u64 a, u64 b) { return a > b ? a : b; } FN void add(u64 *p, u64 v) { atomicMax(p, v); } };
struct mg_any { FN u64 join(u64 a, u64 b) { return a | b; } FN void add(u64 *p, u64 v) { if (v) atomicOr(p, v); } };
struct mg_all { FN u64 join(u64 a, u64 b) { return a & b; } FN void add(u64 *p, u64 v) { if (!v) atomicAnd(p, v); } };
struct mg_prod {
    FN u64 join(u64 a, u64 b) { return a * b; }
    FN void add(u64 *p, u64 v) {
        for (u64 old = *p, seen; (seen = atomicCAS(p, old, old * v)) != old; old = seen) {}
    }
};

FN u64 mg_ordered(i32 x) { return (u64)(i64)x ^ 1ULL << 63; }
FN u64 mg_ordered(i64 x) { return (u64)x ^ 1ULL << 63; }
FN u64 mg_ordered(u32 x) { return x; }
FN u64 mg_ordered(u64 x) { return x; }
FN u64 mg_ordered(b8 x) { return x; }
FN u64 mg_ordered(f32 x) { u32 b = (u32)__float_as_int(x); return b >> 31 ? ~b : b | 1u << 31; }
FN u64 mg_ordered(f64 x) { u64 b = (u64)__double_as_longlong(x); return b >> 63 ? ~b : b | 1ULL << 63; }
template <class T> FN u64 mg_key_least(T x) { return x != x ? 0 : mg_ordered(x); }
template <class T> FN u64 mg_key_most(T x) { return x != x ? ~0ULL : mg_ordered(x); }

/* Over the block; the result is in thread 0. `scratch` holds 32 words. */
template <class F> FN u64 mg_block(u64 v, u64 *scratch) {
    const int t = threadIdx.x + blockDim.x * threadIdx.y, n = blockDim.x * blockDim.y;
    for (int s = 16; s; s >>= 1) v = F::join(v, __shfl_down_sync(~0u, v, s));
    __syncthreads();
    if (!(t & 31)) scratch[t >> 5] = v;
    __syncthreads();
    if (!t) for (int w = 1; w < n >> 5; w++) v = F::join(v, scratch[w]);
    return v;
}

/* The exact sum of runtime/device/exact_sum.rs: 68 limbs in base 2^32, then counts of +inf, -inf and NaN. Limbs are 64-bit
   integers, so their additions may come in any order; in shared memory each is two 32-bit atomics. */
FN void mg_add_shared(u64 *limb, u64 x) {
    u32 *word = (u32 *)limb, low = (u32)x, high = (u32)(x >> 32);
    if (low) { u32 old = atomicAdd(word, low); high += old + low < old; }
    if (high) atomicAdd(word + 1, high);
}
FN void mg_deposit(u64 *limb, f64 x) {
    const u64 bits = (u64)__double_as_longlong(x), fraction = bits & 0xfffffffffffffULL;
    const int e = (int)(bits >> 52) & 0x7ff;
    if (e == 0x7ff) { mg_add_shared(limb + (fraction ? 70 : 68 + (int)(bits >> 63)), 1); return; }
    i64 m = e ? (i64)(fraction | 1ULL << 52) : (i64)fraction;
    if (!m) return;
    const int b = e ? e - 1 : 0, s = b & 31;
    if (bits >> 63) m = -m;
    /* m << s as three pieces of 32 bits, the top one signed */
    const u64 low = (u64)m << s;
    const i64 top = s ? m >> (64 - s) : m >> 63;
    mg_add_shared(limb + b / 32, low & 0xffffffff);
    mg_add_shared(limb + b / 32 + 1, low >> 32);
    mg_add_shared(limb + b / 32 + 2, (u64)top);
}
FN void mg_clear_shared(u64 *limbs, int words) {
    for (int i = threadIdx.x + blockDim.x * threadIdx.y; i < words; i += blockDim.x * blockDim.y) limbs[i] = 0;
    __syncthreads();
}
/* Adds a block's sum to one of `copies` in device memory, so that blocks do not wait for each other. */
FN void mg_flush_shared(const u64 *limbs, u64 *sum, int copies) {
    __syncthreads();
    u64 *to = sum + 72 * ((blockIdx.x + blockIdx.y + blockIdx.z) % copies);
    for (int i = threadIdx.x + blockDim.x * threadIdx.y; i < 71; i += blockDim.x * blockDim.y)
        if (limbs[i]) atomicAdd(to + i, limbs[i]);
}

/* Propagates carries: limbs 0 to 66 end in 0 .. 2^32, limb 67 carries the sign. Limbs outside of `from .. to` are zero. */
FN void mg_normalise(i64 *limb, int from = 0, int to = 67) {
    i64 carry = 0;
    for (int i = from; i < 67; i++) {
        if (i >= to && !carry) break;
        const i64 v = limb[i] + carry;
        limb[i] = v & 0xffffffff;
        carry = v >> 32;
    }
    limb[67] += carry;
}
/* `count` bits from a position of a normalised, non-negative sum. */
FN u64 mg_limb_bits(const i64 *limb, int from, int count) {
    const int at = from / 32, s = from % 32;
    const u64 a = limb[at], b = at + 1 < 68 ? limb[at + 1] : 0, c = at + 2 < 68 ? limb[at + 2] : 0;
    const u64 low = a | b << 32;
    return (s ? low >> s | c << (64 - s) : low) & ((1ULL << count) - 1);
}
/* The nearest float of these widths, ties to even; see exact_sum.rs. Limbs outside of `from .. to` are zero. Destroys the limbs. */
static __device__ u64 mg_round(i64 *limb, int from, int to, int fraction, int exponent) {
    const u64 infinity = ((1ULL << exponent) - 1) << fraction, sign = 1ULL << (fraction + exponent);
    if (limb[70] || (limb[68] && limb[69])) return infinity | 1ULL << (fraction - 1);
    if (limb[68]) return infinity;
    if (limb[69]) return infinity | sign;
    mg_normalise(limb, from, to);
    const bool negative = limb[67] < 0;
    if (negative) {
        for (int i = 0; i < 68; i++) limb[i] = -limb[i];
        mg_normalise(limb);
    }
    int top = negative || to > 65 ? 67 : to + 1;
    while (top >= 0 && !limb[top]) top--;
    if (top < 0) return 0;
    const int high = top * 32 + 63 - __clzll(limb[top]);
    const int smallest = 1074 - ((1 << (exponent - 1)) - 2 + fraction);
    int lowest = high - fraction;
    if (lowest < smallest) lowest = smallest;
    u64 kept = mg_limb_bits(limb, lowest, fraction + 1);
    if (lowest > 0 && mg_limb_bits(limb, lowest - 1, 1)) {
        bool below = false;
        for (int i = from; i < (lowest - 1) / 32 && !below; i++) below = limb[i] != 0;
        if (!below && (lowest - 1) % 32) below = mg_limb_bits(limb, (lowest - 1) / 32 * 32, (lowest - 1) % 32) != 0;
        if ((kept & 1) || below) kept++;
    }
    u64 size = kept >> fraction ? kept - (1ULL << fraction) + ((u64)(lowest - smallest + 1) << fraction) : kept;
    if (size > infinity) size = infinity;
    return size | (negative ? sign : 0);
}
/* One warp: the rounded bits of a sum whose limbs lie in shared memory, in thread 0. */
static __device__ u64 mg_rounded(i64 *limb, int fraction, int exponent) {
    const u32 t = threadIdx.x, low = __ballot_sync(~0u, limb[t] != 0), middle = __ballot_sync(~0u, limb[t + 32] != 0),
              high = __ballot_sync(~0u, t < 4 && limb[t + 64] != 0);
    const int from = low ? __ffs(low) - 1 : middle ? 31 + __ffs(middle) : high ? 63 + __ffs(high) : 67;
    const int to = high ? 96 - __clz(high) : middle ? 64 - __clz(middle) : 32 - __clz(low);
    return t ? 0 : mg_round(limb, from, to, fraction, exponent);
}

/* The bits of a reduction from its key; zero and NaN have one form. */
FN u64 mg_word(i32 x) { return (u32)x; }
FN u64 mg_word(i64 x) { return (u64)x; }
FN u64 mg_word(u32 x) { return x; }
FN u64 mg_word(u64 x) { return x; }
FN u64 mg_word(b8 x) { return x; }
FN u64 mg_word(u16 x) { return x; }
FN u64 mg_word(f32 x) { return (u32)__float_as_int(x); }
FN u64 mg_word(f64 x) { return (u64)__double_as_longlong(x); }
template <class T> INLINE T mg_unordered(u64 k);
template <> INLINE i32 mg_unordered<i32>(u64 k) { return (i32)(k ^ 1ULL << 63); }
template <> INLINE i64 mg_unordered<i64>(u64 k) { return (i64)(k ^ 1ULL << 63); }
template <> INLINE u32 mg_unordered<u32>(u64 k) { return (u32)k; }
template <> INLINE u64 mg_unordered<u64>(u64 k) { return k; }
template <> INLINE b8 mg_unordered<b8>(u64 k) { return k != 0; }
template <> INLINE f32 mg_unordered<f32>(u64 k) {
    const u32 b = (u32)k;
    return __int_as_float((int)(b >> 31 ? b & 0x7fffffff : ~b)) + 0.0f;
}
template <> INLINE f64 mg_unordered<f64>(u64 k) {
    return __longlong_as_double((i64)(k >> 63 ? k & ~(1ULL << 63) : ~k)) + 0.0;
}

/* A strided copy of a box: counts and byte steps of up to six dimensions. From address 0 comes the constant. */
struct mg_copy {
    u64 from, to, constant;
    i64 total;
    u32 count[6];
    i64 from_step[6], to_step[6];
    u32 size, negate; /* negate: 1 floats, 2 integers */
    u64 from_list, to_list; /* of single elements: the u32 numbers of those behind `from`, and behind `to`; 0: one after the other */
};
template <class T> FN void mg_move(u64 from, u64 to, u64 constant, u32 negate) {
    T v = from ? *(const T *)from : (T)constant;
    if (negate == 1) v ^= (T)((T)1 << (8 * sizeof(T) - 1));
    if (negate == 2) v = (T)0 - v;
    *(T *)to = v;
}
static __device__ __noinline__ void mg_move_bytes(u64 from, u64 to, const mg_copy &c) {
    u64 word = c.constant;
    if (from) for (u32 k = 0; k < c.size; k++) ((u8 *)&word)[k] = ((const u8 *)from)[k];
    u64 out = 0;
    if (c.size == 2) mg_move<u16>((u64)&word, (u64)&out, 0, c.negate);
    else if (c.size == 4) mg_move<u32>((u64)&word, (u64)&out, 0, c.negate);
    else mg_move<u64>((u64)&word, (u64)&out, 0, c.negate);
    for (u32 k = 0; k < c.size; k++) ((u8 *)to)[k] = ((const u8 *)&out)[k];
}
template <class T> FN void mg_copy_listed(const mg_copy &c, i64 first, i64 step) {
    const u32 *const a = (const u32 *)c.from_list, *const b = (const u32 *)c.to_list;
    for (i64 k = first; k < c.total; k += step) ((T *)c.to)[b ? b[k] : k] = ((const T *)c.from)[a ? a[k] : k];
}
/* One thread's share of a copy: elements first, first + step, ... */
FN void mg_copy_share(const mg_copy &c, i64 first, i64 step) {
    if (c.from_list | c.to_list) {
        if (c.size == 8) mg_copy_listed<u64>(c, first, step);
        else if (c.size == 4) mg_copy_listed<u32>(c, first, step);
        else if (c.size == 2) mg_copy_listed<u16>(c, first, step);
        else mg_copy_listed<u8>(c, first, step);
        return;
    }
    for (i64 k = first; k < c.total; k += step) {
        i64 rest = k;
        u64 from = c.from, to = c.to;
        for (int d = 5; d >= 0; d--) {
            if (c.count[d] == 1) continue;
            const i64 q = rest / c.count[d], at = rest - q * c.count[d];
            rest = q;
            from += at * c.from_step[d];
            to += at * c.to_step[d];
        }
        if (!c.from) from = 0;
        /* Elements lie side by side in messages, whatever their size. */
        if (c.size == 16) *(uint4 *)to = *(const uint4 *)from;
        else if ((from | to) & (c.size - 1)) mg_move_bytes(from, to, c);
        else if (c.size == 4) mg_move<u32>(from, to, c.constant, c.negate);
        else if (c.size == 8) mg_move<u64>(from, to, c.constant, c.negate);
        else if (c.size == 2) mg_move<u16>(from, to, c.constant, c.negate);
        else mg_move<u8>(from, to, c.constant, 0);
    }
}
/* So many threads of a block wait for one another, whole warps, each wherever it is in the text: `__syncthreads` wants all at one place. */
template <int BARRIER, int THREADS> FN void mg_meet() { asm volatile("bar.sync %0, %1;" ::"n"(BARRIER), "n"(THREADS) : "memory"); }

/* What two ranks tell each other: counters in device memory, each written by one side only. A message counts MG_WHOLE, of which
   every block that brings a part of it adds its share, so that no block waits for another. */
#define MG_WHOLE 65536u
struct mg_link {
    u32 arrived, ready;  /* the peer's: what it has delivered here, times it has said that it may be written to */
    u32 taken, asked;    /* this rank's: what it has taken, times it has waited for the peer to say so */
    u32 left, spare[3];  /* blocks that have done with a message */
};
/* What block `b` of `n` adds for a message. */
FN u32 mg_share(u32 b, u32 n) { return MG_WHOLE / n + (b ? 0 : MG_WHOLE % n); }
/* Adds to a counter of a peer, behind everything that this thread knows to be written. */
FN void mg_add(u32 *p, u32 v) { asm volatile("red.release.sys.global.add.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory"); }
/* What a peer adds to; behind it, everything that the peer wrote before. */
FN u32 mg_look(const u32 *p) {
    u32 v;
    asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
    return v;
}
/* Waits until a counter has come to `want`; gives up with the device when another rank has. */
FN void mg_await(const u32 *p, u32 want, const u32 *stop) {
    for (u32 k = 1; (i32)(mg_look(p) - want) < 0; k++)
        if (!(k & 1023) && *(const volatile u32 *)stop) __trap();
}
/* The rim of a part that other ranks read, and that reads what they send: below and above along the rows. Blocks whose chunk of
   rows lies at an end wait for the message from there before they read, store their rows there too, and deliver their share. */
struct mg_rim {
    mg_link *wait[2], *to[2], *theirs[2];
    i64 far[2];    /* bytes from a stored element to its copy */
    i64 rows[2];   /* rows below the first, and from the second on, are copied */
    u32 chunks[2]; /* chunks below the first, and from the second on, have a rim */
    u32 blocks[2]; /* in how many blocks */
    u32 share[2];  /* what each block adds for a message; the first one adds what is left of MG_WHOLE too */
    u32 store[2];  /* which store is copied, from 1; 0 none */
    u64 first;     /* the number of the first block above */
    const u32 *stop;
};
/* Ends first: their messages travel while the rest is computed. */
FN u32 mg_ends_first(u32 b, u32 n) { return b == 0 ? 0 : b == 1 ? n - 1 : b - 1; }
/* Whether the block has a rim; it has then waited for what it reads. */
FN bool mg_rim_wait(const mg_rim &rim, u32 chunk) {
    const bool low = chunk < rim.chunks[0], high = chunk >= rim.chunks[1];
    if (!low && !high) return false;
    if (!(threadIdx.x | threadIdx.y)) {
        if (low && rim.wait[0]) mg_await(&rim.wait[0]->arrived, rim.wait[0]->taken + MG_WHOLE, rim.stop);
        if (high && rim.wait[1]) mg_await(&rim.wait[1]->arrived, rim.wait[1]->taken + MG_WHOLE, rim.stop);
    }
    __syncthreads();
    return true;
}
/* `block` is the block's number, chunk by chunk. */
FN void mg_rim_done(const mg_rim &rim, u32 chunk, u64 block) {
    __syncthreads();
    if (threadIdx.x | threadIdx.y) return;
    const bool at[2] = {chunk < rim.chunks[0], chunk >= rim.chunks[1]};
    #pragma unroll
    for (int end = 0; end < 2; end++) {
        if (!at[end] || !rim.to[end]) continue;
        const bool first = block == (end ? rim.first : 0);
        mg_add(&rim.theirs[end]->arrived, first ? MG_WHOLE - rim.share[end] * (rim.blocks[end] - 1) : rim.share[end]);
    }
    #pragma unroll
    for (int end = 0; end < 2; end++) {
        if (!at[end] || !rim.wait[end] || atomicAdd(&rim.wait[end]->left, 1) != rim.blocks[end] - 1) continue;
        rim.wait[end]->left = 0;
        rim.wait[end]->taken += MG_WHOLE;
    }
}
