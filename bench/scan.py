#!/usr/bin/env python3
"""Running sums on GPUs (bench/scan.mgpu, scan_rows.mgpu, scan_columns.mgpu): microseconds a step, beside CuPy's cumsum on one GPU. 2^24
values of f64 as one line, as rows and as columns of a matrix.

usage: bench/scan.py [--mgpu PATH] [--gpus 1,2] [--repeat R] [--peer line|rows|columns]
"""
import argparse
import statistics
import sys

from timing import DEFAULT, mgpu_step, peer_step, timed

PROGRAMS = {"line": "scan", "rows": "scan_rows", "columns": "scan_columns"}
STEPS = 100


def peer(kind):
    """Seconds a step with CuPy."""
    try:
        import cupy as cp
    except ImportError:
        sys.exit(77)
    x = ((cp.arange(1 << 24) * 37) % 101).astype(cp.float64) / 7
    if kind != "line":
        x = x.reshape(4096, 4096)
    s, axis = cp.empty_like(x), 1 if kind == "rows" else 0
    print(timed(lambda _: cp.cumsum(x, axis=axis, out=s), STEPS, cp.cuda.Device().synchronize))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--gpus", default="1")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer")
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer)
    for kind, program in PROGRAMS.items():
        for gpus in map(int, a.gpus.split(",")):
            times = [mgpu_step(a.mgpu, program, {}, STEPS, gpus, ["--device", "cuda"]) for _ in range(a.repeat)]
            print(f"{kind}, mgpu on {gpus} GPU(s): {statistics.median(times) * 1e6:10.1f} us", flush=True)
        its = peer_step("scan.py", ["--peer", kind])
        if its is not None:
            print(f"{kind}, CuPy: {its * 1e6:10.1f} us", flush=True)


if __name__ == "__main__":
    main()
