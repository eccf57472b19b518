// A GPU's block of threads on a CPU, for the templates of src/codegen/cuda: a fiber for every thread, and what the templates ask of the
// GPU in C++.
//
// What a GPU leaves open is tried both ways: asynchronous copies take effect at once or as late as the waits allow, and threads run
// between barriers in ascending or descending order.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <vector>

typedef long long i64;
typedef unsigned u32;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;
#define INLINE inline
#define FN static inline
struct alignas(16) uint4 { u32 x, y, z, w; };
struct alignas(8) uint2 { u32 x, y; };
template <int BYTES> struct mg_bytes;
template <> struct mg_bytes<16> { typedef uint4 word; };
template <> struct mg_bytes<8> { typedef uint2 word; };
template <> struct mg_bytes<4> { typedef u32 word; };
template <class T, int V> union mg_vec { T v[V]; typename mg_bytes<sizeof(T) * V>::word word; };
template <class T> struct mg_plain { static constexpr bool value = false; typedef T type; };
template <class T> struct mg_plain<const T *> { static constexpr bool value = true; typedef T type; };
FN f32 mg_chain(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
FN f64 mg_chain(f64 a, f64 b, f64 c) { return fma(a, b, c); }

// Threads.
static struct { unsigned x; } threadIdx;
struct Fiber { ucontext_t context; std::vector<char> stack; bool done; };
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static std::function<void()> work;
static int threads, running, at_barrier, at_warp[32];
static long rounds, warp_rounds[32];
static bool late, descending;

static void others() {
    const int me = running;
    swapcontext(&fibers[me].context, &scheduler);
    running = me;
    threadIdx.x = me;
}
static void meet(int &n, long &round, int all) {
    const long mine = round;
    if (++n == all) n = 0, round++;
    else while (round == mine) others();
}
static void __syncthreads() { meet(at_barrier, rounds, threads); }
static int at_part[16];
static long part_rounds[16];
template <int BARRIER, int THREADS> static void mg_meet() { meet(at_part[BARRIER], part_rounds[BARRIER], THREADS); }
static void __syncwarp() { meet(at_warp[threadIdx.x / 32], warp_rounds[threadIdx.x / 32], 32); }
static void entry() {
    work();
    fibers[running].done = true;
    for (;;) others();
}
static void launch(int n, std::function<void()> f) {
    threads = n;
    work = f;
    if ((int)fibers.size() < n) fibers.resize(n);
    for (auto &x : fibers) {
        if (x.stack.empty()) x.stack.resize(1 << 17);
        getcontext(&x.context);
        x.context.uc_stack.ss_sp = x.stack.data();
        x.context.uc_stack.ss_size = x.stack.size();
        x.context.uc_link = nullptr;
        x.done = false;
        makecontext(&x.context, entry, 0);
    }
    for (int left = n; left;)
        for (int q = 0; q < n; q++) {
            const int i = descending ? n - 1 - q : q;
            if (fibers[i].done) continue;
            threadIdx.x = running = i;
            swapcontext(&scheduler, &fibers[i].context);
            left -= fibers[i].done;
        }
}

// Shared memory and copies to it.
static char *shared;
static int shared_bytes;
struct Copy { u32 at; const void *from; int bytes; bool valid; };
static std::vector<Copy> open_copies[256];
static std::vector<std::vector<Copy>> groups[256];

static void wrong(const char *what, u32 at) {
    printf("%s at %u\n", what, at);
    exit(1);
}
static void apply(const Copy &c) {
    if (c.at + c.bytes > (u32)shared_bytes || c.at % c.bytes) wrong("a copy to no place", c.at);
    if (c.valid && (u64)c.from % c.bytes) wrong("a copy from no aligned address", c.at);
    if (c.valid) memcpy(shared + c.at, c.from, c.bytes);
    else memset(shared + c.at, 0, c.bytes);
}
template <int BYTES> FN void mg_send(u32 to, const void *from, bool valid = true) {
    const Copy c = {to, from, BYTES, valid};
    if (late) open_copies[threadIdx.x].push_back(c);
    else apply(c);
}
FN void mg_send_more(u32 to, const void *from, bool more) {
    if (more) mg_send<16>(to, from);
}
FN void mg_sent() {
    groups[threadIdx.x].push_back(open_copies[threadIdx.x]);
    open_copies[threadIdx.x].clear();
}
template <int LATER> FN void mg_arrived() {
    auto &mine = groups[threadIdx.x];
    for (; (int)mine.size() > LATER; mine.erase(mine.begin()))
        for (auto &c : mine.front()) apply(c);
}
FN u32 mg_shared(const void *p) { return (u32)((const char *)p - shared); }
template <class W> FN void mg_take(W &w, u32 at) {
    if (at + sizeof(W) > (u32)shared_bytes || at % sizeof(W)) wrong("a load from no place", at);
    memcpy(&w, shared + at, sizeof(W));
}
template <class W> FN void mg_keep(u32 at, W w) {
    if (at + sizeof(W) > (u32)shared_bytes || at % sizeof(W)) wrong("a store to no place", at);
    memcpy(shared + at, &w, sizeof(W));
}
