#!/usr/bin/env python3
"""A step of a benchmark in a Python library, as its users write it; prints seconds a step. Every call is a process of its own, so that no
library holds another's memory. Ends with 77 where the library is not installed.

usage: bench/peers.py cupy|jax|torch heat|triad|sumsq|pi|training SIZE STEPS
"""
import sys
import time

MISSING = 77
SCALE = 1 << 26  # points that are drawn at once


def cupy(case, n, steps):
    import cupy as cp

    def timed(step):
        step(2)
        start, end = cp.cuda.Event(), cp.cuda.Event()
        start.record()
        step(steps)
        end.record()
        end.synchronize()
        return cp.cuda.get_elapsed_time(start, end) / 1e3 / steps

    if case == "heat":
        source = cp.ElementwiseKernel(
            "raw float32 u, int32 n", "float32 v",
            """int r = i / n, c = i % n; float m = u[i];
               float t = r ? u[i - n] : m, b = r < n - 1 ? u[i + n] : m, l = c ? u[i - 1] : m, k = c < n - 1 ? u[i + 1] : m;
               v = m + 0.2f * (t + b + l + k - 4.0f * m);""", "heat")
        state = [cp.random.random((n, n), dtype=cp.float32), cp.empty((n, n), cp.float32)]

        def step(k):
            for _ in range(k):
                source(state[0], n, state[1])
                state.reverse()
    elif case == "triad":
        b, c, a = cp.arange(n) * 0.5, cp.full(n, 2.0), cp.empty(n)
        source = cp.ElementwiseKernel("float64 b, float64 c", "float64 a", "a = b + 3.0 * c", "triad")
        step = lambda k: [source(b, c, a) for _ in range(k)]
    elif case == "sumsq":
        x = cp.random.random(n, dtype=cp.float32)
        source = cp.ReductionKernel("float32 x", "float32 y", "x * x", "a + b", "y = a", "0", "sumsq")
        step = lambda k: [source(x) for _ in range(k)]
    elif case == "pi":
        def step(k):
            for _ in range(k * max(1, n // SCALE)):
                x, y = cp.random.random(SCALE, dtype=cp.float32), cp.random.random(SCALE, dtype=cp.float32)
                cp.count_nonzero(x * x + y * y <= 1)
    else:
        k, j, c = cp.arange(n)[:, None], cp.arange(128), cp.arange(16)
        x = (((k * 7 + j * 13) % 101) / 50 - 1).astype(cp.float32)
        y = (((k * 3 + c * 5) % 17) / 8 - 1).astype(cp.float32)
        w, b = cp.zeros((128, 16), cp.float32), cp.zeros(16, cp.float32)

        def step(k):
            nonlocal w, b
            for _ in range(k):
                d = (2.0 / (n * 16)) * (x @ w + b - y)
                w, b = w - 0.1 * (x.T @ d), b - 0.1 * d.sum(axis=0)
    return timed(step)


def jax(case, n, steps):
    import jax
    import jax.numpy as jnp
    if case == "triad":
        jax.config.update("jax_enable_x64", True)

    def timed(step, *state):
        run = jax.jit(lambda *s: jax.lax.fori_loop(0, steps, step, s))
        jax.block_until_ready(run(*state))
        start = time.perf_counter()
        jax.block_until_ready(run(*state))
        return (time.perf_counter() - start) / steps

    if case == "heat":
        def step(_, s):
            u = s[0]
            p = jnp.pad(u, 1, mode="edge")
            return (u + 0.2 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u),)
        return timed(step, jax.random.uniform(jax.random.PRNGKey(0), (n, n), jnp.float32))
    if case == "triad":
        # The result goes into the next step, so that no step is left out.
        return timed(lambda _, s: (s[1] + 3.0 * s[0], s[1]), jnp.full(n, 2.0), jnp.arange(n) * 0.5)
    if case == "sumsq":
        x = jax.random.uniform(jax.random.PRNGKey(0), (n,), jnp.float32)
        total = jax.jit(lambda x: jnp.sum(x * x))
        jax.block_until_ready(total(x))
        start = time.perf_counter()
        for _ in range(steps):
            last = total(x)
        jax.block_until_ready(last)
        return (time.perf_counter() - start) / steps
    if case == "pi":
        def step(t, s):
            key = jax.random.fold_in(jax.random.PRNGKey(1), t)
            def part(k, inside):
                p = jax.random.uniform(jax.random.fold_in(key, k), (2, min(n, SCALE)), jnp.float32)
                return inside + jnp.sum(p[0] ** 2 + p[1] ** 2 <= 1)
            return (s[0] + jax.lax.fori_loop(0, max(1, n // SCALE), part, 0),)
        return timed(step, 0)
    import training_jax
    return training_jax.step_time(n, steps)


def torch(case, n, steps):
    import torch
    here = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_default_device(here)
    wait = torch.cuda.synchronize if here.type == "cuda" else lambda: None

    def timed(step):
        step(2)
        wait()
        start = time.perf_counter()
        step(steps)
        wait()
        return (time.perf_counter() - start) / steps

    if case == "heat":
        state = [torch.rand(n, n)]

        def once(u):
            p = torch.nn.functional.pad(u[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
            return u + 0.2 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u)

        once = torch.compile(once) if here.type == "cuda" else once

        def step(k):
            for _ in range(k):
                state[0] = once(state[0])
    elif case == "triad":
        b, c = torch.arange(n, dtype=torch.float64) * 0.5, torch.full((n,), 2.0, dtype=torch.float64)
        a = torch.empty_like(b)
        step = lambda k: [torch.add(b, c, alpha=3.0, out=a) for _ in range(k)]
    elif case == "sumsq":
        x = torch.rand(n)
        step = lambda k: [torch.dot(x, x) for _ in range(k)]
    elif case == "pi":
        def step(k):
            for _ in range(k * max(1, n // SCALE)):
                x, y = torch.rand(min(n, SCALE)), torch.rand(min(n, SCALE))
                torch.count_nonzero(x * x + y * y <= 1)
    else:
        k, j, c = torch.arange(n)[:, None], torch.arange(128), torch.arange(16)
        x = (((k * 7 + j * 13) % 101) / 50 - 1).float()
        y = (((k * 3 + c * 5) % 17) / 8 - 1).float()
        w, b = torch.zeros(128, 16, requires_grad=True), torch.zeros(16, requires_grad=True)

        def step(k):
            for _ in range(k):
                loss = ((x @ w + b - y) ** 2).mean()
                gw, gb = torch.autograd.grad(loss, (w, b))
                with torch.no_grad():
                    w.sub_(0.1 * gw)
                    b.sub_(0.1 * gb)
    return timed(step)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    library, case, n, steps = {"cupy": cupy, "jax": jax, "torch": torch}[sys.argv[1]], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    try:
        print(library(case, n, steps))
    except ImportError:
        sys.exit(MISSING)
