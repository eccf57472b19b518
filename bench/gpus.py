#!/usr/bin/env python3
"""The same programs on 1, 2 and 4 GPUs of this machine: microseconds a step, beside what is aimed at. A step's
time is the difference of a long and a short run, the least of --repeat. Runs that need fewer GPUs than there are run beside each other.

usage: bench/gpus.py [--mgpu PATH] [--gpus 1,2,4] [--only TEXT] [--repeat R] [-- more arguments of mgpu run]
"""
import argparse
import concurrent.futures
import os

from spread import Gpus
from timing import DEFAULT, mgpu_seconds

CASES = [  # name, program, parameters, steps of a long run on one GPU, most microseconds by GPUs
    ("heat 2-D f32 1024^2", "heat", {"n": 1024}, 400000, {1: 3.0, 4: 4.0}),
    ("heat 2-D f32 2048^2", "heat", {"n": 2048}, 200000, {1: 6.6, 4: 4.6}),
    ("heat 2-D f32 4096^2", "heat", {"n": 4096}, 50000, {4: 9.0}),
    ("heat 2-D f32 16384^2", "heat", {"n": 16384}, 4000, {1: 537, 4: 140}),
    ("with norm 1024^2", "heatnorm", {"n": 1024}, 200000, {}),
    ("with norm 2048^2", "heatnorm", {"n": 2048}, 100000, {}),
    ("with norm 4096^2", "heatnorm", {"n": 4096}, 50000, {}),
    ("with norm 16384^2", "heatnorm", {"n": 16384}, 4000, {4: 146}),
    ("sum of squares f32 2^30", "sumsq", {"n": 1 << 30}, 2000, {}),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--gpus", default="1,2,4")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("more", nargs="*")
    a = parser.parse_args()
    a.mgpu = os.path.abspath(a.mgpu)
    counts = [int(n) for n in a.gpus.split(",")]
    gpus = Gpus(max(counts), 1)

    def step(case, ranks):
        _, program, params, steps, _ = case
        with gpus.some(ranks) as env:
            def seconds(k):
                return mgpu_seconds(a.mgpu, program, params, k, ranks, ["--device", "cuda", *a.more], env)
            try:
                seconds(2)
                few = steps // 10
                return min((seconds(steps) - seconds(few)) / (steps - few) for _ in range(a.repeat)) * 1e6
            except (RuntimeError, ValueError, KeyError, IndexError) as e:
                return str(e).strip().splitlines()[-1] if str(e).strip() else repr(e)

    cases = [c for c in CASES if a.only in c[0]]
    times = {}
    # Those that need all GPUs come last and alone.
    for ranks in sorted(counts):
        with concurrent.futures.ThreadPoolExecutor(max(counts)) as pool:
            for case, took in zip(cases, pool.map(lambda c: step(c, ranks), cases)):
                times[case[0], ranks] = took
    print(f"{'us a step':28}" + "".join(f"{f'{n} GPU':>12} {'aim':>8}" for n in counts))
    for name, *_, aims in cases:
        cell = lambda n: times[name, n] if isinstance(times[name, n], str) else f"{times[name, n]:12.2f}"
        print(f"{name:28}" + "".join(f"{cell(n):>12} {aims.get(n, ''):>8}" for n in counts), flush=True)


main()
