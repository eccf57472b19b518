#!/usr/bin/env python3
"""Speed on this machine's GPUs. A step's time is the difference of two runs with many and few steps, so that start-up and
compilation do not count. Prints the figure beside its aim, and the copy bandwidth measured in the same call (with CuPy).

usage: bench/gpu.py [--mgpu PATH] [--ranks N] [--only NAME] [-- more arguments of mgpu run]
"""
import argparse
import os

from timing import mgpu_seconds

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [  # name, program, parameters, steps of the long run, points or bytes a step, unit, aim
    ("heat 2-D f32 16384^2", "heat", {"n": 16384}, 4000, 16384**2 / 1e9, "GCells/s", 500),
    ("heat 2-D f64 16384^2", "heat64", {"n": 16384}, 2000, 16384**2 / 1e9, "GCells/s", 255),
    ("heat 3-D f32 1024^3", "heat3d", {"n": 1024}, 1000, 1024**3 / 1e9, "GCells/s", 430),
    ("heat 2-D f32 2048^2", "heat", {"n": 2048}, 300000, None, "us/step", 6.6),
    ("heat 2-D f32 1024^2", "heat", {"n": 1024}, 600000, None, "us/step", 3.0),
    ("heat 2-D f32 16384^2 with norm", "heatnorm", {"n": 16384}, 4000, 16384**2 / 1e9, "GCells/s", 475),
    ("triad f64 2^27", "triad", {"n": 1 << 27}, 3000, 3 * 8 * (1 << 27) / 1e12, "TB/s", 4.3),
    ("sum of squares f32 2^28", "sumsq", {"n": 1 << 28}, 8000, 4 * (1 << 28) / 1e12, "TB/s", 4.3),
    ("Monte Carlo pi in integers 2^33", "pi_bits", {"n": 1 << 33}, 150, (1 << 33) / 1e9, "Gpoints/s", 650),
    ("Monte Carlo pi f32 2^33", "pi32", {"n": 1 << 33}, 150, (1 << 33) / 1e9, "Gpoints/s", 650),
    ("Monte Carlo pi f64 2^32", "pi", {"n": 1 << 32}, 100, (1 << 32) / 1e9, "Gpoints/s", None),
]


def seconds(a, program, params, steps):
    return mgpu_seconds(a.mgpu, program, params, steps, a.ranks, ["--device", "cuda", *a.more])


def copy_bandwidth():
    try:
        import cupy as cp
    except ImportError:
        return
    x = cp.zeros(1 << 30, cp.uint8)
    y = cp.empty_like(x)
    best = 1e9
    for _ in range(20):
        start, end = cp.cuda.Event(), cp.cuda.Event()
        start.record()
        cp.copyto(y, x)
        end.record()
        end.synchronize()
        best = min(best, cp.cuda.get_elapsed_time(start, end))
    name = cp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"{name}: device-to-device copy {2 * (1 << 30) / best / 1e9:.2f} TB/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=os.path.join(HERE, "../target/release/mgpu"))
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("more", nargs="*")
    a = parser.parse_args()
    a.mgpu = os.path.abspath(a.mgpu)
    copy_bandwidth()
    for name, program, params, steps, work, unit, aim in CASES:
        if a.only not in name:
            continue
        try:
            seconds(a, program, params, 2)
            few = max(2, steps // 10)
            each = sorted((seconds(a, program, params, steps) - seconds(a, program, params, few)) / (steps - few) for _ in range(a.repeat))
            step = each[len(each) // 2]
            value = step * 1e6 if work is None else work / step
            wanted = "" if aim is None else f"   aim {aim}"
            print(f"{name:34} {value:9.2f} {unit}  ({step * 1e6:.2f} us a step){wanted}", flush=True)
        except (RuntimeError, ValueError, KeyError, IndexError) as e:
            print(f"{name:34} failed: {e}", flush=True)


main()
