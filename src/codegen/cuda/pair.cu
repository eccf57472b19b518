/* Two products that share a matrix of few columns, which is read once: r = f(x w), row by row, and the block's sums g = xᵀ r. A block of
   threads takes a block of rows, tile after tile. Two warps multiply the rows of one tile by w while two others make of the products of
   the tile before the elements of r and add up g; a fifth brings the next tile, and a sixth may add up the rows of r themselves. Every
   result is one chain from its first term to its last. Bound by what leaves shared memory: on an H200 270 us for 2^20 rows of 128 and 16
   columns, of which what a thread takes to registers for its products needs 225 (3 vectors for 32 of them and 2 for 16, 128 bytes a
   clock). */

/* Shared memory for 64 rows a tile, twice a multiprocessor, is that of a data centre's GPU. */
#if __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 870 || (__CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200)
#define MG_PAIR_ROWS 64
#else
#define MG_PAIR_ROWS 32
#endif

FN f32 mg_of(const uint4 &v, int i) { return __uint_as_float(i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w); }

/* TERMS columns of x, at most COLUMNS columns of w, ROWS rows of x a tile; RIDER: rows of r are added up too. */
template <int TERMS, int ROWS, bool RIDER> struct mg_pair {
    static constexpr int COLUMNS = 16, LINE = TERMS <= 64 ? 64 : 128, STAGES = 3, HALF = 64, THREADS = 2 * HALF + 32 + 32 * RIDER;
    static constexpr int TILE = ROWS * LINE, KEPT = ROWS * COLUMNS, BYTES = 4 * (STAGES * TILE + 2 * KEPT + TERMS * COLUMNS);
    /* A thread multiplies M rows, 8 apart, by 4 columns; it adds up K / 4 vectors of terms, 16 vectors apart, of 4 columns. */
    static constexpr int M = ROWS / 16, K = LINE / 16;

    /* Where four terms of a row lie in a tile, in elements: neighbouring rows in different banks. */
    static INLINE constexpr int place(int row, int vector) { return row * LINE + (vector ^ (row & 7)) * 4; }
    static INLINE int after(int slot) { return slot + TILE == STAGES * TILE ? 0 : slot + TILE; }

    /* Asks for `count` rows of x, `step` elements apart, to the tile at `to`; a warp does. */
    static INLINE void ask(u32 to, const f32 *from, i64 step, int count, bool whole) {
        const int lane = threadIdx.x % 32;
        if (count >= ROWS && whole && TERMS % 4 == 0) {
            if constexpr (TERMS == LINE) {
                /* The same vectors of every row, or of every second one. */
                constexpr int APART = 128 / LINE;
                const int row = lane * 4 / LINE, q = lane % (LINE / 4);
#pragma unroll 8
                for (int e = 0; e < ROWS; e += APART) mg_send<16>(to + place(row + e, q) * 4, from + ((row + e) * step + q * 4));
            } else {
#pragma unroll 4
                for (int v = lane; v < ROWS * (TERMS / 4); v += 32) {
                    const int row = v / (TERMS / 4), q = v % (TERMS / 4);
                    mg_send<16>(to + place(row, q) * 4, from + (row * step + q * 4));
                }
            }
        } else {
#pragma unroll 1
            for (int v = lane; v < (count < ROWS ? count : ROWS) * TERMS; v += 32) {
                const int row = v / TERMS, k = v % TERMS;
                mg_send<4>(to + (place(row, k / 4) + k % 4) * 4, from + (row * step + k));
            }
        }
        mg_sent();
    }

    /* The products of a tile at x and of w, whose columns of this thread lie at y, to `mine`. */
    static INLINE void multiply(u32 x, u32 y, f32 *mine) {
        const int high = threadIdx.x % 32 / 4;
        f32 sum[M][4];
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < 4; j++) sum[m][j] = 0;
        const auto add = [&](int q, int count) {
            uint4 u[M], v[4];
#pragma unroll
            for (int m = 0; m < M; m++) mg_take(u[m], x + m * 8 * LINE * 4 + ((q ^ high) * 16));
#pragma unroll
            for (int k = 0; k < count; k++) mg_take(v[k], y + (q * 4 + k) * COLUMNS * 4);
#pragma unroll
            for (int k = 0; k < count; k++)
#pragma unroll
                for (int m = 0; m < M; m++)
#pragma unroll
                    for (int j = 0; j < 4; j++) sum[m][j] = mg_chain(mg_of(u[m], k), mg_of(v[k], j), sum[m][j]);
        };
#pragma unroll 4
        for (int q = 0; q < TERMS / 4; q++) add(q, 4);
        if constexpr (TERMS % 4 != 0) add(TERMS / 4, TERMS % 4);
#pragma unroll
        for (int m = 0; m < M; m++) *(float4 *)(mine + m * 8 * COLUMNS) = make_float4(sum[m][0], sum[m][1], sum[m][2], sum[m][3]);
    }

    /* `rows` rows of x from `first` on; the sums are wanted if `sums`. `whole`: rows begin at multiples of 16 bytes. `ahead` reads what an
       element of r needs besides its product. The rider begins with `start`, goes on with `next` and ends with `total`. */
    template <class Left, class Right, class Ahead, class Results, class Then, class Start, class Next, class Total>
    static INLINE void run(void *room_, const Left &left, const Right &right, const Ahead &ahead, const Results &results, const Then &then, Start start, const Next &next, const Total &total, i64 first, int rows, i64 columns, bool whole, bool sums) {
        f32 *const room = (f32 *)room_, *const kept = room + STAGES * TILE, *const w = kept + 2 * KEPT;
        const int me = threadIdx.x % HALF, tiles = (rows + ROWS - 1) / ROWS;
        for (int e = threadIdx.x; e < TERMS * COLUMNS; e += THREADS) {
            const int k = e / COLUMNS, c = e % COLUMNS;
            f32 value = 0;
            if (c < columns) {
                if constexpr (mg_plain<decltype(right(0LL, 0LL))>::value) value = *right(c, k);
                else value = right(c, k);
            }
            w[e] = value;
        }
        /* In round t, tile t is multiplied and tile t - 1 added up; tile t + 1 is on its way. */
        int slot = 0;
        if (RIDER && threadIdx.x >= 2 * HALF + 32) {
            const int c = threadIdx.x % 32;
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_meet<1, THREADS>();
                if (t == 0) continue;
                mg_meet<2, HALF + 32>();
                if (sums && c < columns) {
                    const f32 *const mine = kept + (t - 1) % 2 * KEPT + c;
                    const i64 row = first + (t - 1) * ROWS;
                    const int count = rows - (t - 1) * ROWS;
                    if (count >= ROWS) {
#pragma unroll 16
                        for (int i = 0; i < ROWS; i++) start = next(c, row + i, mine[i * COLUMNS], start);
                    } else {
#pragma unroll 1
                        for (int i = 0; i < count; i++) start = next(c, row + i, mine[i * COLUMNS], start);
                    }
                }
                __syncwarp();
            }
            if (sums && c < columns) total(c, start);
        } else if (threadIdx.x >= 2 * HALF) {
            const i64 step = left(1, 0) - left(0, 0);
            const auto bring = [&](int t, int slot) {
                if (t < tiles) ask(mg_shared(room + slot), left(first + t * ROWS, 0), step, rows - t * ROWS, whole);
            };
            bring(0, 0);
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_arrived<0>();
                mg_meet<1, THREADS>();
                slot = after(slot);
                bring(t + 1, slot);
            }
        } else if (threadIdx.x < HALF) {
            const int low = me / 32 * (ROWS / 2) + me % 32 / 4, wide = me % 4 * 4;
            const u32 y = mg_shared(w + wide);
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_meet<1, THREADS>();
                if (t == tiles) break;
                multiply(mg_shared(room + slot + low * LINE), y, kept + t % 2 * KEPT + low * COLUMNS + wide);
                slot = after(slot);
            }
        } else {
            constexpr int EACH = KEPT / HALF;
            const int vector = me / 4, wide = me % 4 * 4;
            f32 sum[K][4];
#pragma unroll
            for (int k = 0; k < K; k++)
#pragma unroll
                for (int j = 0; j < 4; j++) sum[k][j] = 0;
            decltype(ahead(0LL, 0LL)) found[EACH];
            /* No branch in what a thread reads of a whole tile, so that all of it is under way together. */
            const auto full = [&](int t) { return rows - t * ROWS >= ROWS && columns == COLUMNS; };
            const auto look = [&](int t) {
                if (full(t))
#pragma unroll
                    for (int e = 0; e < EACH; e++) found[e] = ahead(first + t * ROWS + (e * HALF + me) / COLUMNS, me % COLUMNS);
            };
            look(0);
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_meet<1, THREADS>();
                if (t == 0) continue;
                f32 *const mine = kept + (t - 1) % 2 * KEPT;
                const i64 row = first + (t - 1) * ROWS;
                const int count = rows - (t - 1) * ROWS;
                if (full(t - 1)) {
#pragma unroll
                    for (int e = 0; e < EACH; e++) mine[e * HALF + me] = results(row + (e * HALF + me) / COLUMNS, me % COLUMNS, mine[e * HALF + me], found[e]);
                } else {
#pragma unroll 1
                    for (int at = me; at < KEPT; at += HALF)
                        if (at / COLUMNS < count && at % COLUMNS < columns)
                            mine[at] = results(row + at / COLUMNS, at % COLUMNS, mine[at], ahead(row + at / COLUMNS, at % COLUMNS));
                }
                mg_meet<2, HALF + 32 * RIDER>();
                if (t < tiles) look(t);
                const u32 x = mg_shared(room + slot), r = mg_shared(mine + wide);
                const auto add = [&](int i, int low) {
                    uint4 u[K / 4], v;
#pragma unroll
                    for (int g = 0; g < K / 4; g++) mg_take(u[g], x + i * LINE * 4 + (((vector + g * 16) ^ low) * 16));
                    mg_take(v, r + i * COLUMNS * 4);
#pragma unroll
                    for (int k = 0; k < K; k++)
#pragma unroll
                        for (int j = 0; j < 4; j++) sum[k][j] = mg_chain(mg_of(u[k / 4], k % 4), mg_of(v, j), sum[k][j]);
                };
                if (count >= ROWS) {
#pragma unroll 1
                    for (int i = 0; i < ROWS; i += 8)
#pragma unroll
                        for (int low = 0; low < 8; low++) add(i + low, low);
                } else {
#pragma unroll 1
                    for (int i = 0; i < count; i++) add(i, i & 7);
                }
                slot = after(slot);
            }
            if (sums)
#pragma unroll
                for (int k = 0; k < K; k++)
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        const int term = (vector + k / 4 * 16) * 4 + k % 4, c = wide + j;
                        if (term < TERMS && c < columns) then(term, c, sum[k][j]);
                    }
        }
    }
};
