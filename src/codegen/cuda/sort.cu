
/* Values whose elements change from one scatter to the next: they are sorted by their elements on the GPU, those of one element in the order
   of the values, and every element takes its own in a row. The sort goes by digits, the lowest first (Knuth, The Art of Computer Programming,
   volume 3, 5.2.5), a launch for each step of a digit: each tile of values counts its digits; the counts become first places; each value
   moves to its place, which a warp's threads find by comparing their digits bit by bit. */
enum { MG_DIGITS = 256, MG_OF_THREAD = 16, MG_TILE = 256 * MG_OF_THREAD };

/* The place of a value: at first as the program computes it. */
template <bool FIRST> FN u32 mg_key(const void *keys, u64 k) { return FIRST ? (u32)((const i64 *)keys)[k] : ((const u32 *)keys)[k]; }

/* How many of a tile's values have each digit. */
template <bool FIRST> FN void mg_sort_count(const void *keys, u32 *counts, u64 n, u32 shift) {
    __shared__ u32 own[MG_DIGITS];
    const u32 t = threadIdx.x;
    own[t] = 0;
    __syncthreads();
    const u64 first = (u64)blockIdx.x * MG_TILE;
    #pragma unroll
    for (u32 i = 0; i < MG_OF_THREAD; i++) {
        const u64 k = first + i * 256 + t;
        if (k < n) atomicAdd(own + (mg_key<FIRST>(keys, k) >> shift & 255), 1u);
    }
    __syncthreads();
    counts[(u64)t * gridDim.x + blockIdx.x] = own[t];
}
extern "C" __global__ void __launch_bounds__(256) mgpu_sort_count_first(const void *keys, u32 *counts, u64 n, u64 shift) {
    mg_sort_count<true>(keys, counts, n, (u32)shift);
}
extern "C" __global__ void __launch_bounds__(256) mgpu_sort_count(const void *keys, u32 *counts, u64 n, u64 shift) {
    mg_sort_count<false>(keys, counts, n, (u32)shift);
}

/* What stands before each of 256 numbers, one a thread, and the sum of all. */
FN u32 mg_before(u32 x, u32 *warps, u32 *all) {
    const u32 t = threadIdx.x, lane = t & 31;
    u32 sum = x;
    #pragma unroll
    for (u32 d = 1; d < 32; d *= 2) {
        const u32 y = __shfl_up_sync(~0u, sum, d);
        if (lane >= d) sum += y;
    }
    if (lane == 31) warps[t >> 5] = sum;
    __syncthreads();
    u32 before = 0, whole = 0;
    #pragma unroll
    for (u32 w = 0; w < 8; w++) {
        if (w < t >> 5) before += warps[w];
        whole += warps[w];
    }
    __syncthreads();
    *all = whole;
    return before + sum - x;
}

/* A block a digit: the counts of its tiles become what lies before each of them, and their sum stands in `totals`. */
extern "C" __global__ void __launch_bounds__(256) mgpu_sort_places(u32 *counts, u32 *totals, u64 tiles) {
    __shared__ u32 warps[8];
    u32 *const own = counts + (u64)blockIdx.x * tiles;
    u32 sum = 0, all;
    for (u64 first = 0; first < tiles; first += 256) {
        const u64 k = first + threadIdx.x;
        const u32 before = mg_before(k < tiles ? own[k] : 0, warps, &all);
        if (k < tiles) own[k] = sum + before;
        sum += all;
    }
    if (!threadIdx.x) totals[blockIdx.x] = sum;
}

/* Moves keys, and where their values lie, to their places by one digit. */
template <bool FIRST>
FN void mg_sort_move(const void *keys, const u32 *positions, u32 *to_keys, u32 *to_positions, const u32 *counts, const u32 *totals, u64 n,
                     u32 shift) {
    __shared__ u32 own[8 * MG_DIGITS];
    __shared__ u32 warps[8];
    const u32 t = threadIdx.x, lane = t & 31, warp = t >> 5;
    u32 all;
    const u32 base = mg_before(totals[t], warps, &all) + counts[(u64)t * gridDim.x + blockIdx.x];
    #pragma unroll
    for (u32 w = 0; w < 8; w++) own[w * MG_DIGITS + t] = 0;
    __syncthreads();
    const u64 first = (u64)blockIdx.x * MG_TILE + warp * (32 * MG_OF_THREAD) + lane;
    u32 key[MG_OF_THREAD], rank[MG_OF_THREAD];
    #pragma unroll
    for (u32 i = 0; i < MG_OF_THREAD; i++) {
        const u64 k = first + 32 * i;
        const bool there = k < n;
        key[i] = there ? mg_key<FIRST>(keys, k) : 0;
        const u32 digit = key[i] >> shift & 255;
        u32 alike = __ballot_sync(~0u, there);
        #pragma unroll
        for (u32 b = 0; b < 8; b++) {
            const u32 set = __ballot_sync(~0u, digit >> b & 1);
            alike &= digit >> b & 1 ? set : ~set;
        }
        u32 *const mine = own + warp * MG_DIGITS + digit;
        const u32 before = __popc(alike & ((1u << lane) - 1)), seen = there ? *mine : 0;
        rank[i] = seen + before;
        __syncwarp();
        if (there && !before) *mine = seen + __popc(alike);
        __syncwarp();
    }
    __syncthreads();
    u32 sum = base;
    #pragma unroll
    for (u32 w = 0; w < 8; w++) {
        const u32 here = own[w * MG_DIGITS + t];
        own[w * MG_DIGITS + t] = sum;
        sum += here;
    }
    __syncthreads();
    #pragma unroll
    for (u32 i = 0; i < MG_OF_THREAD; i++) {
        const u64 k = first + 32 * i;
        if (k >= n) continue;
        const u64 to = own[warp * MG_DIGITS + (key[i] >> shift & 255)] + rank[i];
        to_keys[to] = key[i];
        to_positions[to] = FIRST ? (u32)k : positions[k];
    }
}
extern "C" __global__ void __launch_bounds__(256) mgpu_sort_move_first(
    const void *keys, const u32 *positions, u32 *to_keys, u32 *to_positions, const u32 *counts, const u32 *totals, u64 n, u64 shift) {
    mg_sort_move<true>(keys, positions, to_keys, to_positions, counts, totals, n, (u32)shift);
}
extern "C" __global__ void __launch_bounds__(256) mgpu_sort_move(
    const void *keys, const u32 *positions, u32 *to_keys, u32 *to_positions, const u32 *counts, const u32 *totals, u64 n, u64 shift) {
    mg_sort_move<false>(keys, positions, to_keys, to_positions, counts, totals, n, (u32)shift);
}

/* For each of `count` numbers, how many sorted keys are less. */
extern "C" __global__ void mgpu_sort_find(const u32 *keys, u64 n, const u64 *numbers, u64 *found, u64 count) {
    const u64 k = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= count) return;
    u64 lo = 0, hi = n;
    while (lo < hi) {
        const u64 middle = (lo + hi) / 2;
        if (keys[middle] < numbers[k]) lo = middle + 1;
        else hi = middle;
    }
    found[k] = lo;
}

/* An element with more values is left to a warp. */
enum { MG_LONG = 128 };
FN u64 mg_position(const u32 *positions, u64 k) { return positions ? positions[k] : k; }

/* The thread of an element's first value takes all of them, one after the other: keys are sorted, values lie where the positions say, or in
   a row. */
template <class F>
FN void mg_fold(typename F::part *data, const typename F::part *values, const u32 *keys, const u32 *positions, u64 n, u32 *longs) {
    const u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (first >= n) return;
    const u32 key = keys[first];
    if (first && keys[first - 1] == key) return;
    if (first + MG_LONG < n && keys[first + MG_LONG] == key) {
        longs[1 + atomicAdd(longs, 1u)] = (u32)first;
        return;
    }
    typename F::whole sum = F::get(data + key);
    u64 k = first;
    do {
        sum = F::join(sum, F::get(values + mg_position(positions, k)));
    } while (++k < n && keys[k] == key);
    F::put(data + key, sum);
}

/* A warp an element: the threads bring 32 values at a time, and all go through the same chain. */
template <class F>
FN void mg_fold_long(typename F::part *data, const typename F::part *values, const u32 *keys, const u32 *positions, u64 n, const u32 *longs) {
    typedef typename F::whole whole;
    const u32 lane = threadIdx.x & 31, warps = gridDim.x * (blockDim.x >> 5), count = *longs;
    for (u32 w = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5); w < count; w += warps) {
        const u64 first = longs[1 + w];
        const u32 key = keys[first];
        whole sum = F::get(data + key), next = F::get(values + mg_position(positions, first + lane));
        u64 k = first;
        while (true) {
            const u32 there = __ballot_sync(~0u, k + lane < n && keys[k + lane] == key);
            const whole here = next;
            k += 32;
            if (k + lane < n) next = F::get(values + mg_position(positions, k + lane));
            if (there != ~0u) {
                for (u32 j = 0; there >> j & 1; j++) sum = F::join(sum, F::of_lane(here, j));
                break;
            }
            #pragma unroll 8
            for (u32 j = 0; j < 32; j++) sum = F::join(sum, F::of_lane(here, j));
        }
        if (!lane) F::put(data + key, sum);
    }
}
