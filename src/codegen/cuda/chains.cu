/* Long loops inside few elements: eight warps evaluate the terms of a panel while a ninth goes through the panel before, a
   thread a column. ALONG: neighbouring terms lie beside each other in memory, else neighbouring columns. LARGE: a term takes much computing,
   so its code stands there once; else the loads of a panel travel together. */

template <class T, int COUNT, bool ALONG, bool LARGE, int COLUMNS> struct mg_chains {
    struct Terms { T v[COUNT]; };
    static constexpr int EVALUATE = 256, AHEAD = 16, ROOM = sizeof(Terms) <= 8 ? 2048 : 1024;
    static constexpr int TERMS = ROOM / COLUMNS < ROOM / 4 ? ROOM / COLUMNS : ROOM / 4, EACH = TERMS * COLUMNS / EVALUATE;
    /* A column more, so that terms beside each other do not fall on one bank. */
    struct Panel { Terms at[TERMS][COLUMNS + 1]; };

    /* Evaluates a panel; WHOLE: all of its terms and columns are there, so no branch keeps loads apart. */
    template <bool WHOLE, class F> static INLINE void fill(Panel &panel, const F &f, i64 column, i64 columns, i64 term, i64 last) {
        const auto each = [&](int e, const auto &evaluate) {
            const int c = ALONG ? e / TERMS : e % COLUMNS, k = ALONG ? e % TERMS : e / COLUMNS;
            evaluate(k, c, WHOLE || column + c < columns && term + k < last);
        };
        if constexpr (LARGE) {
#pragma unroll 2
            for (int t = 0; t < EACH; t++)
                each((int)threadIdx.x + t * EVALUATE, [&](int k, int c, bool there) { if (there) f(column + c, term + k, panel.at[k][c]); });
        } else {
            Terms held[EACH];
#pragma unroll
            for (int t = 0; t < EACH; t++)
                each((int)threadIdx.x + t * EVALUATE, [&](int k, int c, bool there) { if (there) f(column + c, term + k, held[t]); });
#pragma unroll
            for (int t = 0; t < EACH; t++)
                each((int)threadIdx.x + t * EVALUATE, [&](int k, int c, bool) { panel.at[k][c] = held[t]; });
        }
    }
    template <class F> static INLINE void fill_some(Panel &panel, const F &f, i64 column, i64 columns, i64 term, i64 last) {
        if (column + COLUMNS <= columns && term + TERMS <= last) fill<true>(panel, f, column, columns, term, last);
        else fill<false>(panel, f, column, columns, term, last);
    }

    template <class F, class N, class Out>
    static INLINE void run(Panel *room, const F &f, const N &next, const Out &out, T sum, i64 column, i64 columns, i64 from, i64 to) {
        /* Two loops, so that neither keeps registers for the other. */
        constexpr int THREADS = EVALUATE + 32;
        int slot = 0;
        if (threadIdx.x < EVALUATE) {
            if (from < to) fill_some(room[0], f, column, columns, from, to);
            mg_meet<1, THREADS>();
            for (i64 k = from; k < to; k += TERMS, slot ^= 1) {
                if (k + TERMS < to) fill_some(room[slot ^ 1], f, column, columns, k + TERMS, to);
                mg_meet<1, THREADS>();
            }
            return;
        }
        const int mine = (int)threadIdx.x - EVALUATE;
        mg_meet<1, THREADS>();
        for (i64 k = from; k < to; k += TERMS, slot ^= 1) {
            const Panel &panel = room[slot];
            const int there = to - k < TERMS ? (int)(to - k) : TERMS;
            int q = 0;
            if (mine < COLUMNS) {
                for (; q + AHEAD <= there; q += AHEAD) {
                    Terms held[AHEAD];
#pragma unroll
                    for (int j = 0; j < AHEAD; j++) held[j] = panel.at[q + j][mine];
#pragma unroll
                    for (int j = 0; j < AHEAD; j++) sum = next(k + q + j, sum, held[j]);
                }
                for (; q < there; q++) sum = next(k + q, sum, panel.at[q][mine]);
            }
            mg_meet<1, THREADS>();
        }
        if (mine < COLUMNS && column + mine < columns) out(column + mine, sum);
    }
};
