#!/usr/bin/env python3
"""Conjugate gradients and PageRank against SciPy on the CPU, and against CuPy where there is a GPU, in turns. A row has the median microseconds of a round and
the median of the ratios pair by pair (the library's time over mgpu's: above 1, mgpu is faster).

SciPy and CuPy hold the matrix by rows (CSR). `CG` in mgpu is the same with the library's `cg`; `CG, stencil` applies the matrix as a kernel
without storing it, as one would in mgpu. SciPy's products run on one core, so mgpu has one rank unless --ranks says otherwise.

usage: bench/solvers.py [--mgpu PATH] [--ranks N] [--repeat R] [--n CELLS] [--pages P] [--device cpu|cuda]
"""
import argparse
import functools
import os
import sys
import time

from timing import DEFAULT, compared, heading, mgpu_step, peer_step


def peer(library, case, n, steps):
    """Seconds a round."""
    import numpy as np
    if library == "scipy":
        import scipy.sparse as sparse
        xp, wait = np, lambda: None
    else:
        import cupy as xp
        import cupyx.scipy.sparse as sparse
        wait = xp.cuda.get_current_stream().synchronize
    if case == "cg":
        ones = np.ones(n * n)
        left, up = ones.copy(), ones
        left[::n] = 0
        import scipy.sparse as host
        lower = [-left[1:], -up[n:]]
        a = sparse.csr_matrix(host.diags([4 * ones, *lower, *lower], [0, -1, -n, 1, n], format="csr"))
        i = np.arange(n * n)
        r = xp.asarray(((i // n * 7 + i % n * 13) % 100) / 100.0)
        x, p, rr = xp.zeros(n * n), r.copy(), r @ r

        def run(k):
            nonlocal x, r, p, rr
            for _ in range(k):
                q = a @ p
                alpha = rr / (p @ q)
                x += alpha * p
                r -= alpha * q
                new = r @ r
                p *= new / rr
                p += r
                rr = new
    else:
        degree, damping = 6, 0.85
        e = np.arange(n * degree)
        to = ((e * 7919) % n) * ((e * 104729 + 3) % n) // n
        import scipy.sparse as host
        a = sparse.csr_matrix(host.csr_matrix((np.ones(len(e)), (to, e // degree)), shape=(n, n)))
        rank = xp.full(n, 1 / n)

        def run(k):
            nonlocal rank
            for _ in range(k):
                rank = a @ (damping / degree * rank) + (1 - damping) / n
    run(2)
    wait()
    start = time.perf_counter()
    run(steps)
    wait()
    return (time.perf_counter() - start) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--n", type=int, default=1024)
    parser.add_argument("--pages", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    a = parser.parse_args()
    a.mgpu, peers, missing = os.path.abspath(a.mgpu), ["scipy", "cupy"], set()
    heading("a round of", peers)
    for name, program, size, case in [
        (f"CG {a.n}^2", "cg_csr", {"n": a.n}, "cg"),
        (f"CG, stencil {a.n}^2", "cg", {"n": a.n}, "cg"),
        (f"PageRank {a.pages}", "page_rank", {"pages": a.pages}, "page_rank"),
    ]:
        # A round of mgpu is the difference of two runs, whose start varies by more than a few hundred rounds take on a GPU.
        steps = a.steps * (50 if a.device == "cuda" else 1)
        ours = functools.partial(mgpu_step, a.mgpu, program, size, steps, a.ranks, ["--device", a.device])
        number = next(iter(size.values()))
        theirs = {p: functools.partial(peer_step, "solvers.py", ["--peer", p, case, number, a.steps]) for p in peers}
        try:
            missing |= compared(name, ours, theirs, a.repeat)
        except (RuntimeError, ValueError, KeyError) as e:
            print(f"{name:28} failed: {e}", flush=True)
    for p in sorted(missing):
        print(f"left out: {p} is not installed")


if sys.argv[1:2] == ["--peer"]:
    try:
        print(peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
    except ImportError:
        sys.exit(77)
else:
    main()
