// A compiler in the place of NVRTC: the text of a unit becomes a library for this machine's CPU, by kernel.h and c++, which cuda.cpp
// runs. What stands in the text as instructions of a GPU is put in C++ here.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

struct Program { std::string source, code, log; };

// The first words of an instruction, and what it does.
static const char *const MEANING[][2] = {
    {"\"cvt.f32.f16 ", "{ _Float16 half; memcpy(&half, &h, 2); x = half; }"},
    {"\"cvt.rn.f16.f32 ", "{ _Float16 half = (_Float16)x; memcpy(&h, &half, 2); }"},
    {"\"mul.wide.u32 ", "w = (u64)a * b;"},
    {"\"ld.global.v4.b32 ", "w = *p;"},
    {"\"st.global.v4.b32 ", "*p = w;"},
    {"\"red.release.sys.global.add.u32 ", "__atomic_fetch_add(p, v, __ATOMIC_RELEASE);"},
    {"\"ld.acquire.sys.global.u32 ", "v = __atomic_load_n(p, __ATOMIC_ACQUIRE); emu_idle();"},
    {"\"st.volatile.global.v4.u32 ",
     "{ u32 *const to = (u32 *)(inbox[q] + half + me * most + at); const u32 all[4] = {(u32)v, seq, (u32)(v >> 32), seq};"
     " for (int k = 0; k < 4; k += 2) __atomic_store_n((u64 *)(to + k), (u64)all[k + 1] << 32 | all[k], __ATOMIC_RELEASE); }"},
    {"\"ld.volatile.global.v4.u32 ",
     "{ const u64 a = __atomic_load_n((const u64 *)line, __ATOMIC_ACQUIRE), b = __atomic_load_n((const u64 *)line + 1, __ATOMIC_ACQUIRE);"
     " w.x = (u32)a, w.y = (u32)(a >> 32), w.z = (u32)b, w.w = (u32)(b >> 32); if (w.y != seq || w.w != seq) emu_idle(); }"},
    {"\"st.shared.b32 ", "*(u32 *)(::room + to + 4 * i) = valid ? ((const u32 *)from)[i] : 0;"},
    {"\"ld.shared.v4.b32 ", "w = *(const uint4 *)(::room + at);"},
    {"\"ld.shared.f64 ", "x = *(const f64 *)(::room + at);"},
    {"\"st.shared.f32 ", "*(f32 *)(::room + at) = x;"},
    {"\"st.shared.f64 ", "*(f64 *)(::room + at) = x;"},
    {"\"lop3.b32 ", "r = m;"},
    {"\"not.b32 ", "r = (i32)-(u32)x;"},
    {"\"bar.sync ", "emu_meet(BARRIER, THREADS);"},
};

// Misaligned vectors are an error on GPUs.
static const std::string ALIGNED = "-fsanitize=alignment -fno-sanitize-recover=alignment -static-libubsan";

static void replace(std::string &text, const std::string &what, const std::string &by) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
}

static std::string translated(std::string text) {
    for (const auto &m : MEANING)
        for (size_t at; (at = text.find(m[0])) != std::string::npos;) {
            const size_t from = text.rfind("asm", at), to = text.find(");", at) + 2;
            text.replace(from, to - from, m[1]);
        }
    replace(text, "extern __shared__", "extern thread_local");
    // What a block shares is the block's own: several may have been begun.
    for (size_t at; (at = text.find("__shared__ ")) != std::string::npos;) {
        const size_t end = text.find(';', at), dims = text.find('[', at), name = text.rfind(' ', dims) + 1;
        const std::string type = text.substr(at + 11, name - at - 11), called = text.substr(name, dims - name);
        text.replace(at, end - at, "typedef " + type + "emu_" + called + text.substr(dims, end - dims) + "; emu_" + called + " &" + called +
                                       " = *(emu_" + called + " *)emu_shared(__COUNTER__, sizeof(emu_" + called + "))");
    }
    // Every kernel with its arguments.
    std::string more;
    for (size_t at = 0; (at = text.find("extern \"C\" __global__ void", at)) != std::string::npos;) {
        at += 26;
        while (text[at] == ' ') at++;
        if (text.compare(at, 17, "__launch_bounds__") == 0) at = text.find(')', at) + 1;
        while (text[at] == ' ') at++;
        const std::string name = text.substr(at, text.find('(', at) - at);
        // Loops that run by themselves are not emulated.
        if (name == "mgpu_again") continue;
        more += "extern \"C\" void *emu_" + name + "(void **at) { return emu_bind(" + name + ", at); }\n";
    }
    return text + "\n" + more;
}

extern "C" {
int nvrtcVersion(int *major, int *minor) { return *major = 12, *minor = 0, 0; }
int nvrtcCreateProgram(Program **p, const char *source, const char *, int, const char *const *, const char *const *) {
    return *p = new Program{source, "", ""}, 0;
}
int nvrtcCompileProgram(Program *p, int, const char *const *) {
    const std::string folder = getenv("EMULATED");
    char name[] = "/tmp/emulated-XXXXXX";
    if (!mkdtemp(name)) return 1;
    const std::string at = name;
    std::ofstream(at + "/unit.cpp") << "#include \"" << folder << "/kernel.h\"\n" << translated(p->source);
    const std::string command = "c++ -std=c++17 -O1 -mfma -w -fPIC -shared -ffp-contract=off -fno-strict-aliasing " + ALIGNED + " -o " + at + "/unit.so " + at +
                                "/unit.cpp -L" + folder + " -l:libcuda.so.1 2> " + at + "/log";
    const int failed = system(command.c_str());
    const auto all = [&](const char *file) {
        std::ifstream in(at + file, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    (failed ? p->log : p->code) = all(failed ? "/log" : "/unit.so");
    if (!getenv("EMULATED_KEEP")) system(("rm -r " + at).c_str());
    return failed ? 6 : 0;
}
int nvrtcGetProgramLogSize(Program *p, size_t *n) { return *n = p->log.size() + 1, 0; }
int nvrtcGetProgramLog(Program *p, char *to) { return p->log.copy(to, p->log.size()), to[p->log.size()] = 0, 0; }
int nvrtcGetCUBINSize(Program *p, size_t *n) { return *n = p->code.size(), 0; }
int nvrtcGetCUBIN(Program *p, char *to) { return p->code.copy(to, p->code.size()), 0; }
int nvrtcDestroyProgram(Program **p) { return delete *p, *p = nullptr, 0; }
}
