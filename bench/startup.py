#!/usr/bin/env python3
"""How long mgpu takes before it computes, as medians over fresh processes, with the limits that it should keep.

check   a program of 200 lines: `mgpu check bench/lagoon.mgpu`, under 50 ms
cold    heat 64 x 64, ten steps, two ranks, with an empty cache of kernels: under 300 ms
warm    the same with the kernels compiled: under 60 ms
plan    `mgpu plan -n 4096` of every lesson, the slowest: under 1 s

usage: bench/startup.py [--mgpu PATH] [--repeat R]
"""
import argparse
import glob
import os
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def seconds(command, **more):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    return time.perf_counter() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--mgpu", default=os.path.join(HERE, "..", "target", "release", "mgpu"))
    p.add_argument("--repeat", type=int, default=21)
    args = p.parse_args()
    mgpu = os.path.abspath(args.mgpu)
    folder = tempfile.mkdtemp()
    cache = os.path.join(folder, "cache")
    environment = dict(os.environ, MGPU_CACHE=cache)
    small = [mgpu, "run", "-q", os.path.join(HERE, "heat.mgpu"), "--root", folder, "-n", "2", "-p", "n=64", "-p", "steps=10"]

    def cold():
        shutil.rmtree(cache, ignore_errors=True)
        return seconds(small, env=environment)

    lessons = sorted(glob.glob(os.path.join(HERE, "..", "examples", "*.mgpu")))
    plan = lambda lesson: seconds([mgpu, "plan", lesson, "-n", "4096"])
    slowest = max(lessons, key=plan)
    rows = [
        ("check", 0.05, lambda: seconds([mgpu, "check", os.path.join(HERE, "lagoon.mgpu")])),
        ("cold", 0.3, cold),
        ("warm", 0.06, lambda: seconds(small, env=environment)),
        (f"plan ({os.path.basename(slowest)})", 1.0, lambda: plan(slowest)),
    ]
    print("| | ms (least..most) | limit |\n|---|---|---|")
    for name, limit, run in rows:
        run()
        times = sorted(1e3 * run() for _ in range(args.repeat))
        print(f"| {name} | {statistics.median(times):.0f} ({times[0]:.0f}..{times[-1]:.0f}) | {1e3 * limit:.0f} |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
