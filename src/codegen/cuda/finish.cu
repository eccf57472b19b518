
/* One reduction: its words, of which there are `copies`, how words are joined, and the scalar that it gives. */
struct mg_item {
    u64 *acc;
    u64 first, nothing; /* the word that it begins with, and the bits of a least or most of nothing */
    u32 words, copies, op, type, into, spare; /* op: 0 sum, 1 product, 2 least, 3 most, 4 any, 5 all; type: see mg_value */
};
FN u64 mg_join(u32 op, u64 a, u64 b) {
    return op == 0 ? a + b : op == 1 ? a * b : op == 2 ? (a < b ? a : b) : op == 3 ? (a > b ? a : b) : op == 4 ? (a | b) : (a & b);
}
/* The bits of a result from its key. Types: 0 bool, 1 i32, 2 i64, 3 u32, 4 u64, 5 f32, 6 f64. */
FN u64 mg_value(const mg_item &it, u64 key) {
    if (it.op != 2 && it.op != 3) return it.type == 0 ? key & 1 : it.type == 1 || it.type == 3 ? (u32)key : key;
    if (key == it.first) return it.nothing;
    if (it.type == 5) {
        const f32 x = mg_unordered<f32>(key);
        return x != x ? 0x7fc00000ULL : mg_word(x);
    }
    if (it.type == 6) {
        const f64 x = mg_unordered<f64>(key);
        return x != x ? 0x7ff8000000000000ULL : mg_word(x);
    }
    return it.type == 1 ? mg_word(mg_unordered<i32>(key)) : it.type == 2 ? mg_word(mg_unordered<i64>(key)) : key;
}
/* Turns accumulators into scalars, a block of MG_FINISHERS threads for each, and leaves the accumulators ready for the next run.
   With several ranks their words are joined on the way: every word goes straight into the other ranks' memory as two halves, each
   in one 8-byte store with the number of the round, so that no word needs a fence. `inbox[r]` is rank r's memory: for each of two
   rounds and each sender, a line of 16 bytes a word, 72 a block. */
#define MG_FINISHERS 96
#define MG_ITEMS 8
#define MG_PEERS 16
struct mg_items {
    mg_item item[MG_ITEMS];
    uint4 *inbox[MG_PEERS];
};
/* Scalar code of the program by number, from 1. */
static __device__ void mgpu_code(u64 *scalars, u32 number);
/* Runs up to eight in order, numbers of 16 bits. */
FN void mg_codes(u64 *scalars, u64 first, u64 more) {
    for (; first; first = first >> 16 | more << 48, more >>= 16) mgpu_code(scalars, first & 0xffff);
}
extern "C" __global__ void mgpu_codes(u64 *scalars, u64 first, u64 more) { mg_codes(scalars, first, more); }

/* With one reduction, scalar code may follow. */
extern "C" __global__ void __launch_bounds__(MG_FINISHERS) mgpu_finish(
    u64 *scalars, u64 ranks, u64 me, u64 most, u32 *rounds, const u32 *stop, u64 first, u64 more, const __grid_constant__ mg_items all) {
    __shared__ i64 limb[72];
    const mg_item &it = all.item[blockIdx.x];
    uint4 *const *inbox = all.inbox;
    const u32 i = threadIdx.x, seq = ranks > 1 ? rounds[blockIdx.x] + 1 : 0;
    u64 v = 0;
    if (i < it.words) {
        u64 copy[16];
        /* All loads before the first store: they then travel together. */
        #pragma unroll
        for (u32 c = 0; c < 16; c++) copy[c] = c < it.copies ? it.acc[it.words * c + i] : 0;
        v = copy[0];
        #pragma unroll
        for (u32 c = 1; c < 16; c++) v += copy[c];
        const u64 half = (seq & 1) * ranks * most, at = 72 * blockIdx.x + i;
        for (u64 q = 0; q < ranks; q++) {
            if (q == me) continue;
            asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(inbox[q] + half + me * most + at),
                         "r"((u32)v), "r"(seq), "r"((u32)(v >> 32)), "r"(seq)
                         : "memory");
        }
        #pragma unroll
        for (u32 c = 0; c < 16; c++)
            if (c < it.copies) it.acc[it.words * c + i] = it.first;
        for (u64 q = 0; q < ranks; q++) {
            if (q == me) continue;
            const uint4 *line = inbox[me] + half + q * most + at;
            uint4 w;
            for (u32 n = 1;; n++) {
                asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                             : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w)
                             : "l"(line)
                             : "memory");
                if (w.y == seq && w.w == seq) break;
                if (!(n & 1023) && *(const volatile u32 *)stop) __trap();
            }
            v = mg_join(it.op, v, (u64)w.x | (u64)w.z << 32);
        }
        if (it.words > 1) limb[i] = (i64)v;
        else scalars[it.into] = mg_value(it, v);
    }
    __syncthreads();
    if (!i && ranks > 1) rounds[blockIdx.x] = seq;
    if (i >= 32) return;
    if (it.words > 1) {
        const u64 bits = it.type == 5 ? mg_rounded(limb, 23, 8) : mg_rounded(limb, 52, 11);
        if (!i) scalars[it.into] = bits;
    }
    if (!i) mg_codes(scalars, first, more);
}
