
/* Behind a round of a `while` loop: whether there is another one. Conditional nodes of graphs came with CUDA 12.4. */
#if __CUDACC_VER_MAJOR__ > 12 || (__CUDACC_VER_MAJOR__ == 12 && __CUDACC_VER_MINOR__ >= 4)
extern "C" __device__ void cudaGraphSetConditional(unsigned long long handle, unsigned int value);

/* The word `count` of the table has the rounds so far, the one behind it the number after which the host looks in. */
extern "C" __global__ void mgpu_again(u64 *scalars, u64 cond, u64 count, u64 whole, u64 next) {
    const u64 rounds = ++scalars[count];
    const u32 on = scalars[cond] != 0;
    cudaGraphSetConditional(next, on);
    cudaGraphSetConditional(whole, on && rounds % scalars[count + 1] != 0);
}
#endif
