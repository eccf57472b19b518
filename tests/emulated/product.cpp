// Runs the templates of src/codegen/cuda/contraction.cu on a CPU (gpu.h). Results are compared bit for bit with a chain of fma from the
// first term to the last. Shared memory and everything around the factors is NaN to begin with, so that whatever is read too early, or
// beside its place, shows.
//
// TEMPLATES names the text under test, SHAPE what threads do with a panel, PANELS how many panels are under way; ALONG_ONLY: the
// rows' terms must lie beside each other.
#include "gpu.h"

// The tensor cores of f64 (`mma.m16n8k8`), which add as a chain does.
static f64 of_a[8][32][4], of_b[8][32][2];
FN void mg_mma(f64 (&c)[4], const f64 (&a)[4], const f64 (&b)[2]) {
    const int w = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    memcpy(of_a[w][lane], a, sizeof a);
    memcpy(of_b[w][lane], b, sizeof b);
    __syncwarp();
    for (int k = 0; k < 8; k++)
        for (int e = 0; e < 4; e++) {
            const int row = g + e / 2 * 8, column = 2 * t + e % 2;
            c[e] = fma(of_a[w][row % 8 * 4 + k % 4][k / 4 * 2 + row / 8], of_b[w][column * 4 + k % 4][k / 4], c[e]);
        }
    __syncwarp();
}

#include TEMPLATES

typedef SHAPE Threads;
typedef Threads::T T;
static u64 seed = 1;
static int any(int n) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((seed >> 33) % n);
}

// A factor: so many rows (or columns) by `to` terms, between NaN. `whole`: its elements may travel as vectors.
struct Factor {
    std::vector<T> memory;
    T *p;
    i64 step;
    bool along, whole;
    T *at(i64 x, i64 k) const { return p + (along ? x * step + k : k * step + x); }
};
static Factor factor(bool along, int n, int from, int to, bool aligned) {
    const int W = 16 / sizeof(T), line = along ? to : n;
    Factor f;
    f.along = along;
    f.step = (line + W - 1) / W * W + (aligned ? 0 : 1 + any(W - 1));
    f.memory.assign((along ? n : to) * f.step + 64, NAN);
    f.p = f.memory.data() + 16;
    while ((u64)f.p % 16) f.p++;
    if (!aligned && any(2)) f.p += 1 + any(W - 1);
    for (int x = 0; x < n; x++)
        for (int k = 0; k < to; k++) {
            T v = T(any(2000001) - 1000000) / T(1000003);
            if (x % 7 == 3) v = T(sizeof(T) == 4 ? 1e-24 : 1e-165);
            if (x % 11 == 5) v = any(2) ? T(0) : -T(0);
            *f.at(x, k) = v;
        }
    f.whole = f.step % W == 0 && (u64)f.p % 16 == 0 && (!along || from % W == 0);
    return f;
}

// A product; COMPUTED: the left factor is computed and not what lies in memory. Whether it is wrong.
template <bool ALONG_A, bool ALONG_B, bool COMPUTED> static bool test(int rows, int columns, int from, int to, bool aligned_a, bool aligned_b) {
    typedef mg_product<Threads, PANELS, ALONG_A, ALONG_B> Tiles;
    const Factor a = factor(ALONG_A, rows, from, to, aligned_a), b = factor(ALONG_B, columns, from, to, aligned_b);
    std::vector<T> out((size_t)rows * columns, T(7));
    // Half of the chains go on from what the results' memory holds.
    const bool goes_on = any(2);
    for (auto &x : out) x = T(any(2001) - 1000) / T(7);
    const std::vector<T> first = out;
    std::vector<int> written(out.size(), 0);
    bool beside = false;
    shared_bytes = Tiles::BYTES;
    shared = (char *)aligned_alloc(64, (shared_bytes + 63) / 64 * 64);
    for (i64 row = 0; row < rows; row += Tiles::ROWS)
        for (i64 column = 0; column < columns; column += Tiles::COLUMNS) {
            for (int i = 0; i < shared_bytes / (int)sizeof(T); i++) ((T *)shared)[i] = NAN;
            for (auto &g : groups) g.clear();
            launch(Threads::THREADS, [&] {
                const auto read_a = [&](i64 x, i64 k) -> const T * { return a.at(x, k); };
                const auto read_b = [&](i64 x, i64 k) -> const T * { return b.at(x, k); };
                const auto made_a = [&](i64 x, i64 k) {
                    beside |= x < 0 || x >= rows || k < from || k >= to;
                    return *a.at(x, k);
                };
                const auto result = [&](i64 r, i64 c, T value) {
                    out[r * columns + c] = value;
                    written[r * columns + c]++;
                };
                const auto start = [&](i64 r, i64 c) { return out[r * columns + c]; };
                const auto run = [&](auto start) {
                    if constexpr (COMPUTED) Tiles::run(shared, made_a, read_b, result, start, row, rows, column, columns, from, to, false, b.whole);
                    else Tiles::run(shared, read_a, read_b, result, start, row, rows, column, columns, from, to, a.whole, b.whole);
                };
                if (goes_on) run(start);
                else run(mg_zeros());
            });
        }
    free(shared);
    int bad = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            T sum = goes_on ? first[i * columns + j] : 0;
            for (int k = from; k < to; k++) sum = mg_chain(*a.at(i, k), *b.at(j, k), sum);
            bad += memcmp(&sum, &out[i * columns + j], sizeof(T)) != 0 || written[i * columns + j] != 1;
        }
    if (bad || beside)
        printf("WRONG: along %d %d computed %d, from zero %d, %d rows %d columns terms %d..%d, aligned %d %d, late %d, descending %d: %d results%s\n", ALONG_A, ALONG_B,
               COMPUTED, !goes_on, rows, columns, from, to, aligned_a, aligned_b, late, descending, bad, beside ? ", a term beside the factor" : "");
    return bad || beside;
}

template <bool ALONG_A, bool ALONG_B> static int all() {
    const int R = Threads::ROWS, C = Threads::COLUMNS, P = Threads::TERMS;
    const int high[] = {1, 3, R / 2 - 1, R - 4, R - 1, R, R + 1, R + 17, 2 * R - 1}, wide[] = {1, 2, C / 2 + 1, C - 4, C - 1, C, C + 4, C + 9, 2 * C - 3};
    int bad = 0;
    // Few terms and panels that are not whole.
    for (int count : {0, 1, 5, P - 1, P, P + 3, 2 * P, 3 * P + 1}) {
        late = any(2), descending = any(2);
        const int from = any(3) ? 0 : any(9);
        bad += test<ALONG_A, ALONG_B, false>(high[any(9)], wide[any(9)], from, from + count, any(4) != 0, any(4) != 0);
    }
    late = any(2), descending = any(2);
    bad += test<ALONG_A, ALONG_B, true>(high[5 + any(4)], wide[any(9)], 2, 4 + 3 * P, true, true);
    // Whole panels of whole tiles, which are asked for without questions.
    for (int way = 0; way < 4; way++) {
        late = way & 1, descending = way >> 1;
        bad += test<ALONG_A, ALONG_B, false>(high[5 + any(4)], wide[5 + any(4)], 4, 4 + (1 + any(8)) * P, true, true);
    }
    return bad;
}

int main() {
#ifdef ALONG_ONLY
    return all<true, false>() + all<true, true>() > 0;
#else
    return all<true, false>() + all<false, false>() + all<true, true>() + all<false, true>() > 0;
#endif
}
