/* Two products that share a matrix of few columns, which is read once: r = f(x w), row by row, and the block's sums g = xᵀ r. A block of
   threads takes a block of rows, tile after tile: half of the threads make the rows of r of one tile while the other half adds up those of
   the tile before, which both find in shared memory, and the next tile is on its way. One more warp may ride along: it adds up rows of r
   themselves. Every result is one chain from its first term to its last. */

/* Shared memory for 64 rows a tile, twice a multiprocessor, is that of a data centre's GPU. */
#if __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 870 || (__CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200)
#define MG_PAIR_ROWS 64
#else
#define MG_PAIR_ROWS 32
#endif

FN f32 mg_of(const uint4 &v, int i) { return __uint_as_float(i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w); }

/* TERMS columns of x, at most COLUMNS columns of w, ROWS rows of x a tile; RIDER: a warp for sums of r. */
template <int TERMS, int ROWS, bool RIDER> struct mg_pair {
    static constexpr int COLUMNS = 16, LINE = TERMS <= 64 ? 64 : 128, STAGES = 3, HALF = 64, THREADS = 2 * HALF;
    static constexpr int TILE = ROWS * LINE, KEPT = ROWS * COLUMNS, BYTES = 4 * (STAGES * TILE + 2 * KEPT + TERMS * COLUMNS);
    /* A thread makes M rows, 8 apart, of 4 columns; it adds up K / 4 vectors of terms, 16 vectors apart, of 4 columns. */
    static constexpr int M = ROWS / 16, K = LINE / 16;

    /* Where four terms of a row lie in a tile, in elements: neighbouring rows in different banks. */
    static INLINE int place(int row, int vector) { return row * LINE + (vector ^ (row & 7)) * 4; }

    /* `rows` rows of x from `first` on; the results of g are wanted if `sums`. `whole`: rows begin at multiples of 16 bytes. `ahead` reads
       what an element of r needs besides its sum. The rider begins with `start`, goes on with `next` and ends with `total`. */
    template <class Left, class Right, class Ahead, class Results, class Then, class Start, class Next, class Total>
    static INLINE void run(void *room_, const Left &left, const Right &right, const Ahead &ahead, const Results &results, const Then &then, Start start, const Next &next, const Total &total, i64 first, int rows, i64 columns, bool whole, bool sums) {
        f32 *const room = (f32 *)room_, *const kept = room + STAGES * TILE, *const w = kept + 2 * KEPT;
        const int me = threadIdx.x % HALF;
        for (int e = threadIdx.x; e < TERMS * COLUMNS; e += THREADS + 32 * RIDER) {
            const int k = e / COLUMNS, c = e % COLUMNS;
            f32 value = 0;
            if (c < columns) {
                if constexpr (mg_plain<decltype(right(0LL, 0LL))>::value) value = *right(c, k);
                else value = right(c, k);
            }
            w[e] = value;
        }
        const int tiles = (rows + ROWS - 1) / ROWS;
        int asked = 0, slot_asked = 0;
        const auto ask = [&] {
            const int more = rows - asked * ROWS;
            const f32 *const from = left(first + asked * ROWS, 0);
            const i64 step = left(1, 0) - left(0, 0);
            const u32 to = mg_shared(room + slot_asked);
            if (more >= ROWS && whole && TERMS % 4 == 0) {
                constexpr int VECTORS = TERMS / 4;
#pragma unroll
                for (int e = 0; e < (ROWS * VECTORS + THREADS - 1) / THREADS; e++) {
                    const int v = e * THREADS + (int)threadIdx.x, row = v / VECTORS, q = v % VECTORS;
                    if (ROWS * VECTORS % THREADS == 0 || v < ROWS * VECTORS) mg_send<16>(to + place(row, q) * 4, from + (row * step + q * 4));
                }
            } else if (more > 0) {
                const int count = more < ROWS ? more : ROWS;
#pragma unroll 1
                for (int v = threadIdx.x; v < count * TERMS; v += THREADS) {
                    const int row = v / TERMS, k = v % TERMS;
                    mg_send<4>(to + (place(row, k / 4) + k % 4) * 4, from + (row * step + k));
                }
            }
            asked++;
            slot_asked = slot_asked + TILE == STAGES * TILE ? 0 : slot_asked + TILE;
            mg_sent();
        };
        if (!RIDER || threadIdx.x < THREADS) {
            ask();
            ask();
        }
        int slot = 0;
        if (RIDER && threadIdx.x >= THREADS) {
            const int c = threadIdx.x % 32;
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                __syncthreads();
                if (t == 0 || !sums || c >= columns) continue;
                const f32 *const mine = kept + (t - 1) % 2 * KEPT + c;
                const int count = rows - (t - 1) * ROWS;
                if (count >= ROWS) {
#pragma unroll 8
                    for (int row = 0; row < ROWS; row++) start = next(c, first + (t - 1) * ROWS + row, mine[row * COLUMNS], start);
                } else {
#pragma unroll 1
                    for (int row = 0; row < count; row++) start = next(c, first + (t - 1) * ROWS + row, mine[row * COLUMNS], start);
                }
            }
            if (sums && c < columns) total(c, start);
        } else if (threadIdx.x < HALF) {
            const int lane = me % 32, low = me / 32 * (ROWS / 2), high = lane / 4, wide = lane % 4;
            const u32 y = mg_shared(w + wide * 4);
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_arrived<0>();
                __syncthreads();
                if (t > 0) ask();
                if (t == tiles) break;
                f32 sum[M][4];
#pragma unroll
                for (int m = 0; m < M; m++)
#pragma unroll
                    for (int j = 0; j < 4; j++) sum[m][j] = 0;
                const u32 x = mg_shared(room + slot + (low + high) * LINE);
                const int more = rows - t * ROWS - low;
                const i64 row = first + t * ROWS + low;
                /* No branch in what a warp reads, so that all of it is under way while it adds up. */
                const bool full = more >= ROWS / 2 && columns == COLUMNS;
                decltype(ahead(0LL, 0LL)) found[ROWS / 4];
                if (full)
#pragma unroll
                    for (int e = 0; e < ROWS / 4; e++) found[e] = ahead(row + (e * 32 + lane) / COLUMNS, lane % COLUMNS);
#pragma unroll 8
                for (int q = 0; q < TERMS / 4; q++) {
                    uint4 u[M], v[4];
#pragma unroll
                    for (int m = 0; m < M; m++) mg_take(u[m], x + m * 8 * LINE * 4 + ((q ^ high) * 16));
#pragma unroll
                    for (int k = 0; k < 4; k++) mg_take(v[k], y + (q * 4 + k) * COLUMNS * 4);
#pragma unroll
                    for (int k = 0; k < 4; k++)
#pragma unroll
                        for (int m = 0; m < M; m++)
#pragma unroll
                            for (int j = 0; j < 4; j++) sum[m][j] = mg_chain(mg_of(u[m], k), mg_of(v[k], j), sum[m][j]);
                }
                if constexpr (TERMS % 4 != 0) {
                    uint4 u[M], v;
#pragma unroll
                    for (int m = 0; m < M; m++) mg_take(u[m], x + m * 8 * LINE * 4 + ((TERMS / 4 ^ high) * 16));
#pragma unroll
                    for (int k = 0; k < TERMS % 4; k++) {
                        mg_take(v, y + (TERMS / 4 * 4 + k) * COLUMNS * 4);
#pragma unroll
                        for (int m = 0; m < M; m++)
#pragma unroll
                            for (int j = 0; j < 4; j++) sum[m][j] = mg_chain(mg_of(u[m], k), mg_of(v, j), sum[m][j]);
                    }
                }
                /* A warp's results leave line by line. */
                f32 *const mine = kept + t % 2 * KEPT + low * COLUMNS;
#pragma unroll
                for (int m = 0; m < M; m++) *(float4 *)(mine + (high + m * 8) * COLUMNS + wide * 4) = make_float4(sum[m][0], sum[m][1], sum[m][2], sum[m][3]);
                __syncwarp();
                if (full) {
#pragma unroll
                    for (int e = 0; e < ROWS / 4; e++) mine[e * 32 + lane] = results(row + (e * 32 + lane) / COLUMNS, lane % COLUMNS, mine[e * 32 + lane], found[e]);
                } else {
#pragma unroll 1
                    for (int at = lane; at < ROWS / 2 * COLUMNS; at += 32)
                        if (at / COLUMNS < more && at % COLUMNS < columns)
                            mine[at] = results(row + at / COLUMNS, at % COLUMNS, mine[at], ahead(row + at / COLUMNS, at % COLUMNS));
                }
                slot = slot + TILE == STAGES * TILE ? 0 : slot + TILE;
            }
        } else {
            const int first_vector = me / 4, wide = me % 4;
            f32 sum[K][4];
#pragma unroll
            for (int k = 0; k < K; k++)
#pragma unroll
                for (int j = 0; j < 4; j++) sum[k][j] = 0;
#pragma unroll 1
            for (int t = 0; t <= tiles; t++) {
                mg_arrived<0>();
                __syncthreads();
                if (t == 0) continue;
                ask();
                const u32 x = mg_shared(room + slot), r = mg_shared(kept + (t - 1) % 2 * KEPT + wide * 4);
                const auto add = [&](int row, int low) {
                    uint4 u[K / 4], v;
#pragma unroll
                    for (int g = 0; g < K / 4; g++) mg_take(u[g], x + row * LINE * 4 + (((first_vector + g * 16) ^ low) * 16));
                    mg_take(v, r + row * COLUMNS * 4);
#pragma unroll
                    for (int k = 0; k < K; k++)
#pragma unroll
                        for (int j = 0; j < 4; j++) sum[k][j] = mg_chain(mg_of(u[k / 4], k % 4), mg_of(v, j), sum[k][j]);
                };
                const int count = rows - (t - 1) * ROWS;
                if (count >= ROWS) {
#pragma unroll 1
                    for (int row = 0; row < ROWS; row += 8)
#pragma unroll
                        for (int low = 0; low < 8; low++) add(row + low, low);
                } else {
#pragma unroll 1
                    for (int row = 0; row < count; row++) add(row, row & 7);
                }
                slot = slot + TILE == STAGES * TILE ? 0 : slot + TILE;
            }
            if (sums)
#pragma unroll
                for (int k = 0; k < K; k++)
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        const int term = (first_vector + k / 4 * 16) * 4 + k % 4, c = wide * 4 + j;
                        if (term < TERMS && c < columns) then(term, c, sum[k][j]);
                    }
        }
    }
};
