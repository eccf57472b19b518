#!/usr/bin/env python3
"""Values that add to elements which change in every step (bench/deposit.mgpu), on GPUs: microseconds a step, beside CuPy's scatter_add, whose sums
of floats depend on the order in which threads come by, and CuPy's stable sort by element, which an order of one's own needs.

usage: bench/deposit.py [--mgpu PATH] [--gpus 1,2] [--n VALUES] [--cells ELEMENTS] [--repeat R] [--peer add|sort]
"""
import argparse
import statistics
import sys

from timing import DEFAULT, mgpu_step, peer_step, timed

STEPS = 40


def peer(kind, n, cells):
    """Seconds a step with CuPy."""
    try:
        import cupy as cp
        import cupyx
    except ImportError:
        sys.exit(77)
    i = cp.arange(n, dtype=cp.int64)
    weight = (i % 7).astype(cp.float32) + 0.5

    def step(t):
        cell = (i * 2654435761 + t * 40503) % cells
        if kind == "sort":
            return cp.argsort(cell, kind="stable")
        h = cp.zeros(cells, cp.float32)
        cupyx.scatter_add(h, cell, weight)
        return h

    print(timed(step, STEPS, cp.cuda.Device().synchronize))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--gpus", default="1")
    parser.add_argument("--n", type=int, default=1 << 24)
    parser.add_argument("--cells", type=int, default=1 << 20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer")
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer, a.n, a.cells)
    params, more = {"n": a.n, "cells": a.cells}, ["--device", "cuda"]
    for gpus in map(int, a.gpus.split(",")):
        ours = lambda: mgpu_step(a.mgpu, "deposit", params, STEPS, gpus, more)
        times = [ours() for _ in range(a.repeat)]
        print(f"mgpu on {gpus} GPU(s): {statistics.median(times) * 1e6:10.1f} us ({min(times) * 1e6:.1f}..{max(times) * 1e6:.1f})")
    for kind, words in [("add", "scatter_add, in any order"), ("sort", "stable argsort alone")]:
        times = [peer_step("deposit.py", ["--peer", kind, "--n", a.n, "--cells", a.cells]) for _ in range(a.repeat)]
        if None in times:
            print("CuPy is not here")
            break
        print(f"CuPy, {words}: {statistics.median(times) * 1e6:10.1f} us ({min(times) * 1e6:.1f}..{max(times) * 1e6:.1f})")


if __name__ == "__main__":
    main()
