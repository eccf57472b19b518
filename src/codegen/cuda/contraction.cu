/* Contractions: a block of threads computes a tile of results, every result one chain of fma from the first term to the last.
   Panels of terms of both factors wait in shared memory; the next ones are on their way meanwhile. `mg_side` brings the panels of
   a factor, `mg_fmas` and `mg_tensors` are what threads do with a panel, `mg_product` is the pipeline around both. */

template <class T> struct mg_plain { static constexpr bool value = false; typedef T type; };
template <class T> struct mg_plain<const T *> { static constexpr bool value = true; typedef T type; };

FN f32 mg_chain(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
FN f64 mg_chain(f64 a, f64 b, f64 c) { return fma(a, b, c); }

/* An address in shared memory, which is not computed anew wherever it is used. */
FN u32 mg_shared(const void *p) {
    u32 at = (u32)__cvta_generic_to_shared(p);
    asm volatile("" : "+r"(at));
    return at;
}
/* BYTES bytes to shared memory, or zeros; they arrive by the time that mg_arrived says. */
template <int BYTES> FN void mg_send(u32 to, const void *from, bool valid = true) {
#if __CUDA_ARCH__ >= 800
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? BYTES : 0) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(to), "l"(from), "r"(valid ? BYTES : 0), "n"(BYTES) : "memory");
#else
    for (int i = 0; i < BYTES / 4; i++)
        asm volatile("st.shared.b32 [%0], %1;" ::"r"(to + 4 * i), "r"(valid ? ((const u32 *)from)[i] : 0) : "memory");
#endif
}
/* The same without a branch, so that it may move between other instructions: 16 bytes, if there are more panels. */
FN void mg_send_more(u32 to, const void *from, bool more) {
#if __CUDA_ARCH__ >= 800
    asm volatile("{.reg .pred p; setp.ne.u32 p, %2, 0; @p cp.async.cg.shared.global [%0], [%1], 16;}" ::"r"(to), "l"(from), "r"((u32)more) : "memory");
#else
    if (more) mg_send<16>(to, from);
#endif
}
FN void mg_sent() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int LATER> FN void mg_arrived() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(LATER) : "memory");
#endif
}

/* From and to shared memory, by an address whose literal part goes into the instruction. */
FN void mg_take(uint4 &w, u32 at) {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w) : "r"(at));
}
FN void mg_take(f32 &x, u32 at) { asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(at)); }
FN void mg_take(f64 &x, u32 at) { asm volatile("ld.shared.f64 %0, [%1];" : "=d"(x) : "r"(at)); }
FN void mg_keep(u32 at, f32 x) { asm volatile("st.shared.f32 [%0], %1;" ::"r"(at), "f"(x) : "memory"); }
FN void mg_keep(u32 at, f64 x) { asm volatile("st.shared.f64 [%0], %1;" ::"r"(at), "d"(x) : "memory"); }

/* Many panels under way need the shared memory of a data centre's GPU. */
#if __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 870 || (__CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200)
#define MG_DEEP 4
#else
#define MG_DEEP 2
#endif

/* Where elements of a panel lie, TILE rows (or columns) by TERMS terms: row by row (LINES) or term by term. Four elements behind
   each line stay empty, so that threads find theirs in different banks, whichever way. `place` is linear. */
template <bool LINES, int TILE, int TERMS> struct mg_panel {
    static constexpr int ROW = (LINES ? TERMS : TILE) + 4, SIZE = (LINES ? TILE : TERMS) * ROW;
    static INLINE constexpr int place(int x, int k) { return LINES ? x * ROW + k : k * ROW + x; }
};

/* One factor's way to its panels. ALONG: terms lie beside each other in memory, else rows do. F gives an element's address, or its
   value where it is computed. Elements travel by 16 bytes, asynchronously; those that must be computed, or turned because terms
   lie apart in the panel, wait in registers (HELD) from `ask` to `put`. */
template <class F, class T, bool ALONG, bool LINES, int TILE, int TERMS, int THREADS> struct mg_side {
    typedef mg_panel<LINES, TILE, TERMS> Panel;
    static constexpr bool PLAIN = mg_plain<decltype(((F *)0)->operator()(0LL, 0LL))>::value;
    static constexpr bool TURN = ALONG && !LINES, HELD = !PLAIN || TURN;
    static constexpr int W = 16 / sizeof(T), V = PLAIN ? W : 1;
    static constexpr int TURNS = (TILE * TERMS / V + THREADS - 1) / THREADS;
    /* Threads that share a line of memory: 32 bytes of it, if they write to a line of the panel each. */
    static constexpr int NEAR = (!ALONG ? TILE : TURN ? 32 / (int)sizeof(T) : TERMS) / V;
    /* The row and the term of vector v: linear in v, as all numbers here are powers of two. */
    static INLINE constexpr int x_of(int v) { return ALONG ? v / NEAR % TILE : v % NEAR * V; }
    static INLINE constexpr int k_of(int v) { return ALONG ? (v % NEAR + v / (NEAR * TILE) * NEAR) * V : v / NEAR; }

    const F &f;
    const i64 first, end;
    /* Where the thread's first element of the first panel goes. */
    const u32 to;
    /* Whether panels of all their terms travel as vectors. */
    bool whole;
    const T *at;
    mg_vec<T, V> held[HELD ? TURNS : 1];

    /* The tile's first row: the last tile moves back, so that it is whole if there are enough rows. */
    static INLINE i64 start(i64 row, i64 rows) {
        const i64 last = (ALONG ? rows : (rows + W - 1) / W * W) - TILE;
        return row <= last ? row : last > 0 ? last : 0;
    }
    INLINE mg_side(const F &f, const T *room, i64 first, i64 end, i64 from, bool whole)
        : f(f), first(first), end(end), to(mg_shared(room + Panel::place(x_of(threadIdx.x), k_of(threadIdx.x)))) {
        this->whole = PLAIN && whole && first + TILE <= (ALONG ? end : (end + W - 1) / W * W);
        if constexpr (PLAIN) at = f(first + x_of(threadIdx.x), from + k_of(threadIdx.x));
    }
    /* Asks for all terms of a panel, `panel` elements behind the first panel, as vectors; if there are more panels. Without a branch,
       so that the requests can move between other instructions: what would wait in registers is the last panel once more. */
    INLINE void ask_whole(int panel, bool more = true) {
        if constexpr (PLAIN) {
            const i64 step = f(0, TERMS) - f(0, 0);
            const T *const here = HELD && !more ? at - step : at;
#pragma unroll
            for (int t = 0; t < TURNS; t++) {
                const int dx = x_of(t * THREADS), dk = k_of(t * THREADS);
                const bool mine = TILE * TERMS / V % THREADS == 0 || k_of(threadIdx.x) + dk < TERMS;
                const T *const from = here + (f(dx, dk) - f(0, 0));
                const u32 place = to + (panel + Panel::place(dx, dk)) * (int)sizeof(T);
                if constexpr (HELD) {
                    if (mine) held[t].word = *(const decltype(held[t].word) *)from;
                } else mg_send_more(place, from, mine && more);
            }
            at += more ? step : 0;
        }
    }
    /* Asks for a panel of `count` terms. */
    INLINE void ask(int panel, i64 term, int count) {
        if (whole && count == TERMS) return ask_whole(panel);
        const auto one = [&](int t, int v) {
            const int x = x_of(threadIdx.x), k = k_of(threadIdx.x);
            const int dx = x_of(t * THREADS) + (ALONG ? 0 : v), dk = k_of(t * THREADS) + (ALONG ? v : 0);
            const i64 i = first + x + dx, l = term + k + dk;
            const bool in = i < end && k + dk < count;
            if constexpr (!PLAIN) held[t].v[v] = in ? f(i, l) : T(0);
            else if constexpr (HELD) held[t].v[v] = in ? *f(i, l) : T(0);
            else if (k + dk < TERMS) mg_send<sizeof(T)>(to + (panel + Panel::place(dx, dk)) * (int)sizeof(T), f(i, l), in);
        };
        if constexpr (HELD) {
#pragma unroll
            for (int t = 0; t < TURNS; t++)
#pragma unroll
                for (int v = 0; v < V; v++) one(t, v);
        } else {
            /* Rare, so the compiler must not keep its addresses in registers. */
#pragma unroll 1
            for (int t = 0; t < TURNS * V; t++) one(t / V, t % V);
        }
    }
    /* Puts elements that waited in registers into the panel. */
    INLINE void put(int panel) const {
        if constexpr (HELD) {
#pragma unroll
            for (int t = 0; t < TURNS; t++) {
                const int dx = x_of(t * THREADS), dk = k_of(t * THREADS);
                if (TILE * TERMS / V % THREADS != 0 && k_of(threadIdx.x) + dk >= TERMS) break;
#pragma unroll
                for (int v = 0; v < V; v++) mg_keep(to + (panel + Panel::place(dx, dk + v)) * (int)sizeof(T), held[t].v[v]);
            }
        }
    }
};

/* Where a column lies in a line of results that leave, of LANES threads with V neighbours each: a thread's are not neighbours. Stored
   as vectors, they would be in neighbouring registers while they are added to, and all operands of most fma in one bank: 0.9 of
   the speed. */
template <int LANES, int V> FN int mg_apart(int column) { return column / (LANES * V) * (LANES * V) + column % V * LANES + column / V % LANES; }

/* Results by fma: WM by WN warps of LM by LN threads with M by N results each. A beat is a term. Neighbouring threads have
   vectors of rows and of columns, M / V and N / V of them. */
template <class Type, int WM, int WN, int LM, int LN, int M, int N, int TERMS_> struct mg_fmas {
    typedef Type T;
    static constexpr bool LINES = false, LINES_COLUMNS = false;
    static constexpr int THREADS = 32 * WM * WN, HIGH = WM, ROWS = WM * LM * M, COLUMNS = WN * LN * N, TERMS = TERMS_, BEATS = TERMS, V = 16 / sizeof(T);
    T sum[M][N];
    mg_vec<T, V> u[2][M / V], v[2][N / V];

    static INLINE int row() { return threadIdx.x / 32 / WN * (LM * M) + threadIdx.x % 32 / LN * V; }
    static INLINE int column() { return threadIdx.x / 32 % WN * (LN * N) + threadIdx.x % LN * V; }
    static INLINE int term() { return 0; }
    INLINE void clear() {
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[i][j] = 0;
    }
    /* Chains go on from f(row, column). */
    template <class F> INLINE void begin(const F &f) {
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[i][j] = f(row() + i / V * LM * V + i % V, column() + j / V * LN * V + j % V);
    }
    /* Loads what a beat needs from the panels at a and b. */
    template <class A, class B> INLINE void load(u32 a, u32 b, int beat) {
#pragma unroll
        for (int i = 0; i < M / V; i++) mg_take(u[beat % 2][i].word, a + A::place(i * LM * V, beat) * (int)sizeof(T));
#pragma unroll
        for (int j = 0; j < N / V; j++) mg_take(v[beat % 2][j].word, b + B::place(j * LN * V, beat) * (int)sizeof(T));
    }
    /* Row by row, back and forth, so that an operand is used again: measured best. */
    INLINE void add(int beat) {
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int k = 0; k < N; k++) {
                const int j = i & 1 ? N - 1 - k : k;
                sum[i][j] = mg_chain(u[beat % 2][i / V].v[i % V], v[beat % 2][j / V].v[j % V], sum[i][j]);
            }
    }
    /* Adds one term, the panels' elements at a and b. */
    template <class A, class B> INLINE void add_one(const T *a, const T *b) {
        a += A::place(row(), 0), b += B::place(column(), 0);
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[i][j] = mg_chain(a[A::place(i / V * LM * V + i % V, 0)], b[B::place(j / V * LN * V + j % V, 0)], sum[i][j]);
    }
    /* A warp's stores fall on different banks. */
    static constexpr int LINE = COLUMNS + (LN + 3) / 4;
    static INLINE int place(int column) { return mg_apart<LN, V>(column); }
    /* Calls f(row, place, result) for the thread's results in slice number S of SLICES: a part of every warp's rows, which are counted
       without the others. */
    template <int S, int SLICES, class F> INLINE void each(const F &f) const {
        static_assert(M % (SLICES * V) == 0, "whole vectors of rows");
        const int r = threadIdx.x / 32 / WN * (LM * M / SLICES) + threadIdx.x % 32 / LN * V, c = place(column());
#pragma unroll
        for (int i = 0; i < M / SLICES; i++)
#pragma unroll
            for (int j = 0; j < N; j++) f(r + i / V * LM * V + i % V, c + j / V * LN * V + j % V * LN, sum[S * (M / SLICES) + i][j]);
    }
};

/* The same where the terms of rows lie beside each other, and panels keep them so: a beat is a vector of terms of one of a thread's M
   rows, and of all columns in the first of them. For few columns, whose rows are read once: nothing is turned on the way. */
template <class Type, int WM, int WN, int LM, int LN, int M, int N, int TERMS_> struct mg_lines {
    typedef Type T;
    static constexpr bool LINES = true, LINES_COLUMNS = false;
    static constexpr int V = 16 / sizeof(T), THREADS = 32 * WM * WN, HIGH = WM, ROWS = WM * LM * M, COLUMNS = WN * LN * N, TERMS = TERMS_, BEATS = TERMS / V * M;
    T sum[M][N];
    mg_vec<T, V> u[2], v[2][V][N / V];

    static INLINE int row() { return threadIdx.x / 32 / WN * (LM * M) + threadIdx.x % 32 / LN; }
    static INLINE int column() { return threadIdx.x / 32 % WN * (LN * N) + threadIdx.x % LN * V; }
    static INLINE int term() { return 0; }
    INLINE void clear() {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[m][j] = 0;
    }
    template <class F> INLINE void begin(const F &f) {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[m][j] = f(row() + m * LM, column() + j / V * LN * V + j % V);
    }
    template <class A, class B> INLINE void load(u32 a, u32 b, int beat) {
        const int g = beat / M, m = beat % M;
        if (m == 0)
#pragma unroll
            for (int q = 0; q < V; q++)
#pragma unroll
                for (int j = 0; j < N / V; j++) mg_take(v[g % 2][q][j].word, b + B::place(j * LN * V, g * V + q) * (int)sizeof(T));
        mg_take(u[beat % 2].word, a + A::place(m * LM, g * V) * (int)sizeof(T));
    }
    INLINE void add(int beat) {
        const int g = beat / M, m = beat % M;
#pragma unroll
        for (int q = 0; q < V; q++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[m][j] = mg_chain(u[beat % 2].v[q], v[g % 2][q][j / V].v[j % V], sum[m][j]);
    }
    template <class A, class B> INLINE void add_one(const T *a, const T *b) {
        a += A::place(row(), 0), b += B::place(column(), 0);
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[m][j] = mg_chain(a[A::place(m * LM, 0)], b[B::place(j / V * LN * V + j % V, 0)], sum[m][j]);
    }
    static constexpr int LINE = COLUMNS + LN;
    static INLINE int place(int column) { return mg_apart<LN, V>(column); }
    template <int S, int SLICES, class F> INLINE void each(const F &f) const {
        static_assert(M % SLICES == 0, "whole rows");
        const int r = threadIdx.x / 32 / WN * (LM * M / SLICES) + threadIdx.x % 32 / LN, c = place(column());
#pragma unroll
        for (int m = 0; m < M / SLICES; m++)
#pragma unroll
            for (int j = 0; j < N; j++) f(r + m * LM, c + j / V * LN * V + j % V * LN, sum[S * (M / SLICES) + m][j]);
    }
};

/* Few results: a warp has them all, a lane M rows of one column. A beat is EACH terms, whose loads are under way together. */
template <class Type, int ROWS_, int COLUMNS_, int TERMS_> struct mg_few {
    typedef Type T;
    static constexpr bool LINES = false, LINES_COLUMNS = false;
    static constexpr int THREADS = 32, HIGH = 1, ROWS = ROWS_, COLUMNS = COLUMNS_, TERMS = TERMS_, EACH = 8, BEATS = TERMS / EACH;
    static constexpr int HIGHEST = 32 / COLUMNS, LM = HIGHEST < ROWS ? HIGHEST : ROWS, M = ROWS / LM;
    T sum[M], u[2][EACH][M], v[2][EACH];

    /* Of fewer results than lanes, some lanes have the same. */
    static INLINE int row() { return threadIdx.x / COLUMNS % LM; }
    static INLINE int column() { return threadIdx.x % COLUMNS; }
    static INLINE int term() { return 0; }
    INLINE void clear() {
#pragma unroll
        for (int m = 0; m < M; m++) sum[m] = 0;
    }
    template <class F> INLINE void begin(const F &f) {
#pragma unroll
        for (int m = 0; m < M; m++) sum[m] = f(row() + m * LM, column());
    }
    template <class A, class B> INLINE void load(u32 a, u32 b, int beat) {
#pragma unroll
        for (int q = 0; q < EACH; q++) {
#pragma unroll
            for (int m = 0; m < M; m++) mg_take(u[beat % 2][q][m], a + A::place(m * LM, beat * EACH + q) * (int)sizeof(T));
            mg_take(v[beat % 2][q], b + B::place(0, beat * EACH + q) * (int)sizeof(T));
        }
    }
    INLINE void add(int beat) {
#pragma unroll
        for (int q = 0; q < EACH; q++)
#pragma unroll
            for (int m = 0; m < M; m++) sum[m] = mg_chain(u[beat % 2][q][m], v[beat % 2][q], sum[m]);
    }
    template <class A, class B> INLINE void add_one(const T *a, const T *b) {
#pragma unroll
        for (int m = 0; m < M; m++) sum[m] = mg_chain(a[A::place(row() + m * LM, 0)], b[B::place(column(), 0)], sum[m]);
    }
    static constexpr int LINE = COLUMNS + 1;
    static INLINE int place(int column) { return column; }
    template <int S, int SLICES, class F> INLINE void each(const F &f) const {
        static_assert(SLICES == 1, "all at once");
#pragma unroll
        for (int m = 0; m < M; m++) f(row() + m * LM, column(), sum[m]);
    }
};

/* c += a * b for 16 by 8 results and 8 terms, over a warp: the fragments of `mma.m16n8k8` (PTX ISA). Tensor cores of f64 add as a
   chain of fma from the first term to the last does, bit for bit: measured on an H200 with random terms, for both shapes here and
   for those of 4 and 16 terms. */
FN void mg_mma(f64 (&c)[4], const f64 (&a)[4], const f64 (&b)[2]) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
                 : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
#elif __CUDA_ARCH__ >= 800
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
            asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                         : "+d"(c[2 * half]), "+d"(c[2 * half + 1])
                         : "d"(a[2 * i + half]), "d"(b[i]));
#else
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const f64 x = __shfl_sync(~0u, a[k / 4 * 2 + e / 2], g * 4 + k % 4), y = __shfl_sync(~0u, b[k / 4], (2 * t + e % 2) * 4 + k % 4);
            c[e] = fma(x, y, c[e]);
        }
#endif
}

/* Results of f64 on tensor cores: WM by WN warps of M by N fragments of 16 by 8 results. A beat is 8 terms of a fragment's rows, and
   of all columns in the first of M. */
template <int WM, int WN, int M, int N> struct mg_tensors {
    typedef f64 T;
    static constexpr bool LINES = true, LINES_COLUMNS = true;
    static constexpr int THREADS = 32 * WM * WN, HIGH = WM, ROWS = WM * M * 16, COLUMNS = WN * N * 8, TERMS = 16, BEATS = TERMS / 8 * M;
    T sum[M][N][4], u[2][4], v[2][N][2];

    static INLINE int row() { return threadIdx.x / 32 / WN * M * 16 + threadIdx.x % 32 / 4; }
    static INLINE int column() { return threadIdx.x / 32 % WN * N * 8 + threadIdx.x % 32 / 4; }
    static INLINE int term() { return threadIdx.x % 4; }
    INLINE void clear() {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) sum[m][j][e] = 0;
    }
    template <class F> INLINE void begin(const F &f) {
        const int c = column() - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) sum[m][j][e] = f(row() + m * 16 + e / 2 * 8, c + j * 8 + e % 2);
    }
    template <class A, class B> INLINE void load(u32 a, u32 b, int beat) {
        const int s = beat / M, m = beat % M;
        if (m == 0)
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < N; j++) mg_take(v[s % 2][j][i], b + B::place(j * 8, s * 8 + i * 4) * 8);
#pragma unroll
        for (int i = 0; i < 4; i++) mg_take(u[beat % 2][i], a + A::place(m * 16 + i % 2 * 8, s * 8 + i / 2 * 4) * 8);
    }
    INLINE void add(int beat) {
        const int m = beat % M;
#pragma unroll
        for (int j = 0; j < N; j++) mg_mma(sum[m][m & 1 ? N - 1 - j : j], u[beat % 2], v[beat / M % 2][m & 1 ? N - 1 - j : j]);
    }
    template <class A, class B> INLINE void add_one(const T *a, const T *b) {
        a += A::place(row(), 0), b += B::place(column() - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2, 0);
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) sum[m][j][e] = mg_chain(a[A::place(m * 16 + e / 2 * 8, 0)], b[B::place(j * 8 + e % 2, 0)], sum[m][j][e]);
    }
    static constexpr int LINE = COLUMNS + 4;
    static INLINE int place(int column) { return column; }
    template <int S, int SLICES, class F> INLINE void each(const F &f) const {
        static_assert(M % SLICES == 0, "whole fragments");
        const int r = threadIdx.x / 32 / WN * (M / SLICES) * 16 + threadIdx.x % 32 / 4;
        const int c = column() - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int m = 0; m < M / SLICES; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) f(r + m * 16 + e / 2 * 8, c + j * 8 + e % 2, sum[S * (M / SLICES) + m][j][e]);
    }
};

/* Chains that start from zero. */
struct mg_zeros {};
template <class S> struct mg_from_zeros { static constexpr bool value = false; };
template <> struct mg_from_zeros<mg_zeros> { static constexpr bool value = true; };

/* A tile of results: P (mg_fmas and its kin) works on a panel while STAGES - 1 others are on their way. */
template <class P, int STAGES, bool ALONG_A, bool ALONG_B> struct mg_product {
    typedef typename P::T T;
    static constexpr int ROWS = P::ROWS, COLUMNS = P::COLUMNS, TERMS = P::TERMS, BEATS = P::BEATS, SIZE = sizeof(T);
    static constexpr bool LINES_A = ALONG_A && P::LINES, LINES_B = ALONG_B && P::LINES_COLUMNS;
    typedef mg_panel<LINES_A, ROWS, TERMS> Left;
    typedef mg_panel<LINES_B, COLUMNS, TERMS> Right;
    static constexpr int STAGE = Left::SIZE + Right::SIZE, BYTES = STAGE * STAGES * SIZE;
    /* Results leave through shared memory, so that neighbouring threads write neighbouring elements, in so many slices of rows. */
    static constexpr int slices(int n) { return ROWS * P::LINE <= STAGE * STAGES * n ? n : slices(2 * n); }
    static constexpr int SLICES = slices(1), SLICE = ROWS / SLICES;

    /* Slice number S and those behind it. */
    template <int S, class Out> static INLINE void leave(T *room, const P &mine, const Out &out, i64 row, i64 rows, i64 column, i64 columns, i64 high, i64 wide) {
        constexpr int BLOCK = SLICE / P::HIGH;
        const auto row_of = [](int r) { return r / BLOCK * (BLOCK * SLICES) + S * BLOCK + r % BLOCK; };
        __syncthreads();
        mine.template each<S, SLICES>([&](int r, int place, T value) { room[r * P::LINE + place] = value; });
        __syncthreads();
        if (SLICE * COLUMNS % P::THREADS == 0 && high == row && wide == column && high + ROWS <= rows && wide + COLUMNS <= columns) {
            /* No branch, so that a thread's loads are under way together. */
#pragma unroll 8
            for (int t = 0; t < SLICE * COLUMNS / P::THREADS; t++) {
                const int e = (int)threadIdx.x + t * P::THREADS;
                out(high + row_of(e / COLUMNS), wide + e % COLUMNS, room[e / COLUMNS * P::LINE + P::place(e % COLUMNS)]);
            }
        } else {
#pragma unroll 1
            for (int e = threadIdx.x; e < SLICE * COLUMNS; e += P::THREADS) {
                const i64 r = high + row_of(e / COLUMNS), c = wide + e % COLUMNS;
                if (r >= row && r < rows && c >= column && c < columns) out(r, c, room[e / COLUMNS * P::LINE + P::place(e % COLUMNS)]);
            }
        }
        if constexpr (S + 1 < SLICES) leave<S + 1>(room, mine, out, row, rows, column, columns, high, wide);
    }

    /* The tile whose first row is `high` and first column `wide`. WHOLE: all panels have all their terms, of whole tiles, and none is
       looked at. What is worked on is not shared between the two, or the compiler finds worse registers for both. */
    template <bool WHOLE, class SideA, class SideB, class Out, class Start>
    static INLINE void go(T *room, SideA &left, SideB &right, const Out &out, const Start &start, i64 row, i64 rows, i64 column, i64 columns, i64 high, i64 wide, i64 from, i64 to) {
        i64 rest = to > from ? to - from : 0;
        /* Asks for the panel from where so many terms are left. */
        const auto ask = [&](int panel, i64 later) {
            if constexpr (WHOLE) {
                left.ask_whole(panel, later > 0);
                right.ask_whole(panel, later > 0);
            } else if (later > 0) {
                const int count = later < TERMS ? (int)later : TERMS;
                left.ask(panel, to - later, count);
                right.ask(panel, to - later, count);
            }
        };
        const auto put = [&](int panel, i64 later) {
            /* A panel that nobody asks for is free, so that what waits in registers may go there. */
            if (WHOLE || later > 0) {
                left.put(panel);
                right.put(panel);
            }
        };
#pragma unroll 1
        for (int s = 0; s < STAGES - 1; s++) {
            ask(s * STAGE, rest - s * TERMS);
            put(s * STAGE, rest - s * TERMS);
            mg_sent();
        }
        P mine;
        if constexpr (mg_from_zeros<Start>::value) mine.clear();
        else mine.begin([&](int r, int c) { return high + r >= row && high + r < rows && wide + c >= column && wide + c < columns ? start(high + r, wide + c) : T(0); });
        const u32 x = mg_shared(room + Left::place(P::row(), P::term())), y = mg_shared(room + Left::SIZE + Right::place(P::column(), P::term()));
        mg_arrived<STAGES - 2>();
        __syncthreads();
        mine.template load<Left, Right>(x, y, 0);
        int slot = 0, next = (STAGES - 1) * STAGE;
#pragma unroll 1
        for (; rest >= TERMS; rest -= TERMS) {
            const i64 later = rest - (STAGES - 1) * TERMS;
            const int after = slot + STAGE == STAGES * STAGE ? 0 : slot + STAGE;
#pragma unroll
            for (int beat = 0; beat < BEATS; beat++) {
                if (beat == BEATS - 1) {
                    mg_arrived<STAGES - 2>();
                    __syncthreads();
                }
                /* What threads need first is loaded first: all of it waits in one queue. */
                const int s = (beat == BEATS - 1 ? after : slot) * SIZE;
                mine.template load<Left, Right>(x + s, y + s, (beat + 1) % BEATS);
                if (beat == 0) ask(next, later);
                if (beat == BEATS - 2) {
                    put(next, later);
                    mg_sent();
                }
                mine.add(beat);
            }
            slot = after;
            next = next + STAGE == STAGES * STAGE ? 0 : next + STAGE;
        }
        /* No term more than there are: one of zeros could turn a sum of -0 into 0. */
        if constexpr (!WHOLE)
#pragma unroll 1
            for (int k = 0; k < (int)rest; k++) {
                const T *const panel = room + slot;
                mine.template add_one<Left, Right>(panel + Left::place(0, k), panel + Left::SIZE + Right::place(0, k));
            }
        mg_arrived<0>();
        leave<0>(room, mine, out, row, rows, column, columns, high, wide);
    }

    template <class A, class B, class Out, class Start>
    static INLINE void run(void *room_, const A &a, const B &b, const Out &out, const Start &start, i64 row, i64 rows, i64 column, i64 columns, i64 from, i64 to, bool whole_a, bool whole_b) {
        static_assert(ALONG_A || P::LINES == P::LINES_COLUMNS, "mg_lines wants rows whose terms lie beside each other");
        typedef mg_side<A, T, ALONG_A, LINES_A, ROWS, TERMS, P::THREADS> SideA;
        typedef mg_side<B, T, ALONG_B, LINES_B, COLUMNS, TERMS, P::THREADS> SideB;
        T *const room = (T *)room_;
        const i64 high = SideA::start(row, rows), wide = SideB::start(column, columns);
        SideA left(a, room, high, rows, from, whole_a);
        SideB right(b, room + Left::SIZE, wide, columns, from, whole_b);
        if constexpr (SideA::PLAIN && SideB::PLAIN)
            if (left.whole && right.whole && to > from && (to - from) % TERMS == 0)
                return go<true>(room, left, right, out, start, row, rows, column, columns, high, wide, from, to);
        go<false>(room, left, right, out, start, row, rows, column, columns, high, wide, from, to);
    }
};
