/* A CUDA driver for tests of what mgpu does when one fails. Built as libcuda.so.1 and found by LD_LIBRARY_PATH.
 *
 * Without a GPU (FAKE_GPUS says how many there are, 3 if nothing does; CUDA_VISIBLE_DEVICES may name one of them): memory is memory of the host behind addresses that nobody may
 * use, as a GPU's are for a library that knows no GPUs; copies copy; kernels do nothing. So it shows the way of messages and errors,
 * and no results. With a GPU (REAL_CUDA is the path of its driver) every call goes to that driver.
 *
 * FAKE_LOST=DEVICE:CALL: from that call in the device's context on, all calls there fail, as after an illegal access.
 * FAKE_CLAIM: MPI says that it takes addresses of device memory, if this library is loaded before it (LD_PRELOAD).
 * FAKE_CALLS=FILE: how many calls each device had is added there at the end.
 * FAKE_WAITS=FILE: how often the host waited for a device, without a GPU.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef long W; /* any argument: an integer or a pointer */
enum { MOST = 16, NOT_SUPPORTED = 801, NOT_FOUND = 500, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, LOST = 719 };
#define ARENA (1ul << 30)

struct device {
    char *hidden, *seen; /* what programs get, and where the bytes are */
    void *context;
    atomic_ulong used;
    atomic_long calls;
};
static struct device devices[MOST];
static int count = 3, first, lost_device = -1;
static long lost_call = -1;
static _Thread_local struct device *current;
static void *real;

/* The bytes behind an address: of a device, or of the host. */
static char *bytes(W at) {
    for (int d = 0; d < count; d++)
        if ((char *)at >= devices[d].hidden && (char *)at < devices[d].hidden + ARENA)
            return devices[d].seen + ((char *)at - devices[d].hidden);
    return (char *)at;
}

static atomic_long waits;

static void counted(void) {
    const char *to = getenv("FAKE_WAITS");
    FILE *all = to ? fopen(to, "a") : NULL;
    if (all) fprintf(all, "%ld\n", waits), fclose(all);
    const char *file = getenv("FAKE_CALLS");
    FILE *out = file ? fopen(file, "a") : NULL;
    if (!out) return;
    for (int d = 0; d < MOST; d++)
        if (devices[d].calls) fprintf(out, "%d %ld\n", d, devices[d].calls);
    fclose(out);
}

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("FAKE_LOST");
    if (text) sscanf(text, "%d:%ld", &lost_device, &lost_call);
    atexit(counted);
    if ((text = getenv("REAL_CUDA"))) {
        if (!(real = dlopen(text, RTLD_NOW | RTLD_LOCAL))) fprintf(stderr, "%s\n", dlerror());
        return;
    }
    if ((text = getenv("FAKE_GPUS"))) count = atoi(text) < MOST ? atoi(text) : MOST;
    if ((text = getenv("CUDA_VISIBLE_DEVICES"))) first = atoi(text), count = first < count;
    for (int d = 0; d < count; d++) {
        int file = memfd_create("gpu", 0);
        if (file < 0 || ftruncate(file, ARENA)) abort();
        devices[d].seen = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        devices[d].hidden = mmap(NULL, ARENA, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    }
}

/* Whether this thread's device has been lost: each call in its context counts. */
static int gone(void) {
    if (!current) return 0;
    return ++current->calls >= lost_call && lost_call >= 0 && current - devices == lost_device;
}

/* name(..): to the real driver, or the function below. */
#define CALL(name)                                                                                                        \
    static W fake_##name(W a, W b, W c, W d, W e, W f);                                                                   \
    int name(W a, W b, W c, W d, W e, W f, W g, W h, W i, W j, W k) {                                                     \
        static W (*to)(W, W, W, W, W, W, W, W, W, W, W);                                                                  \
        if (gone()) return LOST;                                                                                          \
        if (real && !to) to = (void *)dlsym(real, #name);                                                                 \
        if (real) return to ? (int)to(a, b, c, d, e, f, g, h, i, j, k) : NOT_SUPPORTED;                                   \
        return (int)fake_##name(a, b, c, d, e, f);                                                                        \
    }                                                                                                                     \
    static W fake_##name(W a, W b, W c, W d, W e, W f)
/* Calls that have nothing to do here. */
#define NOTHING(name) CALL(name) { return 0; }
/* Calls that give something: any address does. */
#define GIVES(name) CALL(name) { static long thing; *(void **)a = &thing; return 0; }

CALL(cuInit) { return count ? 0 : NO_DEVICE; }
CALL(cuDriverGetVersion) { *(int *)a = 13000; return 0; }
CALL(cuDeviceGetCount) { *(int *)a = count; return 0; }
CALL(cuDeviceGet) { *(int *)a = (int)b; return (int)b < count ? 0 : 101; }
CALL(cuDeviceGetName) { snprintf((char *)a, (int)b, "stand-in"); return 0; }
CALL(cuDeviceGetPCIBusId) { snprintf((char *)a, (int)b, "0000:%02x:00.0", first + (int)c); return 0; }
CALL(cuDeviceTotalMem_v2) { *(size_t *)a = ARENA; return 0; }
CALL(cuDeviceGetAttribute) {
    /* compute capability 9.0; multiprocessors; shared memory of a block */
    *(int *)a = (int)b == 75 ? 9 : (int)b == 16 ? 132 : (int)b == 97 ? 227 << 10 : 0;
    return 0;
}
CALL(cuDeviceCanAccessPeer) { *(int *)a = 1; return 0; }
NOTHING(cuDevicePrimaryCtxRelease_v2)
NOTHING(cuCtxEnablePeerAccess)
CALL(cuCtxGetDevice) { *(int *)a = (int)(current - devices); return 0; }
CALL(cuMemGetInfo_v2) { *(size_t *)a = ARENA - current->used, *(size_t *)b = ARENA; return 0; }
CALL(cuMemAlloc_v2) {
    size_t at = atomic_fetch_add(&current->used, (b + 255) & ~255ul);
    if (at + b > ARENA) return OUT_OF_MEMORY;
    *(char **)a = current->hidden + at;
    return 0;
}
NOTHING(cuMemFree_v2)
CALL(cuMemHostAlloc) { return (*(void **)a = calloc(1, b)) ? 0 : OUT_OF_MEMORY; }
CALL(cuMemFreeHost) { free((void *)a); return 0; }
CALL(cuMemsetD8Async) { memset(bytes(a), (int)b, c); return 0; }
CALL(cuMemcpyHtoDAsync_v2) { memcpy(bytes(a), bytes(b), c); return 0; }
CALL(cuMemcpyDtoHAsync_v2) { memcpy(bytes(a), bytes(b), c); return 0; }
CALL(cuMemcpyDtoDAsync_v2) { memmove(bytes(a), bytes(b), c); return 0; }
CALL(cuIpcGetMemHandle) { return NOT_SUPPORTED; }
CALL(cuIpcOpenMemHandle_v2) { return NOT_SUPPORTED; }
NOTHING(cuIpcCloseMemHandle)
CALL(cuModuleLoadData) { *(W *)a = b; return 0; }
/* A kernel is there if its name is one of the strings of the image, an ELF file that ends with its table of sections. */
CALL(cuModuleGetFunction) {
    const char *image = (const char *)b, *name = (const char *)c, *at = image;
    const size_t n = strlen(name) + 1;
    uint64_t table;
    uint16_t size, sections;
    memcpy(&table, image + 40, 8), memcpy(&size, image + 58, 2), memcpy(&sections, image + 60, 2);
    const char *end = image + table + (size_t)size * sections;
    *(W *)a = b;
    while ((at = memmem(at, end - at, name, n)))
        if (!at++[-1]) return 0;
    return NOT_FOUND;
}
NOTHING(cuModuleUnload)
NOTHING(cuFuncSetAttribute)
NOTHING(cuLaunchKernel)
GIVES(cuStreamCreate)
NOTHING(cuStreamDestroy_v2)
CALL(cuStreamSynchronize) { waits++; return 0; }
NOTHING(cuStreamWaitEvent)
NOTHING(cuStreamBeginCapture_v2)
NOTHING(cuStreamBeginCaptureToGraph)
CALL(cuStreamEndCapture) { static long thing; *(void **)b = &thing; return 0; }
GIVES(cuGraphCreate)
GIVES(cuGraphInstantiateWithFlags)
NOTHING(cuGraphLaunch)
NOTHING(cuGraphDestroy)
NOTHING(cuGraphExecDestroy)
CALL(cuGraphConditionalHandleCreate) { return NOT_SUPPORTED; }
CALL(cuGraphAddNode_v2) { return NOT_SUPPORTED; }
GIVES(cuEventCreate)
NOTHING(cuEventRecord)
CALL(cuEventSynchronize) { waits++; return 0; }
NOTHING(cuEventDestroy_v2)
CALL(cuEventElapsedTime_v2) { *(float *)a = 0.001f; return 0; }

/* A thread's device follows from the context that it takes. */
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = &devices[device];
    int code = real ? ((int (*)(void **, int))dlsym(real, "cuDevicePrimaryCtxRetain"))(context, device) : 0;
    devices[device].context = *context;
    return code;
}

int cuCtxSetCurrent(void *context) {
    for (int d = 0; d < MOST; d++)
        if (devices[d].context == context) current = &devices[d];
    if (gone()) return LOST;
    return real ? ((int (*)(void *))dlsym(real, "cuCtxSetCurrent"))(context) : 0;
}

/* NVRTC asks a driver that is there for tables of its own; one of no entries will do. */
int cuGetExportTable(const void **table, const void *id) {
    static size_t none = sizeof none;
    *table = &none;
    return real ? ((int (*)(const void **, const void *))dlsym(real, "cuGetExportTable"))(table, id) : 0;
}

int MPIX_Query_cuda_support(void) { return getenv("FAKE_CLAIM") != NULL; }

int cuGetErrorString(int code, const char **text) {
    *text = code == LOST            ? "unspecified launch failure"
            : code == OUT_OF_MEMORY ? "out of memory"
            : code == NO_DEVICE     ? "no CUDA-capable device is detected"
                                    : NULL;
    return *text ? 0 : INVALID;
}
