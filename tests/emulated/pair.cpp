// Runs the template of src/codegen/cuda/pair.cu on a CPU (gpu.h): r = 2 (x w) - y, its sums g = xᵀ r, and sums of r in f64, against chains
// from the first term to the last, bit for bit. Shared memory and everything around the arrays is NaN to begin with.
//
// TEMPLATES names the text under test.
#include "gpu.h"

struct float4 { f32 x, y, z, w; };
static float4 make_float4(f32 x, f32 y, f32 z, f32 w) { return {x, y, z, w}; }
static f32 mg_of(const uint4 &v, int i) {
    const u32 bits = i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
    f32 out;
    memcpy(&out, &bits, 4);
    return out;
}

#include TEMPLATES

static u64 seed = 1;
static int any(int n) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((seed >> 33) % n);
}
static f32 value() { return any(11) == 5 ? (any(2) ? 0.f : -0.f) : f32(any(2000001) - 1000000) / 1000003; }

template <int TERMS, int ROWS, bool RIDER> static int test(int first, int rows, int columns, bool whole, bool sums) {
    typedef mg_pair<TERMS, ROWS, RIDER> Pair;
    const i64 step = (TERMS + 3) / 4 * 4 + (whole ? 0 : 1 + any(3));
    const int all = first + rows;
    std::vector<f32> memory(all * step + 64, NAN), w(TERMS * columns), y(all * columns), r(all * columns, 7), g(TERMS * columns, 7);
    std::vector<f64> s(columns, 7);
    std::vector<int> written(r.size(), 0);
    f32 *x = memory.data() + 16;
    while ((u64)x % 16) x++;
    for (int i = 0; i < all; i++)
        for (int k = 0; k < TERMS; k++) x[i * step + k] = value();
    for (f32 &v : w) v = value();
    for (f32 &v : y) v = value();
    shared_bytes = Pair::BYTES;
    shared = (char *)aligned_alloc(64, (shared_bytes + 63) / 64 * 64);
    for (int i = 0; i < shared_bytes / 4; i++) ((f32 *)shared)[i] = NAN;
    for (auto &list : groups) list.clear();
    int beside = 0;
    launch(Pair::THREADS, [&] {
        const auto left = [&](i64 i, i64 k) -> const f32 * { return x + i * step + k; };
        const auto right = [&](i64 c, i64 k) -> const f32 * { return &w[k * columns + c]; };
        const auto ahead = [&](i64 i, i64 c) {
            beside += i < first || i >= all || c >= columns;
            return y[i * columns + c];
        };
        const auto results = [&](i64 i, i64 c, f32 product, f32 y) {
            written[i * columns + c]++;
            return r[i * columns + c] = 2 * product - y;
        };
        const auto then = [&](i64 k, i64 c, f32 sum) { g[k * columns + c] = sum; };
        const auto next = [&](i64 c, i64 i, f32 element, f64 sum) -> f64 {
            beside += i < first || i >= all;
            return sum + element * element;
        };
        const auto total = [&](i64 c, f64 sum) { s[c] = sum; };
        Pair::run(shared, left, right, ahead, results, then, (f64)0, next, total, first, rows, columns, whole, sums);
    });
    free(shared);
    int bad = beside;
    std::vector<f32> wanted(r.size(), 7);
    for (int i = first; i < all; i++)
        for (int c = 0; c < columns; c++) {
            f32 sum = 0;
            for (int k = 0; k < TERMS; k++) sum = fmaf(x[i * step + k], w[k * columns + c], sum);
            wanted[i * columns + c] = 2 * sum - y[i * columns + c];
            bad += written[i * columns + c] != 1;
        }
    bad += memcmp(wanted.data(), r.data(), 4 * r.size()) != 0;
    for (int c = 0; c < columns; c++) {
        f64 total = 0;
        for (int i = first; i < all; i++) total += wanted[i * columns + c] * wanted[i * columns + c];
        if (RIDER) bad += s[c] != (sums ? total : 7);
        for (int k = 0; k < TERMS; k++) {
            f32 sum = 0;
            for (int i = first; i < all; i++) sum = fmaf(x[i * step + k], wanted[i * columns + c], sum);
            const f32 want = sums ? sum : 7;
            bad += memcmp(&want, &g[k * columns + c], 4) != 0;
        }
    }
    if (bad)
        printf("WRONG: %d terms, tiles of %d, rider %d, rows %d from %d, columns %d, whole %d, sums %d, late %d, descending %d: %d\n", TERMS, ROWS, RIDER,
               rows, first, columns, whole, sums, late, descending, bad);
    return bad;
}

template <int TERMS, int ROWS, bool RIDER> static int all() {
    int bad = 0;
    for (int rows : {1, ROWS - 1, ROWS, ROWS + 5, 2 * ROWS, 4 * ROWS, 5 * ROWS + 3}) {
        late = any(2), descending = any(2);
        const int columns[] = {16, 16, 1, 10};
        bad += test<TERMS, ROWS, RIDER>(any(2) * 9, rows, columns[any(4)], any(3) != 0, any(5) != 0);
    }
    for (int way = 0; way < 4; way++) {
        late = way & 1, descending = way >> 1;
        bad += test<TERMS, ROWS, RIDER>(0, (1 + any(6)) * ROWS, 16, true, true);
    }
    return bad;
}
template <int TERMS> static int sizes() { return all<TERMS, 64, false>() + all<TERMS, 64, true>() + all<TERMS, 32, false>() + all<TERMS, 32, true>(); }

int main() { return sizes<16>() + sizes<35>() + sizes<64>() + sizes<100>() + sizes<128>() > 0; }
