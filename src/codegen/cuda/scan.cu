
/* Running values along a dimension, in the order of src/runtime/scan.rs: the elements of a leaf from the left, and what the leaves before it
   come to, also from the left. Where lines are few, the leaves' totals are found first, then what stands before each, then the values;
   where they are very many, each is gone through by itself. A task is a leaf of a line, or a line. */
struct mg_scan {
    i64 count[6], step[6]; /* the lines: how many along each dimension, and how far apart; the last runs fastest */
    i64 lines, len, along; /* elements of a line, and how far apart they lie */
    i64 first, leaf, leaves; /* the place of the first in its leaf, elements of a leaf, leaves */
};
enum { MG_DONE = 1, MG_OPEN = 2, MG_STRIP = 32, MG_SLOTS = 2048, MG_ROWS = 32 };

/* What is carried: the whole leaves, and the one that has begun. */
template <class F> struct mg_carried {
    typedef typename F::whole whole;
    whole done, open;
    bool any_done, any_open;
    INLINE void close() {
        done = any_done ? F::join(done, open) : open;
        any_done = true, any_open = false;
    }
    INLINE whole next(whole x) {
        open = any_open ? F::join(open, x) : x;
        any_open = true;
        return any_done ? F::join(done, open) : open;
    }
};
template <class T> FN T mg_slot(const u64 *p) { T x; memcpy(&x, p, sizeof(T)); return x; }
template <class T> FN void mg_set_slot(u64 *p, T x) { u64 w = 0; memcpy(&w, &x, sizeof(T)); *p = w; }

/* Which elements a thread goes through. */
struct mg_task {
    i64 line, leaf, at, from, to;
    bool there;
    /* Neighbouring threads have neighbouring lines, or (LEAVES) neighbouring leaves of one. */
    template <bool WHOLE, bool LEAVES> static INLINE mg_task of(const mg_scan &s, i64 number) {
        mg_task t;
        const i64 each = WHOLE ? 1 : s.leaves;
        t.there = number < s.lines * each;
        if (!t.there) number = 0;
        t.line = WHOLE ? number : LEAVES ? number / each : number % s.lines;
        t.leaf = WHOLE ? 0 : LEAVES ? number % each : number / s.lines;
        t.from = WHOLE || !t.leaf ? 0 : t.leaf * s.leaf - s.first;
        const i64 end = (t.leaf + 1) * s.leaf - s.first;
        t.to = WHOLE || end > s.len ? s.len : end;
        if (!t.there) t.to = t.from;
        t.at = 0;
        i64 rest = t.line;
        #pragma unroll
        for (int d = 5; d >= 0; d--) {
            if (s.count[d] > 1) t.at += rest % s.count[d] * s.step[d], rest /= s.count[d];
        }
        return t;
    }
};

/* Goes through a task's elements: `f(k, value)` has each, and gives what stands there afterwards. */
template <bool WRITE, class F, class G> FN void mg_scan_apart(typename F::part *data, const mg_scan &s, const mg_task &t, const G &f) {
    enum { AHEAD = 8 };
    typename F::part *p = data + t.at;
    i64 k = t.from;
    for (; k + AHEAD <= t.to; k += AHEAD) {
        typename F::whole held[AHEAD];
        #pragma unroll
        for (int j = 0; j < AHEAD; j++) held[j] = F::get(p + (k + j) * s.along);
        #pragma unroll
        for (int j = 0; j < AHEAD; j++) held[j] = f(k + j, held[j]);
        if (WRITE) {
            #pragma unroll
            for (int j = 0; j < AHEAD; j++) F::put(p + (k + j) * s.along, held[j]);
        }
    }
    for (; k < t.to; k++) {
        const typename F::whole x = f(k, F::get(p + k * s.along));
        if (WRITE) F::put(p + k * s.along, x);
    }
}
/* The same where a line's elements lie beside each other: a warp brings the next elements of its 32 tasks, one task after the other. */
template <bool WRITE, class F, class G> FN void mg_scan_beside(typename F::part *data, const mg_task &t, const G &f) {
    typedef typename F::part part;
    __shared__ part all[4][MG_ROWS][33];
    part (*const own)[33] = all[threadIdx.x >> 5];
    const u32 lane = threadIdx.x & 31;
    i64 longest = t.to - t.from;
    #pragma unroll
    for (int d = 16; d; d >>= 1) {
        const i64 other = (i64)__shfl_xor_sync(~0u, (u64)longest, d);
        if (other > longest) longest = other;
    }
    const u64 begin = (u64)(data + t.at + t.from), length = (u64)(t.to - t.from);
    for (i64 k = 0; k < longest; k += 32) {
        /* All loads before the first of them is stored, which might lie where the next one reads. */
        part held[MG_ROWS];
        #pragma unroll
        for (int r = 0; r < MG_ROWS; r++) {
            const part *const from = (const part *)__shfl_sync(~0u, begin, r);
            const i64 n = (i64)__shfl_sync(~0u, length, r);
            held[r] = k + lane < n ? from[k + lane] : part();
        }
        #pragma unroll
        for (int r = 0; r < MG_ROWS; r++) own[r][lane] = held[r];
        __syncwarp();
        const int n = (i64)length - k < 32 ? (int)((i64)length - k) : 32;
        if (n == 32) {
            #pragma unroll 8
            for (int j = 0; j < 32; j++) {
                const typename F::whole x = f(t.from + k + j, F::get(&own[lane][j]));
                if (WRITE) F::put(&own[lane][j], x);
            }
        } else {
            for (int j = 0; j < n; j++) {
                const typename F::whole x = f(t.from + k + j, F::get(&own[lane][j]));
                if (WRITE) F::put(&own[lane][j], x);
            }
        }
        __syncwarp();
        if (WRITE) {
            #pragma unroll
            for (int r = 0; r < MG_ROWS; r++) held[r] = own[r][lane];
            #pragma unroll
            for (int r = 0; r < MG_ROWS; r++) {
                part *const to = (part *)__shfl_sync(~0u, begin, r);
                const i64 n = (i64)__shfl_sync(~0u, length, r);
                if (k + lane < n) to[k + lane] = held[r];
            }
            __syncwarp();
        }
    }
}
template <bool WRITE, bool BESIDE, class F, class G> FN void mg_scan_run(typename F::part *data, const mg_scan &s, const mg_task &t, const G &f) {
    if constexpr (BESIDE) mg_scan_beside<WRITE, F>(data, t, f);
    else mg_scan_apart<WRITE, F>(data, s, t, f);
}

/* What each leaf comes to. Slots: all lines' first leaves, then all second ones. */
template <class F, bool BESIDE> FN void mg_scan_totals(typename F::part *data, u64 *slots, const mg_scan &s) {
    const mg_task t = mg_task::of<false, BESIDE>(s, (i64)blockIdx.x * blockDim.x + threadIdx.x);
    mg_carried<F> c = {};
    mg_scan_run<false, BESIDE, F>(data, s, t, [&](i64, typename F::whole x) { return c.next(x); });
    if (t.there) mg_set_slot(slots + t.leaf * s.lines + t.line, c.open);
}

/* Puts in place of each total what stands before it, and what all come to behind what came before the first: `state` has two words for each
   line, and `any` says which of them count. A block has a strip of lines, of which panels wait in shared memory. */
template <class F> FN void mg_scan_prefix(u64 *slots, u64 *state, i64 lines, i64 leaves, u64 any) {
    typedef typename F::whole whole;
    __shared__ u64 panel[MG_SLOTS];
    const i64 line = (i64)blockIdx.x * MG_STRIP;
    const int wide = lines - line < MG_STRIP ? (int)(lines - line) : MG_STRIP, rows = MG_SLOTS / wide, t = threadIdx.x;
    mg_carried<F> c = {};
    if (t < wide) {
        c.any_done = any & MG_DONE, c.any_open = any & MG_OPEN;
        if (c.any_done) c.done = mg_slot<whole>(state + line + t);
        if (c.any_open) c.open = mg_slot<whole>(state + lines + line + t), c.close();
    }
    for (i64 k = 0; k < leaves; k += rows) {
        const int n = leaves - k < rows ? (int)(leaves - k) : rows;
        for (int e = t; e < n * wide; e += blockDim.x) panel[e] = slots[(k + e / wide) * lines + line + e % wide];
        __syncthreads();
        if (t < wide) {
            enum { AHEAD = 16 };
            int r = 0;
            if (!c.any_done) c.done = mg_slot<whole>(panel + t), c.any_done = true, r = 1;
            /* Nothing but the operation between one leaf and the next. */
            const auto one = [&](int row, whole x) {
                mg_set_slot(panel + row * wide + t, c.done);
                c.done = F::join(c.done, x);
            };
            for (; r + AHEAD <= n; r += AHEAD) {
                whole held[AHEAD];
                #pragma unroll
                for (int j = 0; j < AHEAD; j++) held[j] = mg_slot<whole>(panel + (r + j) * wide + t);
                #pragma unroll
                for (int j = 0; j < AHEAD; j++) one(r + j, held[j]);
            }
            for (; r < n; r++) one(r, mg_slot<whole>(panel + r * wide + t));
        }
        __syncthreads();
        for (int e = t; e < n * wide; e += blockDim.x) slots[(k + e / wide) * lines + line + e % wide] = panel[e];
        __syncthreads();
    }
    if (t < wide) mg_set_slot(state + line + t, c.done);
}

/* The values, where it is known what stands before each leaf. */
template <class F, bool BESIDE> FN void mg_scan_values(typename F::part *data, const u64 *slots, u64 any, const mg_scan &s) {
    const mg_task t = mg_task::of<false, BESIDE>(s, (i64)blockIdx.x * blockDim.x + threadIdx.x);
    mg_carried<F> c = {};
    c.any_done = any || t.leaf;
    if (t.there && c.any_done) c.done = mg_slot<typename F::whole>(slots + t.leaf * s.lines + t.line);
    mg_scan_run<true, BESIDE, F>(data, s, t, [&](i64, typename F::whole x) { return c.next(x); });
}

/* The values of whole lines, from what is carried there; what is carried on takes its place. */
template <class F, bool BESIDE> FN void mg_scan_lines(typename F::part *data, u64 *state, u64 any, const mg_scan &s) {
    const mg_task t = mg_task::of<true, BESIDE>(s, (i64)blockIdx.x * blockDim.x + threadIdx.x);
    mg_carried<F> c = {};
    c.any_done = any & MG_DONE, c.any_open = any & MG_OPEN;
    if (t.there && c.any_done) c.done = mg_slot<typename F::whole>(state + t.line);
    if (t.there && c.any_open) c.open = mg_slot<typename F::whole>(state + s.lines + t.line);
    i64 left = s.first ? s.leaf - s.first : 0;
    mg_scan_run<true, BESIDE, F>(data, s, t, [&](i64, typename F::whole x) {
        if (!left) {
            if (c.any_open) c.close();
            left = s.leaf;
        }
        left--;
        return c.next(x);
    });
    if (t.there) mg_set_slot(state + t.line, c.done), mg_set_slot(state + s.lines + t.line, c.open);
}
