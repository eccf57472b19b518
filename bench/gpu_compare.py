#!/usr/bin/env python3
"""mgpu against CuPy, JAX and PyTorch on this machine's first GPU, in one run and in turns. A row has the median microseconds of a step and the median
of the ratios pair by pair (the library's time over mgpu's: above 1, mgpu is faster). What is not installed is left out, and said.

usage: bench/gpu_compare.py [--mgpu PATH] [--repeat R] [--only TEXT] [--device cuda|cpu] [--small]

--small runs sizes that a CPU can do, to try the script: --device cpu --small.
"""
import argparse
import functools
import os
import subprocess

from timing import DEFAULT, compared, heading, mgpu_step, peer_step

CASES = [  # name, program, parameters of mgpu, the peers' case and size, steps, size with --small
    ("heat 2-D f32 16384^2", "heat", "heat", 16384, 1000, 512),
    ("heat 2-D f32 4096^2", "heat", "heat", 4096, 10000, 256),
    ("triad f64 2^27", "triad", "triad", 1 << 27, 1000, 1 << 18),
    ("sum of squares f32 2^28", "sumsq", "sumsq", 1 << 28, 1000, 1 << 18),
    ("Monte Carlo pi f32 2^30", "pi32", "pi", 1 << 30, 100, 1 << 18),
    ("training 2^20 x 128 -> 16", "training", "training", 1 << 20, 500, 1 << 12),
]
PEERS = ["cupy", "jax", "torch"]


def machine(device):
    if device == "cpu":
        return "the CPU"
    try:
        asked = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True)
        return asked.stdout.splitlines()[0].strip()
    except (OSError, IndexError):
        return "a GPU that nvidia-smi does not name"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true")
    a = parser.parse_args()
    a.mgpu = os.path.abspath(a.mgpu)
    print(f"on {machine(a.device)}, medians of {a.repeat}; a ratio above 1: mgpu is faster")
    heading("a step of", PEERS)
    missing = set()
    for name, program, case, size, steps, small in CASES:
        if a.only not in name:
            continue
        if a.small:
            name, size, steps = f"{program} {small}", small, 20
        ours = functools.partial(mgpu_step, a.mgpu, program, {"n": size}, steps, 1, ["--device", a.device])
        # The libraries' steps are timed without start-up, so that fewer do.
        peers = {p: functools.partial(peer_step, "peers.py", [p, case, size, max(10, steps // 10)]) for p in PEERS}
        try:
            missing |= compared(name, ours, peers, a.repeat)
        except (RuntimeError, ValueError, KeyError) as e:
            print(f"{name:28} failed: {e}", flush=True)
    for peer in sorted(missing):
        print(f"left out: {peer} is not installed")


main()
