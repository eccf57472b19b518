#!/usr/bin/env python3
"""Speed on this machine's CPU against hand-written C++ (and NumPy, JAX where installed), in one run.

Each benchmark alternates mgpu and its peers; a row shows the median seconds a step and the median of the ratios pair by
pair (peer's time over mgpu's: above 1, mgpu is faster). mgpu's time a step is the difference of two runs with many and few
steps, so that start-up, compilation and first touch do not count; the peers time their loop.

usage: bench/cpu.py [--mgpu PATH] [--repeat R] [--threads T] [--only NAME]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [  # name, program, n, steps of the long run
    ("triad f64 2^25", "triad", 1 << 25, 30),
    ("heat f32 1024^2", "heat", 1024, 3000),
    ("heat f32 8192^2", "heat", 8192, 40),
    ("sum of squares f32 2^26", "sumsq", 1 << 26, 60),
    ("sin + exp f32 2^24", "sinexp", 1 << 24, 40),
    ("Monte Carlo pi 2^24", "pi", 1 << 24, 20),
]


def mgpu_step(mgpu, program, n, steps, threads):
    def seconds(s):
        done = subprocess.run(
            [mgpu, "run", os.path.join(HERE, program + ".mgpu"), "-n", str(threads), "-p", f"n={n}", "-p", f"steps={s}", "--json"],
            capture_output=True, text=True, check=True)
        return json.loads(done.stderr.strip().splitlines()[-1])["run_s"], done.stdout.strip()
    few = max(1, steps // 10)
    low, _ = seconds(few)
    high, out = seconds(steps)
    return max(1e-9, (high - low) / (steps - few)), out


def cpp_step(exe, name, n, steps, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_PROC_BIND="true")
    done = subprocess.run([exe, name, str(n), str(steps)], capture_output=True, text=True, check=True, env=env)
    return float(done.stdout.split()[0])


def numpy_step(name, n, steps):
    import numpy as np
    steps = max(2, min(steps, 10))
    if name == "triad":
        b, c, a = np.arange(n) * 0.5, np.full(n, 2.0), np.zeros(n)
        f = lambda: np.add(b, 3.0 * c, out=a)
    elif name == "heat":
        u = np.random.rand(n + 2, n + 2).astype(np.float32)
        f = lambda: u[1:-1, 1:-1] + np.float32(0.2) * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
    elif name == "sumsq":
        x = np.random.rand(n).astype(np.float32)
        f = lambda: np.dot(x, x)
    elif name == "sinexp":
        x = np.random.rand(n).astype(np.float32)
        f = lambda: np.sin(x) * np.exp(-x / 2) + np.sin(2 * x + 1) * np.exp(-x * x)
    else:
        g = np.random.Generator(np.random.Philox(1))
        f = lambda: np.count_nonzero(g.random(n) ** 2 + g.random(n) ** 2 <= 1)
    f()
    start = time.perf_counter()
    for _ in range(steps):
        f()
    return (time.perf_counter() - start) / steps


def jax_step(name, n, steps):
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)
    steps = max(2, min(steps, 10))
    # Arrays are arguments: what a jitted function closes over is folded when it is compiled.
    key = jax.random.key(1)
    if name == "triad":
        args = (jnp.arange(n) * 0.5, jnp.full(n, 2.0))
        f = jax.jit(lambda b, c: b + 3.0 * c)
    elif name == "heat":
        args = (jax.random.uniform(key, (n, n), jnp.float32),)
        def sweep(u):
            p = jnp.pad(u, 1, mode="edge")
            return u + jnp.float32(0.2) * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u)
        f = jax.jit(sweep)
    elif name == "sumsq":
        args = (jax.random.uniform(key, (n,), jnp.float32),)
        f = jax.jit(lambda x: jnp.sum(x * x))
    elif name == "sinexp":
        args = (jax.random.uniform(key, (n,), jnp.float32),)
        f = jax.jit(lambda x: jnp.sin(x) * jnp.exp(-x / 2) + jnp.sin(2 * x + 1) * jnp.exp(-x * x))
    else:
        args = (key,)
        f = jax.jit(lambda key: jnp.sum(jnp.sum(jax.random.uniform(key, (n, 2)) ** 2, axis=1) <= 1))
    f(*args).block_until_ready()
    start = time.perf_counter()
    for _ in range(steps):
        f(*args).block_until_ready()
    return (time.perf_counter() - start) / steps


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--mgpu", default=os.path.join(HERE, "..", "target", "release", "mgpu"))
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--only", default="")
    args = p.parse_args()
    peers = []
    for name, step in (("NumPy", numpy_step), ("JAX", jax_step)):
        try:
            __import__(name.lower())
            peers.append((name, step))
        except ImportError:
            print(f"{name} is not installed: no column for it", file=sys.stderr)
    exe = os.path.join(tempfile.mkdtemp(), "cpu")
    subprocess.run(["g++", "-O3", "-march=native", "-fopenmp", "-std=c++17", "-o", exe, os.path.join(HERE, "cpu.cpp")], check=True)
    print(f"| {args.threads} threads | mgpu ms a step | C++ / mgpu |" + "".join(f" {n} / mgpu |" for n, _ in peers))
    print("|---|---|---|" + "---|" * len(peers))
    for title, name, n, steps in CASES:
        if args.only and args.only not in title:
            continue
        mine, ratios = [], []
        for _ in range(args.repeat):
            m, _ = mgpu_step(args.mgpu, name, n, steps, args.threads)
            c = cpp_step(exe, name, n, steps, args.threads)
            mine.append(m)
            ratios.append(c / m)
        row = f"| {title} | {1e3 * statistics.median(mine):.3f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f}) |"
        for _, step in peers:
            row += f" {step(name, n, steps) / statistics.median(mine):.1f} |"
        print(row, flush=True)
    few, many = [json.loads(subprocess.run([args.mgpu, "run", os.path.join(HERE, "empty.mgpu"), "-n", "1", "-p", f"steps={s}", "--json"], capture_output=True, text=True, check=True).stderr.splitlines()[-1])["run_s"] for s in (100000, 2000000)]
    print(f"\nA step of a loop around an empty kernel: {(many - few) / 1.9e6 * 1e6:.3f} us on one rank.")


if __name__ == "__main__":
    main()
