/* Contractions: a block of threads computes a tile of results, every result one chain of fma from the first term to the last.
   Panels of terms of both factors wait in shared memory; the next ones are on their way meanwhile. */

template <class T> struct mg_plain { static constexpr bool value = false; typedef T type; };
template <class T> struct mg_plain<const T *> { static constexpr bool value = true; typedef T type; };

FN f32 mg_chain(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
FN f64 mg_chain(f64 a, f64 b, f64 c) { return fma(a, b, c); }

/* `valid` of BYTES bytes to shared memory, zeros behind them; they arrive by the time that mg_arrived says. */
template <int BYTES> FN void mg_send(void *to, const void *from, int valid) {
#if __CUDA_ARCH__ >= 800
    const u32 at = (u32)__cvta_generic_to_shared(to);
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(valid) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(at), "l"(from), "r"(valid), "n"(BYTES) : "memory");
#else
    for (int i = 0; i < BYTES / 4; i++) ((u32 *)to)[i] = 4 * i < valid ? ((const u32 *)from)[i] : 0;
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

/* One factor's panels: TILE rows (or columns) by TERMS terms. ALONG: terms lie beside each other, in memory and here.
   F gives an element's address, or its value where it is computed. A thread has N of its rows: LANES threads of a warp
   and WARPS warps share the tile. Behind each line here PAD elements stay empty. */
template <class T, class F, bool ALONG, int TILE, int TERMS, int THREADS, int N, int LANES, int PAD = ALONG ? 16 / (int)sizeof(T) : 0>
struct mg_side {
    static constexpr int W = 16 / sizeof(T), V = N < W ? N : W;
    static constexpr int ROW = (ALONG ? TERMS : TILE) + PAD, SIZE = (ALONG ? TILE : TERMS) * ROW;
    static constexpr bool PLAIN = mg_plain<decltype(((F *)0)->operator()(0LL, 0LL))>::value;
    static constexpr int ALL = TILE * TERMS, EACH = (ALL + THREADS - 1) / THREADS;
    static constexpr int VECTORS = ALL / W, TURNS = (VECTORS + THREADS - 1) / THREADS;
    T held[PLAIN ? 1 : EACH];

    /* Where a thread's row number i lies in the tile. */
    static INLINE int place(int warp, int lane, int i) {
        return warp * (LANES * N) + (ALONG ? i * LANES + lane : i / V * (LANES * V) + lane * V + i % V);
    }
    /* Asks for a panel. */
    INLINE void ask(const F &f, T *to, i64 first, i64 end, i64 term, i64 last, bool whole) {
        if constexpr (PLAIN) {
            if (whole && first + TILE <= end && term + TERMS <= last && VECTORS % THREADS == 0) {
#pragma unroll
                for (int t = 0; t < TURNS; t++) {
                    const int v = (int)threadIdx.x + t * THREADS;
                    const int x = ALONG ? v / (TERMS / W) : v % (TILE / W) * W;
                    const int k = ALONG ? v % (TERMS / W) * W : v / (TILE / W);
                    mg_send<16>(to + (ALONG ? x * ROW + k : k * ROW + x), f(first + x, term + k), 16);
                }
                return;
            }
            if (whole) {
#pragma unroll 1
                for (int t = 0; t < TURNS; t++) {
                    const int v = (int)threadIdx.x + t * THREADS;
                    if (VECTORS % THREADS != 0 && v >= VECTORS) break;
                    const int x = ALONG ? v / (TERMS / W) : v % (TILE / W) * W;
                    const int k = ALONG ? v % (TERMS / W) * W : v / (TILE / W);
                    const i64 left = first + x < end && term + k < last ? (ALONG ? last - (term + k) : end - (first + x)) : 0;
                    mg_send<16>(to + (ALONG ? x * ROW + k : k * ROW + x), f(first + x, term + k), (int)(left < W ? left : W) * (int)sizeof(T));
                }
                return;
            }
        }
        if constexpr (PLAIN) {
            /* Rare, so the compiler must not keep its addresses in registers. */
#pragma unroll 1
            for (int e = threadIdx.x; e < ALL; e += THREADS) {
                const int x = ALONG ? e / TERMS : e % TILE, k = ALONG ? e % TERMS : e / TILE;
                const bool in = first + x < end && term + k < last;
                mg_send<sizeof(T)>(to + (ALONG ? x * ROW + k : k * ROW + x), f(first + x, term + k), in ? sizeof(T) : 0);
            }
        } else {
#pragma unroll
            for (int t = 0; t < EACH; t++) {
                const int e = (int)threadIdx.x + t * THREADS;
                if (ALL % THREADS != 0 && e >= ALL) break;
                const int x = ALONG ? e / TERMS : e % TILE, k = ALONG ? e % TERMS : e / TILE;
                held[t] = first + x < end && term + k < last ? f(first + x, term + k) : T(0);
            }
        }
    }
    /* Puts computed elements where a panel waits. */
    INLINE void put(T *to) const {
        if constexpr (!PLAIN) {
#pragma unroll
            for (int t = 0; t < EACH; t++) {
                const int e = (int)threadIdx.x + t * THREADS;
                if (ALL % THREADS != 0 && e >= ALL) break;
                const int x = ALONG ? e / TERMS : e % TILE, k = ALONG ? e % TERMS : e / TILE;
                to[ALONG ? x * ROW + k : k * ROW + x] = held[t];
            }
        }
    }
    /* A thread's elements of Q terms from k on: all at once where terms lie beside each other, else one by one in `next`. */
    template <int Q> static INLINE void take(T (&out)[Q][N], const T *from, int warp, int lane, int k) {
        if constexpr (ALONG) {
#pragma unroll
            for (int i = 0; i < N; i++) {
                mg_vec<T, Q> x;
                x.word = *(const decltype(x.word) *)(from + place(warp, lane, i) * ROW + k);
#pragma unroll
                for (int q = 0; q < Q; q++) out[q][i] = x.v[q];
            }
        }
    }
    static INLINE void next(T (&out)[N], const T *from, int warp, int lane, int k) {
        if constexpr (!ALONG) {
#pragma unroll
            for (int i = 0; i < N; i += V) {
                mg_vec<T, V> x;
                x.word = *(const decltype(x.word) *)(from + k * ROW + place(warp, lane, i));
#pragma unroll
                for (int v = 0; v < V; v++) out[i + v] = x.v[v];
            }
        }
    }
    static INLINE T at(const T *from, int x, int k) { return from[ALONG ? x * ROW + k : k * ROW + x]; }
    static INLINE T one(const T *from, int warp, int lane, int i, int k) { return at(from, place(warp, lane, i), k); }
};

/* WM by WN warps of LM by LN threads with M by N results each; STAGES panels of TERMS terms are on their way. */
template <class T, int WM, int WN, int LM, int LN, int M, int N, int TERMS, int STAGES, bool ALONG_A, bool ALONG_B> struct mg_contraction {
    static constexpr int THREADS = 32 * WM * WN, ROWS = WM * LM * M, COLUMNS = WN * LN * N, W = 16 / sizeof(T), Q = M * N < 64 ? W : 2;
    static constexpr int SIZE_A = ALONG_A ? ROWS * (TERMS + W) : TERMS * ROWS, SIZE_B = ALONG_B ? COLUMNS * (TERMS + W) : TERMS * COLUMNS;
    static constexpr int STAGE = SIZE_A + SIZE_B, ROOM = STAGE * STAGES;

    template <class A, class B, class Out>
    static INLINE void run(T *room, const A &a, const B &b, const Out &out, i64 row, i64 rows, i64 column, i64 columns, i64 from, i64 to, bool whole_a, bool whole_b) {
        typedef mg_side<T, A, ALONG_A, ROWS, TERMS, THREADS, M, LM> Left;
        typedef mg_side<T, B, ALONG_B, COLUMNS, TERMS, THREADS, N, LN> Right;
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const int wm = warp / WN, wn = warp % WN, lm = lane / LN, ln = lane % LN;
        T sum[M][N];
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++) sum[i][j] = 0;
        Left left;
        Right right;
        const i64 panels = to > from ? (to - from + TERMS - 1) / TERMS : 0;
#pragma unroll
        for (int s = 0; s < STAGES - 1; s++) {
            T *const at = room + s * STAGE;
            left.ask(a, at, row, rows, from + (i64)s * TERMS, to, whole_a);
            right.ask(b, at + SIZE_A, column, columns, from + (i64)s * TERMS, to, whole_b);
            left.put(at);
            right.put(at + SIZE_A);
            mg_sent();
        }
        int slot = 0, next = STAGES - 1;
        for (i64 p = 0; p < panels; p++) {
            mg_arrived<STAGES - 2>();
            __syncthreads();
            T *const ahead = room + next * STAGE;
            const i64 term = from + (p + STAGES - 1) * TERMS;
            left.ask(a, ahead, row, rows, term, to, whole_a);
            right.ask(b, ahead + SIZE_A, column, columns, term, to, whole_b);
            mg_sent();
            const T *const x = room + slot * STAGE, *const y = x + SIZE_A;
            const i64 some = to - (from + p * TERMS);
            if (some >= TERMS) {
#pragma unroll
                for (int k = 0; k < TERMS; k += Q) {
                    T u[Q][M], v[Q][N];
                    Left::take(u, x, wm, lm, k);
                    Right::take(v, y, wn, ln, k);
#pragma unroll
                    for (int q = 0; q < Q; q++) {
                        Left::next(u[q], x, wm, lm, k + q);
                        Right::next(v[q], y, wn, ln, k + q);
#pragma unroll
                        for (int i = 0; i < M; i++)
#pragma unroll
                            for (int j = 0; j < N; j++) sum[i][j] = mg_chain(u[q][i], v[q][j], sum[i][j]);
                    }
                }
            } else {
                /* No term more than there are: one of zeros could turn a sum of -0 into 0. */
#pragma unroll 1
                for (int k = 0; k < (int)some; k++) {
                    T u[M], v[N];
#pragma unroll
                    for (int i = 0; i < M; i++) u[i] = Left::one(x, wm, lm, i, k);
#pragma unroll
                    for (int j = 0; j < N; j++) v[j] = Right::one(y, wn, ln, j, k);
#pragma unroll
                    for (int i = 0; i < M; i++)
#pragma unroll
                        for (int j = 0; j < N; j++) sum[i][j] = mg_chain(u[i], v[j], sum[i][j]);
                }
            }
            left.put(ahead);
            right.put(ahead + SIZE_A);
            slot = slot + 1 == STAGES ? 0 : slot + 1;
            next = next + 1 == STAGES ? 0 : next + 1;
        }
        mg_arrived<0>();
        if constexpr (ROWS * COLUMNS <= ROOM) {
            /* Through shared memory, so that neighbouring threads write neighbouring elements. */
            __syncthreads();
#pragma unroll
            for (int i = 0; i < M; i++)
#pragma unroll
                for (int j = 0; j < N; j++) room[Left::place(wm, lm, i) * COLUMNS + Right::place(wn, ln, j)] = sum[i][j];
            __syncthreads();
            if (row + ROWS <= rows && column + COLUMNS <= columns) {
                /* No branch, so that a thread's loads are under way together. */
#pragma unroll 8
                for (int t = 0; t < ROWS * COLUMNS / THREADS; t++) {
                    const int e = (int)threadIdx.x + t * THREADS;
                    out(row + e / COLUMNS, column + e % COLUMNS, room[e]);
                }
                return;
            }
            for (int e = threadIdx.x; e < ROWS * COLUMNS; e += THREADS) {
                const i64 r = row + e / COLUMNS, c = column + e % COLUMNS;
                if (r < rows && c < columns) out(r, c, room[e]);
            }
        } else {
#pragma unroll
            for (int i = 0; i < M; i++)
#pragma unroll
                for (int j = 0; j < N; j++) {
                    const i64 r = row + Left::place(wm, lm, i), c = column + Right::place(wn, ln, j);
                    if (r < rows && c < columns) out(r, c, sum[i][j]);
                }
        }
    }
};

/* c += a * b for 16 by 8 results and 16 terms, over a warp: the fragments of `mma.m16n8k16` (PTX ISA). Tensor cores of f64 add as a
   chain of fma from the first term to the last does, bit for bit: measured on an H200 with random terms, for both shapes. */
FN void mg_mma(f64 (&c)[4], const f64 (&a)[8], const f64 (&b)[4]) {
#if __CUDA_ARCH__ >= 900
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %6, %7, %8, %9, %10, %11}, {%12, %13, %14, %15}, {%0, %1, %2, %3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(a[4]), "d"(a[5]), "d"(a[6]), "d"(a[7]), "d"(b[0]), "d"(b[1]), "d"(b[2]), "d"(b[3]));
#elif __CUDA_ARCH__ >= 800
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int half = 0; half < 2; half++)
            asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                         : "+d"(c[2 * half]), "+d"(c[2 * half + 1])
                         : "d"(a[2 * i + half]), "d"(b[i]));
#else
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < 16; k++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const f64 x = __shfl_sync(~0u, a[k / 4 * 2 + e / 2], g * 4 + k % 4), y = __shfl_sync(~0u, b[k / 4], (2 * t + e % 2) * 4 + k % 4);
            c[e] = fma(x, y, c[e]);
        }
#endif
}

/* The same of f64 on tensor cores: WM by WN warps of M by N fragments of 16 by 8 results. With 4 elements of padding the threads of a
   half warp find their elements in different banks, whichever way the panel lies. */
template <int WM, int WN, int M, int N, int STAGES, bool ALONG_A, bool ALONG_B> struct mg_tensor {
    static constexpr int TERMS = 16, PAD = 4, THREADS = 32 * WM * WN, ROWS = WM * M * 16, COLUMNS = WN * N * 8;
    static constexpr int SIZE_A = ALONG_A ? ROWS * (TERMS + PAD) : TERMS * (ROWS + PAD);
    static constexpr int SIZE_B = ALONG_B ? COLUMNS * (TERMS + PAD) : TERMS * (COLUMNS + PAD);
    static constexpr int STAGE = SIZE_A + SIZE_B;

    template <class A, class B, class Out>
    static INLINE void run(f64 *room, const A &a, const B &b, const Out &out, i64 row, i64 rows, i64 column, i64 columns, i64 from, i64 to, bool whole_a, bool whole_b) {
        typedef mg_side<f64, A, ALONG_A, ROWS, TERMS, THREADS, 1, 1, PAD> Left;
        typedef mg_side<f64, B, ALONG_B, COLUMNS, TERMS, THREADS, 1, 1, PAD> Right;
        const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
        /* The first row and column of the warp, and in them those of the thread's terms. */
        const int high = warp / WN * M * 16, wide = warp % WN * N * 8;
        f64 sum[M][N][4];
#pragma unroll
        for (int i = 0; i < M; i++)
#pragma unroll
            for (int j = 0; j < N; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) sum[i][j][e] = 0;
        Left left;
        Right right;
        const i64 panels = to > from ? (to - from + TERMS - 1) / TERMS : 0;
#pragma unroll
        for (int s = 0; s < STAGES - 1; s++) {
            f64 *const at = room + s * STAGE;
            left.ask(a, at, row, rows, from + (i64)s * TERMS, to, whole_a);
            right.ask(b, at + SIZE_A, column, columns, from + (i64)s * TERMS, to, whole_b);
            left.put(at);
            right.put(at + SIZE_A);
            mg_sent();
        }
        int slot = 0, next = STAGES - 1;
        for (i64 p = 0; p < panels; p++) {
            mg_arrived<STAGES - 2>();
            __syncthreads();
            f64 *const ahead = room + next * STAGE;
            const i64 term = from + (p + STAGES - 1) * TERMS;
            left.ask(a, ahead, row, rows, term, to, whole_a);
            right.ask(b, ahead + SIZE_A, column, columns, term, to, whole_b);
            mg_sent();
            const f64 *const x = room + slot * STAGE, *const y = x + SIZE_A;
            const i64 some = to - (from + p * TERMS);
            if (some >= TERMS) {
                f64 v[N][4];
#pragma unroll
                for (int j = 0; j < N; j++)
#pragma unroll
                    for (int i = 0; i < 4; i++) v[j][i] = Right::at(y, wide + j * 8 + g, t + 4 * i);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    f64 u[8];
#pragma unroll
                    for (int i = 0; i < 8; i++) u[i] = Left::at(x, high + m * 16 + g + i % 2 * 8, t + i / 2 * 4);
#pragma unroll
                    for (int j = 0; j < N; j++) mg_mma(sum[m][j], u, v[j]);
                }
            } else {
                /* No term more than there are: see above. */
#pragma unroll 1
                for (int k = 0; k < (int)some; k++)
#pragma unroll
                    for (int m = 0; m < M; m++)
#pragma unroll
                        for (int j = 0; j < N; j++)
#pragma unroll
                            for (int e = 0; e < 4; e++)
                                sum[m][j][e] = fma(Left::at(x, high + m * 16 + g + e / 2 * 8, k), Right::at(y, wide + j * 8 + 2 * t + e % 2, k), sum[m][j][e]);
            }
            left.put(ahead);
            right.put(ahead + SIZE_A);
            slot = slot + 1 == STAGES ? 0 : slot + 1;
            next = next + 1 == STAGES ? 0 : next + 1;
        }
        mg_arrived<0>();
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const i64 r = row + high + m * 16 + g + e / 2 * 8;
                if (r >= rows) continue;
#pragma unroll
                for (int j = 0; j < N; j++) {
                    const i64 c = column + wide + j * 8 + 2 * t + e % 2;
                    if (c < columns) out(r, c, sum[m][j][e]);
                }
            }
    }
};
