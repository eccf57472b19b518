
/* Kernels that all programs share: compiled once on a machine. */
extern "C" __global__ void mgpu_copies(const mg_copy *copies) {
    const mg_copy c = copies[blockIdx.y];
    mg_copy_share(c, (i64)blockIdx.x * blockDim.x + threadIdx.x, (i64)gridDim.x * blockDim.x);
}
/* Sets one of the workflow's scalars. */
extern "C" __global__ void mgpu_set(u64 *scalars, u64 at, u64 bits) { scalars[at] = bits; }

/* A message to a peer: copies straight into its memory. Without counters: what this rank copies for itself. */
struct mg_send {
    mg_link *mine, *theirs;
    u64 first, count;
};
/* A message from a peer. */
struct mg_receive {
    mg_link *mine, *theirs;
};
/* An exchange with peers: row y of the grid delivers message y, the last row says that this rank may be written to and waits
   for what arrives. `ask` and `tell` have a bit a message: whether the sender must wait until it may write. */
extern "C" __global__ void mgpu_carry(
    const mg_copy *copies, const mg_send *sends, u64 to, const mg_receive *receives, u64 from, u64 ask, u64 tell, const u32 *stop) {
    const u32 y = blockIdx.y, t = threadIdx.x;
    if (y < to) {
        const mg_send s = sends[y];
        const bool asks = s.theirs && ask >> (y < 63 ? y : 63) & 1;
        if (asks) {
            if (!t) mg_await(&s.mine->ready, s.mine->asked + 1, stop);
            __syncthreads();
        }
        for (u64 k = 0; k < s.count; k++)
            mg_copy_share(copies[s.first + k], (i64)blockIdx.x * blockDim.x + t, (i64)gridDim.x * blockDim.x);
        if (!s.theirs) return;
        __syncthreads();
        if (!t) {
            mg_add(&s.theirs->arrived, mg_share(blockIdx.x, gridDim.x));
            if (asks && atomicAdd(&s.mine->left, 1) == gridDim.x - 1) {
                s.mine->left = 0;
                s.mine->asked++;
            }
        }
        return;
    }
    if (blockIdx.x) return;
    for (u32 k = t; k < from; k += blockDim.x)
        if (tell >> (k < 63 ? k : 63) & 1) mg_add(&receives[k].theirs->ready, 1);
    for (u32 k = t; k < from; k += blockDim.x)
        mg_await(&receives[k].mine->arrived, receives[k].mine->taken += MG_WHOLE, stop);
}
