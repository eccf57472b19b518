
/* Scatters: elements take the values whose positions are listed for them, one after the other. What is written of an element, how it is
   read, and how a warp's threads learn it of one another: one number, or the two parts of a complex one, which follow one another. */
template <class T> struct mg_single {
    typedef T part;
    typedef T whole;
    FN whole get(const part *p) { return *p; }
    FN void put(part *p, whole x) { *p = x; }
    FN whole of_lane(whole x, u32 lane) { return (T)__shfl_sync(~0u, mg_wide(x), lane); }
};
template <class T> struct mg_complex { T re, im; };
template <class T> struct mg_parts {
    typedef T part;
    typedef mg_complex<T> whole;
    FN whole get(const part *p) { return {p[0], p[1]}; }
    FN void put(part *p, whole x) { p[0] = x.re; p[1] = x.im; }
    FN whole of_lane(whole x, u32 lane) { return {__shfl_sync(~0u, x.re, lane), __shfl_sync(~0u, x.im, lane)}; }
};
/* As src/ir/complex.rs has them. */
FN f32 mg_magnitude(f32 x) { return mg_abs_f32(x); }
FN f64 mg_magnitude(f64 x) { return mg_abs_f64(x); }
template <class T> FN mg_complex<T> mg_complex_product(mg_complex<T> x, mg_complex<T> y) {
    return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
template <class T> FN mg_complex<T> mg_complex_quotient(mg_complex<T> x, mg_complex<T> y) {
    const bool wide = mg_magnitude(y.re) >= mg_magnitude(y.im);
    const T most = wide ? y.re : y.im, least = wide ? y.im : y.re;
    const T r = most == 0 ? (T)0 : least / most;
    const T s = (T)1 / (most + least * r);
    const T p = wide ? x.re : x.im, q = wide ? x.im : x.re;
    const T pr = p * r, qr = q * r;
    return {(p + qr) * s, (wide ? q - pr : pr - q) * s};
}

/* A warp does a task. The first `longs` tasks are one element each, which takes many values: the threads bring 32 of them at a time, and
   all go through the same chain. The others are slices of 32 elements with about equally many values, `counts` of them, one thread each;
   their positions lie in turns. See src/runtime/scatter/chains.rs. */
template <class F, class I>
FN void mg_take(typename F::part *data, const typename F::part *values, const I *elements, const u32 *counts,
                const u64 *first, const I *positions, u64 longs, u64 tasks) {
    typedef typename F::whole whole;
    const u64 task = (u64)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
    const u32 lane = threadIdx.x & 31;
    if (task >= tasks) return;
    const I *list = positions + first[task];
    if (task < longs) {
        const u64 n = first[task + 1] - first[task];
        typename F::part *to = data + elements[task];
        whole sum = F::get(to), next = whole();
        if (lane < n) next = F::get(values + list[lane]);
        u64 k = 0;
        for (; k + 32 <= n; k += 32) {
            const whole here = next;
            if (k + 32 + lane < n) next = F::get(values + list[k + 32 + lane]);
            #pragma unroll 8
            for (u32 j = 0; j < 32; j++) sum = F::join(sum, F::of_lane(here, j));
        }
        for (u32 j = 0; k + j < n; j++) sum = F::join(sum, F::of_lane(next, j));
        __syncwarp();
        if (!lane) F::put(to, sum);
        return;
    }
    const u64 e = longs + (task - longs) * 32 + lane;
    const u32 n = counts[e - longs];
    if (!n) return;
    typename F::part *to = data + elements[e];
    whole sum = F::get(to);
    list += lane;
    u32 j = 0;
    /* The loads of some values travel together. */
    for (; j + 4 <= n; j += 4) {
        whole v[4];
        #pragma unroll
        for (u32 i = 0; i < 4; i++) v[i] = F::get(values + list[32 * (u64)(j + i)]);
        #pragma unroll
        for (u32 i = 0; i < 4; i++) sum = F::join(sum, v[i]);
    }
    for (; j < n; j++) sum = F::join(sum, F::get(values + list[32 * (u64)j]));
    F::put(to, sum);
}

/* Operations on integers, whose order does not matter: every value goes to its element at once. */
template <class T> FN void mg_meet_add(T *p, T v) { atomicAdd(p, v); }
template <class T> FN void mg_meet_sub(T *p, T v) { atomicAdd(p, (T)0 - v); }
template <class T> FN void mg_meet_min(T *p, T v) { atomicMin(p, v); }
template <class T> FN void mg_meet_max(T *p, T v) { atomicMax(p, v); }
template <class T> FN void mg_meet_mul(T *p, T v) {
    for (T old = *(volatile T *)p, seen; (seen = atomicCAS(p, old, old * v)) != old; old = seen) {}
}

/* Packs the values that travel: positions of 4 bytes, or of 8 where `wide`, and elements of `size` bytes. */
template <class T, class I> FN void mg_pick(T *out, const T *from, const I *places, u64 n) {
    const u64 step = (u64)gridDim.x * blockDim.x;
    for (u64 k = (u64)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += step) out[k] = from[places[k]];
}
template <class I> FN void mg_pick_any(void *out, const void *from, const I *places, u64 n, u64 size) {
    if (size == 8) mg_pick((u64 *)out, (const u64 *)from, places, n);
    else if (size == 4) mg_pick((u32 *)out, (const u32 *)from, places, n);
    else if (size == 2) mg_pick((u16 *)out, (const u16 *)from, places, n);
    else mg_pick((u8 *)out, (const u8 *)from, places, n);
}
extern "C" __global__ void mgpu_pick(void *out, const void *from, const void *places, u64 n, u64 size, u64 wide) {
    if (wide) mg_pick_any(out, from, (const u64 *)places, n, size);
    else mg_pick_any(out, from, (const u32 *)places, n, size);
}
