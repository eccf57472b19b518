// A CUDA driver that runs kernels on the CPU, for tests without a GPU. Built as libcuda.so.1; nvrtc.cpp makes what it loads.
//
// A stream is a thread that does one thing after another; a graph does again what was captured, in the order of the calls. A kernel's
// blocks run one after the other, their threads as fibers that go on to the next barrier in turn. A block whose threads wait for another rank is
// put aside until all others have been begun, as those of a GPU run together. EMULATED_GPUS says how many devices there are (4).
//
// Memory that nobody has written is not zero. With EMULATED_ORDER=down blocks and threads go on in the opposite order, the last first: what
// depends on who is first, because a barrier is missing, gives other results in one of the two.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

struct emu_dim { unsigned x, y, z; };
thread_local emu_dim threadIdx, blockIdx, blockDim, gridDim;
thread_local unsigned char room[232448] __attribute__((aligned(128)));

typedef std::function<void()> Work;

// ---- Threads of a block. ----

// Keeps the registers that a call must keep, and goes on with another stack.
extern "C" void emu_switch(void **from, void *to);
asm(R"(
.globl emu_switch
emu_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
)");

enum State { RUNS, MEETS, WARP, IDLE, DONE };
struct Fiber { void *stack; State state; int barrier, threads; unsigned mask; };
const size_t STACK = 64 << 10;

struct Block {
    emu_dim at, shape;
    int count, live;
    const Work *work;
    std::vector<Fiber> fibers;
    std::vector<unsigned long long> slots;
    char *stacks = nullptr;
    std::map<std::pair<int, size_t>, std::unique_ptr<std::max_align_t[]>> shared;
};
static thread_local Block *block;
static thread_local int running;
static thread_local void *scheduler;
static thread_local bool trapped;
struct Stacks {
    std::vector<std::pair<size_t, char *>> all;
    ~Stacks() { for (auto &s : all) munmap(s.second, s.first); }
};
static thread_local Stacks free_stacks;

static void entry() {
    (*block->work)();
    block->fibers[running].state = DONE;
    block->live--;
    void *none;
    emu_switch(&none, scheduler);
    abort();
}

static void pause(State state) {
    Fiber &f = block->fibers[running];
    f.state = state;
    emu_switch(&f.stack, scheduler);
}
void emu_meet(int barrier, int threads) {
    Fiber &f = block->fibers[running];
    f.barrier = barrier, f.threads = threads;
    pause(MEETS);
}
void emu_warp(unsigned mask) {
    block->fibers[running].mask = mask;
    pause(WARP);
}
unsigned long long *emu_slots() { return &block->slots[running / 32 * 32]; }
void *emu_shared(int number, size_t bytes) {
    auto &at = block->shared[{number, bytes}];
    if (!at) {
        const size_t n = bytes / sizeof(std::max_align_t) + 1;
        at.reset(new std::max_align_t[n]);
        memset((void *)at.get(), 0xa5, n * sizeof(std::max_align_t));
    }
    return at.get();
}
void emu_idle() { pause(IDLE); }
void emu_trap() {
    trapped = true;
    block->fibers[running].state = DONE;
    block->live--;
    void *none;
    emu_switch(&none, scheduler);
    abort();
}

static void begin(Block &b, emu_dim at, emu_dim shape, const Work *work) {
    b.at = at, b.shape = shape, b.work = work;
    b.count = b.live = shape.x * shape.y * shape.z;
    b.fibers.assign(b.count, Fiber{});
    b.slots.assign((b.count + 31) / 32 * 32, 0);
    const size_t bytes = b.count * STACK;
    auto &spare = free_stacks.all;
    for (size_t k = 0; k < spare.size() && !b.stacks; k++)
        if (spare[k].first == bytes) {
            b.stacks = spare[k].second;
            spare.erase(spare.begin() + k);
        }
    if (!b.stacks) b.stacks = (char *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < b.count; i++) {
        // As emu_switch leaves a stack: six registers, and where to go on.
        void **top = (void **)(b.stacks + (i + 1) * STACK - 16);
        *--top = nullptr;
        *--top = (void *)entry;
        for (int k = 0; k < 6; k++) *--top = nullptr;
        b.fibers[i].stack = top;
        b.fibers[i].state = RUNS;
    }
}

static const bool down = getenv("EMULATED_ORDER") && !strcmp(getenv("EMULATED_ORDER"), "down");
static unsigned ordered(unsigned k, unsigned n) { return down ? n - 1 - k : k; }

// Runs a block until it is done (true), or none of its threads can go on by itself.
static bool go_on(Block &b) {
    block = &b;
    blockIdx = b.at, blockDim = b.shape;
    for (auto &f : b.fibers)
        if (f.state == IDLE) f.state = RUNS;
    for (;;) {
        bool ran = false;
        for (int k = 0; k < b.count; k++) {
            const int i = ordered(k, b.count);
            if (b.fibers[i].state != RUNS) continue;
            ran = true;
            running = i;
            threadIdx = {i % b.shape.x, i / b.shape.x % b.shape.y, i / (b.shape.x * b.shape.y)};
            emu_switch(&scheduler, b.fibers[i].stack);
        }
        if (!b.live || trapped) {
            free_stacks.all.push_back({b.count * STACK, b.stacks});
            return true;
        }
        bool freed = false;
        for (int i = 0; i < b.count; i++) {
            Fiber &f = b.fibers[i];
            if (f.state == MEETS) {
                int here = 0;
                for (auto &g : b.fibers) here += g.state == MEETS && g.barrier == f.barrier;
                if (here != (f.threads ? f.threads : b.live)) continue;
                const int barrier = f.barrier;
                for (auto &g : b.fibers)
                    if (g.state == MEETS && g.barrier == barrier) g.state = RUNS;
                freed = true;
            } else if (f.state == WARP) {
                const int first = i / 32 * 32;
                bool all = true;
                for (int k = 0; k < 32 && first + k < b.count; k++)
                    if (f.mask >> k & 1) all &= b.fibers[first + k].state == WARP || b.fibers[first + k].state == DONE;
                if (!all) continue;
                const unsigned mask = f.mask;
                for (int k = 0; k < 32 && first + k < b.count; k++)
                    if (mask >> k & 1 && b.fibers[first + k].state == WARP) b.fibers[first + k].state = RUNS;
                freed = true;
            }
        }
        if (freed) continue;
        if (!ran) {
            bool idle = false;
            for (auto &f : b.fibers) idle |= f.state == IDLE;
            if (!idle) fprintf(stderr, "emulated: threads of a block wait for one another for ever\n"), abort();
        }
        return false;
    }
}

static void run_kernel(const Work &work, emu_dim grid, emu_dim shape) {
    std::deque<std::unique_ptr<Block>> aside;
    gridDim = grid;
    for (unsigned z = 0; z < grid.z && !trapped; z++)
        for (unsigned y = 0; y < grid.y && !trapped; y++)
            for (unsigned x = 0; x < grid.x && !trapped; x++) {
                auto b = std::make_unique<Block>();
                begin(*b, {ordered(x, grid.x), ordered(y, grid.y), ordered(z, grid.z)}, shape, &work);
                if (!go_on(*b)) aside.push_back(std::move(b));
            }
    while (!aside.empty() && !trapped) {
        auto b = std::move(aside.front());
        aside.pop_front();
        if (!go_on(*b)) {
            aside.push_back(std::move(b));
            std::this_thread::yield();
        }
    }
}

// ---- Streams, events, graphs. ----

enum { INVALID = 1, NO_DEVICE = 100, NOT_FOUND = 500, LOST = 719, NOT_SUPPORTED = 801, OUT_OF_MEMORY = 2 };
const size_t ARENA = 8ul << 30;
struct Device { char *arena; std::atomic<size_t> used{0}; std::atomic<int> blocks{0}, error{0}; };
static Device devices[16];
static int count = 4;
static thread_local Device *current;

struct Graph { std::vector<Work> all; };
struct Stream {
    Device *device = current;
    Graph *capture = nullptr;
    std::mutex lock;
    std::condition_variable changed;
    std::deque<Work> queue;
    bool busy = false, over = false;
    std::thread worker{[this] { run(); }};
    void run() {
        std::unique_lock<std::mutex> held(lock);
        for (;;) {
            changed.wait(held, [&] { return over || !queue.empty(); });
            if (queue.empty()) return;
            Work work = std::move(queue.front());
            queue.pop_front();
            busy = true;
            held.unlock();
            if (!device->error) work();
            if (trapped) device->error = LOST;
            held.lock();
            busy = false;
            changed.notify_all();
        }
    }
    void add(Work work) {
        if (capture) {
            capture->all.push_back(std::move(work));
            return;
        }
        std::lock_guard<std::mutex> held(lock);
        queue.push_back(std::move(work));
        changed.notify_all();
    }
    int wait() {
        std::unique_lock<std::mutex> held(lock);
        changed.wait(held, [&] { return queue.empty() && !busy; });
        return device->error;
    }
};
static std::mutex streams_lock;
static std::vector<Stream *> streams;

struct Flag { std::atomic<bool> set{false}; };
struct Event { std::shared_ptr<Flag> flag; Graph *captured = nullptr; };

__attribute__((constructor)) static void begin_all() {
    if (const char *text = getenv("EMULATED_GPUS")) count = atoi(text);
    for (int d = 0; d < count; d++)
        devices[d].arena = (char *)mmap(nullptr, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

extern "C" {
int cuInit(unsigned) { return count ? 0 : NO_DEVICE; }
int cuDriverGetVersion(int *v) { return *v = 12000, 0; }
int cuDeviceGetCount(int *n) { return *n = count, 0; }
int cuDeviceGet(int *d, int k) { return *d = k, k < count ? 0 : 101; }
int cuDeviceGetName(char *to, int n, int) { return snprintf(to, n, "emulated GPU"), 0; }
int cuDeviceGetPCIBusId(char *to, int n, int d) { return snprintf(to, n, "0000:%02x:00.0", d), 0; }
int cuDeviceTotalMem_v2(size_t *n, int) { return *n = ARENA, 0; }
int cuDeviceGetAttribute(int *v, int which, int) {
    // Compute capability 9.0; multiprocessors; shared memory of a block.
    return *v = which == 75 ? 9 : which == 16 ? 132 : which == 97 ? 227 << 10 : 0, 0;
}
int cuDeviceCanAccessPeer(int *can, int, int) { return *can = 1, 0; }
int cuDevicePrimaryCtxRetain(void **context, int d) { return *context = &devices[d], 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void *context) { return current = (Device *)context, 0; }
int cuCtxGetDevice(int *d) { return *d = (int)(current - devices), 0; }
int cuCtxEnablePeerAccess(void *, unsigned) { return 0; }
int cuGetErrorString(int code, const char **text) {
    *text = code == LOST ? "unspecified launch failure" : code == OUT_OF_MEMORY ? "out of memory" : nullptr;
    return *text ? 0 : INVALID;
}
int cuGetExportTable(const void **table, const void *) {
    static size_t none = sizeof none;
    return *table = &none, 0;
}
int cuMemGetInfo_v2(size_t *left, size_t *all) { return *left = ARENA - current->used, *all = ARENA, 0; }
int cuMemAlloc_v2(char **at, size_t n) {
    const size_t from = current->used.fetch_add((n + 255) & ~255ul);
    if (from + n > ARENA) return OUT_OF_MEMORY;
    // Not zeros, so that what nobody has written shows.
    memset(*at = current->arena + from, 0xa5, n);
    current->blocks++;
    return 0;
}
int cuMemFree_v2(char *) {
    // A program's memory goes with its last block.
    if (--current->blocks == 0) {
        madvise(current->arena, current->used, MADV_DONTNEED);
        current->used = 0;
    }
    return 0;
}
int cuMemHostAlloc(void **at, size_t n, unsigned) { return (*at = calloc(1, n)) ? 0 : OUT_OF_MEMORY; }
int cuMemFreeHost(void *at) { return free(at), 0; }
int cuMemsetD8Async(void *to, unsigned char v, size_t n, Stream *s) { return s->add([=] { memset(to, v, n); }), s->device->error; }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t n, Stream *s) { return s->add([=] { memcpy(to, from, n); }), s->device->error; }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t n, Stream *s) { return s->add([=] { memcpy(to, from, n); }), s->device->error; }
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t n, Stream *s) { return s->add([=] { memmove(to, from, n); }), s->device->error; }
int cuIpcGetMemHandle(void *, void *) { return NOT_SUPPORTED; }
int cuIpcOpenMemHandle_v2(void *, void *, unsigned) { return NOT_SUPPORTED; }
int cuIpcCloseMemHandle(void *) { return 0; }

int cuModuleLoadData(void **module, const char *image) {
    // A library ends with its table of sections.
    unsigned long long table;
    unsigned short size, sections;
    memcpy(&table, image + 40, 8), memcpy(&size, image + 58, 2), memcpy(&sections, image + 60, 2);
    char name[] = "/tmp/emulated-XXXXXX";
    const int file = mkstemp(name);
    if (file < 0 || write(file, image, table + (size_t)size * sections) < 0) return INVALID;
    close(file);
    *module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!*module) fprintf(stderr, "%s\n", dlerror());
    unlink(name);
    return *module ? 0 : INVALID;
}
int cuModuleGetFunction(void **f, void *module, const char *name) {
    char all[256];
    snprintf(all, sizeof all, "emu_%s", name);
    return (*f = dlsym(module, all)) ? 0 : NOT_FOUND;
}
int cuModuleUnload(void *) { return 0; }
int cuFuncSetAttribute(void *, int, int) { return 0; }
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, Stream *s, void **at, void **) {
    auto work = std::shared_ptr<Work>((Work *)((void *(*)(void **))f)(at));
    s->add([=] { run_kernel(*work, {gx, gy, gz}, {bx, by, bz}); });
    return s->device->error;
}

int cuStreamCreate(Stream **s, unsigned) {
    *s = new Stream;
    std::lock_guard<std::mutex> held(streams_lock);
    streams.push_back(*s);
    return 0;
}
int cuStreamDestroy_v2(Stream *s) {
    s->wait();
    {
        std::lock_guard<std::mutex> held(s->lock);
        s->over = true;
        s->changed.notify_all();
    }
    s->worker.join();
    std::lock_guard<std::mutex> held(streams_lock);
    for (size_t k = 0; k < streams.size(); k++)
        if (streams[k] == s) streams.erase(streams.begin() + k--);
    delete s;
    return 0;
}
int cuStreamSynchronize(Stream *s) { return s->wait(); }
int cuStreamBeginCapture_v2(Stream *s, int) { return s->capture = new Graph, 0; }
int cuStreamBeginCaptureToGraph(Stream *, void *, const void *, const void *, size_t, int) { return NOT_SUPPORTED; }
int cuStreamEndCapture(Stream *s, Graph **g) {
    *g = s->capture;
    std::lock_guard<std::mutex> held(streams_lock);
    for (auto *t : streams)
        if (t->capture == *g) t->capture = nullptr;
    return 0;
}
int cuEventCreate(Event **e, unsigned) { return *e = new Event, 0; }
int cuEventDestroy_v2(Event *e) { return delete e, 0; }
int cuEventRecord(Event *e, Stream *s) {
    e->captured = s->capture;
    auto flag = e->flag = std::make_shared<Flag>();
    if (!s->capture) s->add([=] { flag->set = true; });
    return s->device->error;
}
int cuStreamWaitEvent(Stream *s, Event *e, unsigned) {
    if (e->captured) s->capture = e->captured;
    else if (auto flag = e->flag)
        s->add([=] { while (!flag->set && !s->device->error) std::this_thread::yield(); });
    return s->device->error;
}
int cuEventSynchronize(Event *e) {
    if (auto flag = e->flag)
        while (!flag->set) {
            for (int d = 0; d < count; d++)
                if (devices[d].error && &devices[d] == current) return LOST;
            std::this_thread::yield();
        }
    return 0;
}
int cuEventElapsedTime_v2(float *ms, Event *, Event *) { return *ms = 0.001f, 0; }
int cuGraphCreate(Graph **g, unsigned) { return *g = new Graph, 0; }
int cuGraphInstantiateWithFlags(Graph **exec, Graph *g, unsigned long long) { return *exec = new Graph(*g), 0; }
int cuGraphLaunch(Graph *exec, Stream *s) {
    auto all = std::make_shared<std::vector<Work>>(exec->all);
    s->add([=] { for (auto &work : *all) if (!trapped) work(); });
    return s->device->error;
}
int cuGraphDestroy(Graph *g) { return delete g, 0; }
int cuGraphExecDestroy(Graph *g) { return delete g, 0; }
int cuGraphConditionalHandleCreate(void *, void *, void *, unsigned, unsigned) { return NOT_SUPPORTED; }
int cuGraphAddNode_v2(void *, void *, const void *, const void *, size_t, void *) { return NOT_SUPPORTED; }
}
