// What generated kernels ask of a GPU, for a C++ compiler: see cuda.cpp. Comes in front of the text of a unit.
#include <cmath>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

struct emu_dim { unsigned x, y, z; };
extern thread_local emu_dim threadIdx, blockIdx, blockDim, gridDim;
// The shared memory that launches give.
extern thread_local unsigned char room[];
// Memory that the block's threads share, by a number.
void *emu_shared(int number, size_t bytes);
// Waits for so many threads of the block at a barrier (0: all that live), or for the lanes of a warp.
void emu_meet(int barrier, int threads);
void emu_warp(unsigned mask);
// Where the lanes of this warp leave what others read.
unsigned long long *emu_slots();
// This thread can go on only when another rank has done something.
void emu_idle();
[[noreturn]] void emu_trap();

struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) float4 { float x, y, z, w; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __CUDA_ARCH__ 750

static inline void __syncthreads() { emu_meet(0, 0); }
static inline void __syncwarp(unsigned mask = ~0u) { emu_warp(mask); }
static inline void __trap() { emu_trap(); }
template <class A, class B> static inline A emu_as(B b) { A a; static_assert(sizeof a == sizeof b, ""); memcpy(&a, &b, sizeof a); return a; }
static inline int __float_as_int(float x) { return emu_as<int>(x); }
static inline float __int_as_float(int x) { return emu_as<float>(x); }
static inline float __uint_as_float(unsigned x) { return emu_as<float>(x); }
static inline unsigned __float_as_uint(float x) { return emu_as<unsigned>(x); }
static inline long long __double_as_longlong(double x) { return emu_as<long long>(x); }
static inline double __longlong_as_double(long long x) { return emu_as<double>(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __cvta_generic_to_shared(const void *p) { return (unsigned)((const unsigned char *)p - room); }

static inline int emu_lane() { return (threadIdx.x + threadIdx.y * blockDim.x) & 31; }
template <class T> static inline T emu_shuffle(unsigned mask, T x, int from, bool there) {
    static_assert(sizeof x <= 8, "");
    unsigned long long *const slots = emu_slots();
    memcpy(slots + emu_lane(), &x, sizeof x);
    emu_warp(mask);
    T y = x;
    if (there) memcpy(&y, slots + from, sizeof y);
    emu_warp(mask);
    return y;
}
// Among groups of `width` lanes.
template <class T> static inline T __shfl_sync(unsigned mask, T x, int from, int width = 32) {
    return emu_shuffle(mask, x, emu_lane() / width * width + from % width, true);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T x, unsigned by, int width = 32) {
    return emu_shuffle(mask, x, emu_lane() - (int)by, emu_lane() % width >= (int)by);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T x, unsigned by, int width = 32) {
    return emu_shuffle(mask, x, emu_lane() + (int)by, emu_lane() % width + (int)by < width);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T x, int with) { return emu_shuffle(mask, x, emu_lane() ^ with, true); }
static inline unsigned __ballot_sync(unsigned mask, bool x) {
    unsigned long long *const slots = emu_slots();
    slots[emu_lane()] = x;
    emu_warp(mask);
    unsigned out = 0;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1 && slots[i]) out |= 1u << i;
    emu_warp(mask);
    return out;
}

template <class T> static inline T atomicAdd(T *p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }
static inline unsigned atomicAdd(unsigned *p, int v) { return __atomic_fetch_add(p, (unsigned)v, __ATOMIC_SEQ_CST); }
static inline float atomicAdd(float *, float) = delete;
template <class T> static inline T atomicAnd(T *p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); }
template <class T> static inline T atomicOr(T *p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); }
template <class T> static inline T atomicCAS(T *p, T old, T v) { __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); return old; }
template <class T> static inline T atomicMin(T *p, T v) { T old = *p; while (v < old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)); return old; }
template <class T> static inline T atomicMax(T *p, T v) { T old = *p; while (v > old && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)); return old; }

// A kernel with its arguments, each behind an address.
template <class... A, size_t... I> static void *emu_bound(void (*f)(A...), void **at, std::index_sequence<I...>) {
    auto all = std::make_tuple(*(std::remove_const_t<A> *)at[I]...);
    return new std::function<void()>([=] { std::apply(f, all); });
}
template <class... A> static void *emu_bind(void (*f)(A...), void **at) { return emu_bound(f, at, std::index_sequence_for<A...>()); }
