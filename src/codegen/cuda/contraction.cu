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
   lie apart in the panel, wait in registers (HELD) from `ask` to `put`. HOLD false: turned elements go one by one instead. */
template <class F, class T, bool ALONG, bool LINES, bool HOLD, int TILE, int TERMS, int THREADS> struct mg_side {
    typedef mg_panel<LINES, TILE, TERMS> Panel;
    static constexpr bool PLAIN = mg_plain<decltype(((F *)0)->operator()(0LL, 0LL))>::value;
    static constexpr bool TURN = ALONG && !LINES, HELD = !PLAIN || (TURN && HOLD);
    static constexpr int W = 16 / sizeof(T), V = PLAIN && (!TURN || HOLD) ? W : 1;
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
    /* The terms that a panel must have to travel as vectors: all, or more than there are. */
    int enough;
    const T *at;
    mg_vec<T, V> held[HELD ? TURNS : 1];

    /* The tile's first row: the last tile moves back, so that it is whole if there are enough rows. */
    static INLINE i64 start(i64 row, i64 rows) {
        const i64 last = (ALONG ? rows : (rows + W - 1) / W * W) - TILE;
        return row <= last ? row : last > 0 ? last : 0;
    }
    INLINE mg_side(const F &f, const T *room, i64 first, i64 end, i64 from, bool whole)
        : f(f), first(first), end(end), to(mg_shared(room + Panel::place(x_of(threadIdx.x), k_of(threadIdx.x)))) {
        enough = whole && first + TILE <= (ALONG ? end : (end + W - 1) / W * W) ? TERMS : TERMS + 1;
        if constexpr (PLAIN) at = f(first + x_of(threadIdx.x), from + k_of(threadIdx.x));
    }
    /* Asks for a panel of `count` terms, `panel` elements behind the first panel. */
    INLINE void ask(int panel, i64 term, int count) {
        if constexpr (PLAIN) {
            if (count >= enough) {
#pragma unroll
                for (int t = 0; t < TURNS; t++) {
                    const int dx = x_of(t * THREADS), dk = k_of(t * THREADS);
                    if (TILE * TERMS / V % THREADS != 0 && k_of(threadIdx.x) + dk >= TERMS) break;
                    const T *const from = at + (f(dx, dk) - f(0, 0));
                    if constexpr (HELD) held[t].word = *(const decltype(held[t].word) *)from;
                    else mg_send<V * sizeof(T)>(to + (panel + Panel::place(dx, dk)) * (int)sizeof(T), from);
                }
                at += f(0, TERMS) - f(0, 0);
                return;
            }
        }
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

/* Results by fma: WM by WN warps of LM by LN threads with M by N results each. A beat is a term. Neighbouring threads have
   vectors of rows and of columns, M / V and N / V of them. */
template <class Type, int WM, int WN, int LM, int LN, int M, int N, int TERMS_> struct mg_fmas {
    typedef Type T;
    static constexpr bool LINES = false;
    static constexpr int THREADS = 32 * WM * WN, ROWS = WM * LM * M, COLUMNS = WN * LN * N, TERMS = TERMS_, BEATS = TERMS, V = 16 / sizeof(T);
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
    /* Loads what a beat needs from the panels at a and b. */
    template <class A, class B> INLINE void load(u32 a, u32 b, int beat) {
#pragma unroll
        for (int i = 0; i < M / V; i++) mg_take(u[beat % 2][i].word, a + A::place(i * LM * V, beat) * (int)sizeof(T));
#pragma unroll
        for (int j = 0; j < N / V; j++) mg_take(v[beat % 2][j].word, b + B::place(j * LN * V, beat) * (int)sizeof(T));
    }
    INLINE void step(int i, int j, int slot) { sum[i][j] = mg_chain(u[slot][i / V].v[i % V], v[slot][j / V].v[j % V], sum[i][j]); }
    /* By pairs of columns, back and forth, so that an operand is used again: measured best. */
    INLINE void add(int beat) {
#pragma unroll
        for (int j = 0; j < N; j += 2)
#pragma unroll
            for (int k = 0; k < M; k++) {
                const int i = j & 2 ? M - 1 - k : k;
                step(i, j, beat % 2);
                step(i, j + 1, beat % 2);
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
    /* Calls f(row, column, result) for all results of the thread. */
    template <class F> INLINE void each(const F &f) const {
        const int r = row(), c = column();
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++) f(r + i / V * LM * V + i % V, c + j / V * LN * V + j % V, sum[i][j]);
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
    static constexpr bool LINES = true;
    static constexpr int THREADS = 32 * WM * WN, ROWS = WM * M * 16, COLUMNS = WN * N * 8, TERMS = 16, BEATS = TERMS / 8 * M;
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
    template <class F> INLINE void each(const F &f) const {
        const int r = row(), c = column() - threadIdx.x % 32 / 4 + threadIdx.x % 4 * 2;
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) f(r + m * 16 + e / 2 * 8, c + j * 8 + e % 2, sum[m][j][e]);
    }
};

/* A tile of results: P (mg_fmas or mg_tensors) works on a panel while STAGES - 1 others are on their way. */
template <class P, int STAGES, bool ALONG_A, bool ALONG_B> struct mg_product {
    typedef typename P::T T;
    static constexpr int ROWS = P::ROWS, COLUMNS = P::COLUMNS, TERMS = P::TERMS, BEATS = P::BEATS, SIZE = sizeof(T);
    static constexpr bool LINES_A = ALONG_A && P::LINES, LINES_B = ALONG_B && P::LINES;
    typedef mg_panel<LINES_A, ROWS, TERMS> Left;
    typedef mg_panel<LINES_B, COLUMNS, TERMS> Right;
    static constexpr int STAGE = Left::SIZE + Right::SIZE, BYTES = STAGE * STAGES * SIZE;
    /* Results leave through shared memory in slices of so many rows. */
    static constexpr int slice(int rows) { return rows * COLUMNS <= STAGE * STAGES ? rows : slice(rows / 2); }

    template <class A, class B, class Out>
    static INLINE void run(void *room_, const A &a, const B &b, const Out &out, i64 row, i64 rows, i64 column, i64 columns, i64 from, i64 to, bool whole_a, bool whole_b) {
        /* Elements that pass through registers are worth it where a panel takes long. */
        constexpr bool HOLD = STAGES < 4;
        typedef mg_side<A, T, ALONG_A, LINES_A, HOLD, ROWS, TERMS, P::THREADS> SideA;
        typedef mg_side<B, T, ALONG_B, LINES_B, HOLD, COLUMNS, TERMS, P::THREADS> SideB;
        T *const room = (T *)room_;
        const i64 high = SideA::start(row, rows), wide = SideB::start(column, columns);
        SideA left(a, room, high, rows, from, whole_a);
        SideB right(b, room + Left::SIZE, wide, columns, from, whole_b);
        i64 rest = to > from ? to - from : 0;
        const auto ask = [&](int panel, i64 rest, int count) {
            left.ask(panel, to - rest, count);
            right.ask(panel, to - rest, count);
        };
        const auto put = [&](int panel) {
            left.put(panel);
            right.put(panel);
        };
#pragma unroll 1
        for (int s = 0; s < STAGES - 1; s++) {
            const i64 later = rest - s * TERMS;
            if (later > 0) {
                ask(s * STAGE, later, later < TERMS ? (int)later : TERMS);
                put(s * STAGE);
            }
            mg_sent();
        }
        P mine;
        mine.clear();
        const u32 x = mg_shared(room + Left::place(P::row(), P::term())), y = mg_shared(room + Left::SIZE + Right::place(P::column(), P::term()));
        mg_arrived<STAGES - 2>();
        __syncthreads();
        mine.template load<Left, Right>(x, y, 0);
        int slot = 0, next = (STAGES - 1) * STAGE;
#pragma unroll 1
        for (; rest >= TERMS; rest -= TERMS) {
            const i64 later = rest - (STAGES - 1) * TERMS;
            const int count = later < TERMS ? (int)later : TERMS;
            const int after = slot + STAGE == STAGES * STAGE ? 0 : slot + STAGE;
#pragma unroll
            for (int beat = 0; beat < BEATS; beat++) {
                if (beat == 0 && count > 0) ask(next, later, count);
                if (beat == BEATS - 2) {
                    if (count > 0) put(next);
                    mg_sent();
                }
                if (beat == BEATS - 1) {
                    mg_arrived<STAGES - 2>();
                    __syncthreads();
                }
                const int s = (beat == BEATS - 1 ? after : slot) * SIZE;
                mine.template load<Left, Right>(x + s, y + s, (beat + 1) % BEATS);
                mine.add(beat);
            }
            slot = after;
            next = next + STAGE == STAGES * STAGE ? 0 : next + STAGE;
        }
        /* No term more than there are: one of zeros could turn a sum of -0 into 0. */
#pragma unroll 1
        for (int k = 0; k < (int)rest; k++) {
            const T *const panel = room + slot;
            mine.template add_one<Left, Right>(panel + Left::place(0, k), panel + Left::SIZE + Right::place(0, k));
        }
        mg_arrived<0>();
        /* Through shared memory, so that neighbouring threads write neighbouring elements. */
        constexpr int SLICE = slice(ROWS);
        const bool all = high == row && wide == column && high + ROWS <= rows && wide + COLUMNS <= columns;
#pragma unroll 1
        for (int s = 0; s < ROWS; s += SLICE) {
            __syncthreads();
            mine.each([&](int r, int c, T value) {
                if (SLICE == ROWS || (r >= s && r < s + SLICE)) room[(r - s) * COLUMNS + c] = value;
            });
            __syncthreads();
            if (all) {
                /* No branch, so that a thread's loads are under way together. */
#pragma unroll 8
                for (int t = 0; t < SLICE * COLUMNS / P::THREADS; t++) {
                    const int e = (int)threadIdx.x + t * P::THREADS;
                    out(high + s + e / COLUMNS, wide + e % COLUMNS, room[e]);
                }
                continue;
            }
#pragma unroll 1
            for (int e = threadIdx.x; e < SLICE * COLUMNS; e += P::THREADS) {
                const i64 r = high + s + e / COLUMNS, c = wide + e % COLUMNS;
                if (r >= row && r < rows && c >= column && c < columns) out(r, c, room[e]);
            }
        }
    }
};
