/* Contractions: blocks of both factors packed for the caches, tiles of the result in vector registers. Every element of the
   result is one chain of fma, which goes on from block to block. */

#if defined(__AVX512F__)
#define MG_BYTES 64
#define MG_ROWS 12
#define MG_EACH(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#elif defined(__AVX2__) && defined(__FMA__)
#define MG_BYTES 32
#define MG_ROWS 6
#define MG_EACH(M) M(0) M(1) M(2) M(3) M(4) M(5)
#else
#define MG_BYTES 16
#define MG_ROWS 6
#define MG_EACH(M) M(0) M(1) M(2) M(3) M(4) M(5)
#endif

typedef f32 mg_vector_f32 __attribute__((vector_size(MG_BYTES), may_alias));
typedef f64 mg_vector_f64 __attribute__((vector_size(MG_BYTES), may_alias));
/* The same anywhere in memory. */
typedef f32 mg_loose_f32 __attribute__((vector_size(MG_BYTES), aligned(4), may_alias));
typedef f64 mg_loose_f64 __attribute__((vector_size(MG_BYTES), aligned(8), may_alias));

/* Columns of a tile: two vectors. */
#define MG_COLUMNS(T) (2 * MG_BYTES / (i64)sizeof(T))

#if defined(__AVX512F__) && !defined(__clang__)
#define mg_chain_f32(a, b, c) ((mg_vector_f32)__builtin_ia32_vfmaddps512_mask(a, b, c, (unsigned short)-1, 4))
#define mg_chain_f64(a, b, c) ((mg_vector_f64)__builtin_ia32_vfmaddpd512_mask(a, b, c, (unsigned char)-1, 4))
#elif defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__)
#define mg_chain_f32(a, b, c) ((mg_vector_f32)__builtin_ia32_vfmaddps256(a, b, c))
#define mg_chain_f64(a, b, c) ((mg_vector_f64)__builtin_ia32_vfmaddpd256(a, b, c))
#else
#define MG_CHAIN(T) \
    FN mg_vector_##T mg_chain_##T(mg_vector_##T a, mg_vector_##T b, mg_vector_##T c) { \
        for (int l = 0; l < MG_BYTES / (int)sizeof(T); l++) c[l] = mg_fma_##T(a[l], b[l], c[l]); \
        return c; \
    }
MG_CHAIN(f32)
MG_CHAIN(f64)
#endif

/* Keeps a value in a register: read as an operand from memory at every use it would cost more loads than there are. */
#if defined(__AVX512F__)
#define MG_KEEP(v) __asm__("" : "+v"(v))
#elif defined(__AVX2__)
#define MG_KEEP(v) __asm__("" : "+x"(v))
#else
#define MG_KEEP(v) (void)0
#endif

/* For loops over the lines of a tile. */
#define MG_UNROLL _Pragma("GCC unroll 16")

FN i64 mg_least(i64 a, i64 b) { return a < b ? a : b; }

/* A tile of the result: MG_ROWS rows of two vectors, `k` terms more. Rows and terms of the left factor lie `down` and `on`
   apart. */
#define MG_OPEN(R) V x##R = *(const U *)(c + R * row), y##R = *(const U *)(c + R * row + W);
#define MG_STEP(R) { const V s = a[R * down] - (V){}; x##R = MG_FMA(s, u, x##R); y##R = MG_FMA(s, v, y##R); }
#define MG_SHUT(R) *(U *)(c + R * row) = x##R; *(U *)(c + R * row + W) = y##R;
/* The next tile's results are on their way while this one's are worked on. */
#define MG_AHEAD(R) __builtin_prefetch(c + (R + MG_ROWS) * row, 1); __builtin_prefetch(c + (R + MG_ROWS) * row + W, 1);
#define MG_TILE(T) \
    FN void mg_any_tile_##T(i64 k, const T *restrict a, i64 down, i64 on, const T *restrict b, T *restrict c, i64 row) { \
        typedef mg_vector_##T V; \
        typedef mg_loose_##T U; \
        enum { W = MG_BYTES / sizeof(T) }; \
        MG_EACH(MG_OPEN) \
        MG_EACH(MG_AHEAD) \
        for (; k > 0; k--) { \
            V u = *(const V *)b, v = *(const V *)(b + W); \
            MG_KEEP(u); \
            MG_KEEP(v); \
            MG_EACH(MG_STEP) \
            a += on; \
            b += 2 * W; \
        } \
        MG_EACH(MG_SHUT) \
    } \
    OUTLINE void mg_tile_##T(i64 k, const T *restrict a, const T *restrict b, T *restrict c, i64 row) { \
        mg_any_tile_##T(k, a, 1, MG_ROWS, b, c, row); \
    } \
    OUTLINE void mg_tile_in_place_##T(i64 k, const T *restrict a, i64 down, i64 on, const T *restrict b, T *restrict c, i64 row) { \
        if (on == 1) mg_any_tile_##T(k, a, down, 1, b, c, row); \
        else if (down == 1) mg_any_tile_##T(k, a, 1, on, b, c, row); \
        else mg_any_tile_##T(k, a, down, on, b, c, row); \
    } \
    /* A tile that may reach past the ends of the result. */ \
    FN void mg_part_##T(i64 k, const T *a, const T *b, T *c, i64 row, i64 rows, i64 columns) { \
        enum { COLUMNS = MG_COLUMNS(T) }; \
        if (rows >= MG_ROWS && columns >= COLUMNS) { \
            mg_tile_##T(k, a, b, c, row); \
            return; \
        } \
        T room[MG_ROWS * COLUMNS] = {0}; \
        rows = mg_least(rows, MG_ROWS), columns = mg_least(columns, COLUMNS); \
        for (i64 r = 0; r < rows; r++) for (i64 l = 0; l < columns; l++) room[r * COLUMNS + l] = c[r * row + l]; \
        mg_tile_##T(k, a, b, room, COLUMNS); \
        for (i64 r = 0; r < rows; r++) for (i64 l = 0; l < columns; l++) c[r * row + l] = room[r * COLUMNS + l]; \
    }
#define MG_FMA mg_chain_f32
MG_TILE(f32)
#undef MG_FMA
#define MG_FMA mg_chain_f64
MG_TILE(f64)

FN i64 mg_tiles(i64 n, i64 tile) { return (n + tile - 1) / tile * tile; }
FN void *mg_aligned(void *p) { return (void *)(((u64)p + 63) & -64ULL); }
