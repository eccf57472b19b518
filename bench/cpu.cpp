// The peers of the CPU benchmarks: straightforward C++ with OpenMP, timed inside the process.
// usage: cpu NAME N STEPS; prints seconds a step and a check value.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

using Clock = std::chrono::steady_clock;

template <class T> static std::unique_ptr<T[]> block(int64_t n) { return std::unique_ptr<T[]>(new T[n]); }

template <class F> static double timed(int64_t steps, F step) {
    step();
    auto start = Clock::now();
    for (int64_t t = 0; t < steps; t++) step();
    return std::chrono::duration<double>(Clock::now() - start).count() / steps;
}

static double triad(int64_t n, int64_t steps, double &check) {
    auto a = block<double>(n), b = block<double>(n), c = block<double>(n);
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) { a[i] = 0; b[i] = 0.5 * i; c[i] = 2; }
    double *pa = a.get(); const double *pb = b.get(), *pc = c.get();
    double s = timed(steps, [&] {
#pragma omp parallel for
        for (int64_t i = 0; i < n; i++) pa[i] = pb[i] + 3.0 * pc[i];
    });
    check = a[n - 1];
    return s;
}

static double heat(int64_t n, int64_t steps, double &check) {
    int64_t w = n + 2;
    auto x = block<float>(w * w), y = block<float>(w * w);
#pragma omp parallel for
    for (int64_t i = 0; i < w; i++)
        for (int64_t j = 0; j < w; j++) x[i * w + j] = y[i * w + j] = float(((i - 1) * 7 + (j - 1) * 13) % 100);
    float *u = x.get(), *v = y.get();
    double s = timed(steps, [&] {
#pragma omp parallel
        {
#pragma omp for
            for (int64_t i = 1; i <= n; i++) { u[i * w] = u[i * w + 1]; u[i * w + n + 1] = u[i * w + n]; }
#pragma omp single
            { std::memcpy(u, u + w, w * sizeof(float)); std::memcpy(u + (n + 1) * w, u + n * w, w * sizeof(float)); }
#pragma omp for
            for (int64_t i = 1; i <= n; i++) {
                const float *__restrict up = u + (i - 1) * w, *__restrict at = u + i * w, *__restrict dn = u + (i + 1) * w;
                float *__restrict out = v + i * w;
                for (int64_t j = 1; j <= n; j++) out[j] = at[j] + 0.2f * (up[j] + dn[j] + at[j - 1] + at[j + 1] - 4.0f * at[j]);
            }
        }
        std::swap(u, v);
    });
    check = u[(n / 2 + 1) * w + n / 2 + 1];
    return s;
}

static double sumsq(int64_t n, int64_t steps, double &check) {
    auto x = block<float>(n);
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) x[i] = float(i % 1000) * 0.001f;
    const float *p = x.get();
    float sum = 0;
    double s = timed(steps, [&] {
        const float *q = p;
        float part = 0;
#pragma omp parallel for simd reduction(+ : part)
        for (int64_t i = 0; i < n; i++) part += q[i] * q[i];
        sum = part;
    });
    check = sum;
    return s;
}

static double sinexp(int64_t n, int64_t steps, double &check) {
    auto x = block<float>(n), y = block<float>(n);
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) { x[i] = float(i % 4096) * 0.001f; y[i] = 0; }
    const float *p = x.get();
    float *q = y.get();
    double s = timed(steps, [&] {
#pragma omp parallel for
        for (int64_t i = 0; i < n; i++) q[i] = sinf(p[i]) * expf(-p[i] / 2) + sinf(2 * p[i] + 1) * expf(-p[i] * p[i]);
    });
    check = y[n - 1];
    return s;
}

// Philox4x32-10 of Salmon et al., SC 2011.
static inline void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int r = 0; r < 10; r++) {
        uint64_t p0 = uint64_t(0xD2511F53u) * c[0], p1 = uint64_t(0xCD9E8D57u) * c[2];
        uint32_t n0 = uint32_t(p1 >> 32) ^ c[1] ^ k0, n2 = uint32_t(p0 >> 32) ^ c[3] ^ k1;
        c[1] = uint32_t(p1); c[3] = uint32_t(p0); c[0] = n0; c[2] = n2;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
    }
}

static double pi(int64_t n, int64_t steps, double &check) {
    int64_t count = 0;
    double s = timed(steps, [&] {
        count = 0;
#pragma omp parallel for simd reduction(+ : count)
        for (int64_t i = 0; i < n; i++) {
            uint32_t c[4] = {uint32_t(i), uint32_t(uint64_t(i) >> 32), 0, 0};
            philox(c, 1, 0);
            double x = c[0] * 0x1p-32, y = c[1] * 0x1p-32;
            count += x * x + y * y <= 1;
        }
    });
    check = double(count);
    return s;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int64_t n = atoll(argv[2]), steps = atoll(argv[3]);
    double check = 0, s = 0;
    if (!strcmp(argv[1], "triad")) s = triad(n, steps, check);
    else if (!strcmp(argv[1], "heat")) s = heat(n, steps, check);
    else if (!strcmp(argv[1], "sumsq")) s = sumsq(n, steps, check);
    else if (!strcmp(argv[1], "sinexp")) s = sinexp(n, steps, check);
    else if (!strcmp(argv[1], "pi")) s = pi(n, steps, check);
    else return 2;
    printf("%.9e %.9g\n", s, check);
}
