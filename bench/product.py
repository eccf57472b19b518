#!/usr/bin/env python3
"""Products of matrices against the BLAS that NumPy ships (CPU) or cuBLAS through CuPy or JAX (GPU), in one run.

A product's time is the difference of two runs with many and few products, so that start-up and compilation do not count. On the
CPU, mgpu and NumPy take turns, on one thread and on all; a row shows the median of the ratios pair by pair (NumPy's time over
mgpu's: above 1, mgpu is faster). With --panels: products whose factors other ranks own, made panel by panel, beside the same with
factors fetched whole, in turns, and what a rank holds in both. With --device cuda the rows show TFLOP/s beside those of cuBLAS, and the step of
training.mgpu; with --tensor-cores besides, those of TF32 and bf16 by `--math`, beside PyTorch.

usage: bench/product.py [--mgpu PATH] [--repeat R] [--panels [--most RANKS]] [--n N] [--device cuda] [--tensor-cores | --only ROW] [--check]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NUMPY = """
import sys, time, numpy as np
n, steps, t = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
a, b = np.random.rand(n, n).astype(t), np.random.rand(n, n).astype(t)
c = a @ b
start = time.perf_counter()
for _ in range(steps): np.matmul(a, b, out=c)
print((time.perf_counter() - start) / steps)
"""


def told(a, program, ranks, params, more=(), env=None):
    words = [x for k, v in params.items() for x in ("-p", f"{k}={v}")]
    command = [a.mgpu, "run", os.path.join(HERE, program + ".mgpu"), "-n", str(ranks), "--device", a.device, "--json", *more]
    done = subprocess.run(command + words, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-600:])
    return json.loads(done.stderr.strip().splitlines()[-1]), done.stdout.strip()


def seconds(a, program, ranks, params, more=()):
    summary, out = told(a, program, ranks, params, more)
    return summary["steps_s"], out


def step(a, program, ranks, steps, **params):
    low, _ = seconds(a, program, ranks, {**params, "steps": max(1, steps // 10)})
    high, out = seconds(a, program, ranks, {**params, "steps": steps})
    return (high - low) / (steps - max(1, steps // 10)), out


def on_cpu(a):
    n = 2048
    for name, program in (("float32", "product"), ("float64", "product64")):
        for threads in sorted({1, os.cpu_count()}):
            env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads))
            pairs = []
            for _ in range(a.repeat):
                mine, _ = step(a, program, threads, 11, n=n)
                done = subprocess.run([sys.executable, "-c", NUMPY, str(n), "10", name], env=env, capture_output=True, text=True, check=True)
                pairs.append((float(done.stdout), mine))
            ratio = statistics.median(x / y for x, y in pairs)
            rate = 2 * n**3 / statistics.median(y for _, y in pairs) / 1e9
            print(f"{name} {n}^2 on {threads} thread(s): {rate:.0f} GFLOP/s, NumPy's time over mgpu's {ratio:.2f}", flush=True)


def panels(a):
    """Panels beside whole factors, in turns; the results are the same."""
    for program, ranks in (p for p in (("product_rows", 2), ("product_rows", 4), ("product_tiles", 4)) if p[1] <= a.most):
        pairs, memory, printed = [], {}, set()
        for turn in range(a.repeat):
            times = {}
            for way, env in (("panels", {}), ("whole", {"MGPU_PANELS": "0"}))[:: 1 if turn % 2 else -1]:
                few, many = (1, 4) if a.device == "cpu" else (10, 110)
                runs = [told(a, program, ranks, {"n": a.n, "steps": steps}, env=env) for steps in (few, many)]
                times[way] = (runs[1][0]["steps_s"] - runs[0][0]["steps_s"]) / (many - few)
                memory[way] = (runs[1][0]["memory_per_rank"] or 0) / 2**20
                printed.add(runs[1][1])
            pairs.append((times["whole"], times["panels"]))
        assert len(printed) == 1, printed
        ratio = statistics.median(x / y for x, y in pairs)
        print(
            f"{program} {a.n}^2 on {ranks} ranks: {statistics.median(y for _, y in pairs):.3f} s a product, time with whole factors over "
            f"time with panels {ratio:.2f}; a rank holds {memory['panels']:.0f} MiB, with whole factors {memory['whole']:.0f} MiB",
            flush=True,
        )


def rate(n, run, wait, row):
    """TFLOP/s of `run`, the best of three rows as long as the program's: a card at its limit of power slows down. One before them counts for nothing."""
    run()
    best = 1e9
    for _ in range(3):
        wait()
        start = time.perf_counter()
        for _ in range(row):
            run()
        wait()
        best = min(best, (time.perf_counter() - start) / row)
    return 2 * n**3 / best / 1e12


def as_in_programs(i):
    """The programs' factors, from a row of indices of some library: a card's clock depends on the values."""
    return ((i[:, None] * 7 + i * 13) % 101) / 50 - 1, ((i[:, None] * 3 + i * 5) % 97) / 50 - 1


def cublas(n, name, row):
    """TFLOP/s of cuBLAS without TF32, if something here calls it: as many products one behind another as in the program's run. Few
    would run at clocks that a card does not keep."""
    try:
        import cupy as cp
        x, y = (f.astype(name) for f in as_in_programs(cp.arange(n)))
        run = lambda: cp.matmul(x, y)
        wait = cp.cuda.Device().synchronize
    except ImportError:
        try:
            import jax
            import jax.numpy as jnp
        except ImportError:
            return None
        jax.config.update("jax_enable_x64", True)
        x, y = (f.astype(name) for f in as_in_programs(jnp.arange(n)))
        f = jax.jit(lambda x, y: jnp.matmul(x, y, precision="highest"))
        last = [None]
        run = lambda: last.__setitem__(0, f(x, y))
        wait = lambda: last[0] is None or last[0].block_until_ready()
    return rate(n, run, wait, row)


def torch_rate(n, kind, row):
    """TFLOP/s of the tensor cores' products by cuBLAS as PyTorch calls it: f32 factors in TF32, or bf16 factors added in f32; results of f32."""
    try:
        import torch
    except ImportError:
        return None
    torch.backends.cuda.matmul.allow_tf32 = True
    ty = torch.float32 if kind == "tf32" else torch.bfloat16
    x, y = (f.to(ty) for f in as_in_programs(torch.arange(n, device="cuda")))
    out = torch.empty(n, n, device="cuda")
    run = lambda: torch.mm(x, y, out=out) if kind == "tf32" else torch.mm(x, y, out_dtype=torch.float32, out=out)
    return rate(n, run, torch.cuda.synchronize, row)


def tensor_cores(a):
    """Products by cuBLAS in TF32 and bf16, beside cuBLAS."""
    n, steps = 8192, 500
    for kind, program in (("tf32", "product"), ("bf16", "product16")):
        mine, out = least(a, program, steps, ["--math", "tf32" if kind == "tf32" else "library"], n=n)
        mine = 2 * n**3 / mine / 1e12
        peer = torch_rate(n, kind, steps)
        beside = f", cuBLAS by PyTorch {peer:.1f}, ratio {mine / peer:.2f}" if peer else ""
        print(f"{kind} {n}^2: {mine:.1f} TFLOP/s{beside} ({out})", flush=True)


def least(a, program, steps, more=(), **params):
    """Seconds a step: many steps less one, the least of two, after a run that fills the cache of kernels."""
    seconds(a, program, 1, {**params, "steps": 1}, more)
    low = min(seconds(a, program, 1, {**params, "steps": 1}, more)[0] for _ in range(2))
    runs = [seconds(a, program, 1, {**params, "steps": steps}, more) for _ in range(2)]
    return (min(r[0] for r in runs) - low) / (steps - 1), runs[0][1]


def on_gpu(a):
    if not a.only:
        mine, out = least(a, "training", 6000)
        print(f"training step 2^20 x 128 -> 16: {mine * 1e6:.0f} us (loss {out})", flush=True)
    for name, program, n, steps in [r for r in (
        ("float32", "product", 8192, 120),
        ("float64", "product64", 8192, 120),
        ("float32", "product", 4096, 900),
        ("float64", "product64", 4096, 400),
        ("float32", "product", 2048, 6000),
    ) if not a.only or f"{r[0]} {r[2]}" == a.only]:
        peer = cublas(n, name, steps)
        for math in ["exact", "library"] + (["tf32"] if name == "float32" else []):
            try:
                mine, out = least(a, program, steps, ["--math", math], n=n)
            except RuntimeError as e:
                print(f"{name} {n}^2 --math {math} failed: {e}", flush=True)
                continue
            # TF32 has a peer of its own, which CuPy does not call.
            beside = f", cuBLAS {peer:.1f}, ratio {2 * n**3 / mine / 1e12 / peer:.2f}" if peer and math != "tf32" else ""
            print(f"{name} {n}^2 --math {math}: {2 * n**3 / mine / 1e12:.1f} TFLOP/s{beside} ({out})", flush=True)


def check(a):
    """The cases of tests/suite/run/contraction on this device."""
    folder = os.path.join(HERE, "../tests/suite/run/contraction")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".mgpu"):
            path = os.path.join(folder, name)
            done = subprocess.run([a.mgpu, "run", path, "-n", "1", "--device", a.device], capture_output=True, text=True)
            same = done.returncode == 0 and done.stdout == open(path[:-5] + ".out").read()
            print(f"{name}: {'as NumPy has it' if same else 'DIFFERS: ' + done.stdout + done.stderr[-600:]}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=os.path.join(HERE, "../target/release/mgpu"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--panels", action="store_true")
    parser.add_argument("--most", type=int, default=4)
    parser.add_argument("--only", default="", help="one row, such as 'float64 8192'")
    parser.add_argument("--tensor-cores", action="store_true")
    parser.add_argument("--n", type=int, default=2048)
    a = parser.parse_args()
    if a.check:
        check(a)
    if a.panels:
        panels(a)
    elif a.tensor_cores:
        tensor_cores(a)
    elif a.device == "cuda":
        on_gpu(a)
    else:
        on_cpu(a)


if __name__ == "__main__":
    main()
