/* Long loops inside few elements: eight warps evaluate the terms of a panel while a ninth goes through the panel before, a
   thread a column. ALONG: neighbouring terms lie beside each other in memory, else neighbouring columns. LARGE: a term takes much computing,
   so its code stands there once; else the loads of a panel travel together. */

template <class T, int COUNT, bool ALONG, bool LARGE, int COLUMNS> struct mg_chains {
    struct Terms { T v[COUNT]; };
    static constexpr int EVALUATE = 256, ROOM = sizeof(Terms) <= 8 ? 2048 : 1024;
    static constexpr int TERMS = ROOM / COLUMNS < ROOM / 4 ? ROOM / COLUMNS : ROOM / 4, EACH = TERMS * COLUMNS / EVALUATE;
    /* A column more, so that terms beside each other do not fall on one bank. */
    struct Panel { Terms at[TERMS][COLUMNS + 1]; };

    template <class F> static INLINE void fill(Panel &panel, const F &f, i64 column, i64 columns, i64 term, i64 last) {
        if (LARGE) {
#pragma unroll 1
            for (int e = (int)threadIdx.x; e < TERMS * COLUMNS; e += EVALUATE) {
                const int c = ALONG ? e / TERMS : e % COLUMNS, k = ALONG ? e % TERMS : e / COLUMNS;
                if (column + c < columns && term + k < last) f(column + c, term + k, panel.at[k][c]);
            }
            return;
        }
        Terms held[EACH];
#pragma unroll
        for (int t = 0; t < EACH; t++) {
            const int e = (int)threadIdx.x + t * EVALUATE;
            const int c = ALONG ? e / TERMS : e % COLUMNS, k = ALONG ? e % TERMS : e / COLUMNS;
            if (column + c < columns && term + k < last) f(column + c, term + k, held[t]);
        }
#pragma unroll
        for (int t = 0; t < EACH; t++) {
            const int e = (int)threadIdx.x + t * EVALUATE;
            const int c = ALONG ? e / TERMS : e % COLUMNS, k = ALONG ? e % TERMS : e / COLUMNS;
            panel.at[k][c] = held[t];
        }
    }

    template <class F, class N, class Out>
    static INLINE void run(Panel *room, const F &f, const N &next, const Out &out, T sum, i64 column, i64 columns, i64 from, i64 to) {
        const bool adds = threadIdx.x >= EVALUATE;
        const int mine = (int)threadIdx.x - EVALUATE;
        if (!adds && from < to) fill(room[0], f, column, columns, from, to);
        __syncthreads();
        int slot = 0;
        for (i64 k = from; k < to; k += TERMS, slot ^= 1) {
            if (adds) {
                const Panel &panel = room[slot];
                if (mine < COLUMNS) {
                    if (to - k >= TERMS) {
#pragma unroll 16
                        for (int q = 0; q < TERMS; q++) sum = next(k + q, sum, panel.at[q][mine]);
                    } else {
                        for (int q = 0; q < (int)(to - k); q++) sum = next(k + q, sum, panel.at[q][mine]);
                    }
                }
            } else if (k + TERMS < to) {
                fill(room[slot ^ 1], f, column, columns, k + TERMS, to);
            }
            __syncthreads();
        }
        if (adds && mine < COLUMNS && column + mine < columns) out(column + mine, sum);
    }
};
