#!/usr/bin/env python3
"""A traced run on a GPU: its trace has a track for the GPU with a slice for every sweep, whose times are within those of the run.

usage: bench/gpu_trace.py [--mgpu PATH]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from timing import DEFAULT, HERE

STEPS = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=DEFAULT)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        trace = os.path.join(tmp, "t.json")
        command = [os.path.abspath(a.mgpu), "run", os.path.join(HERE, "heat.mgpu"), "-n", "1", "--device", "cuda", "-p", "n=2048", "-p", f"steps={STEPS}", "--json", "--trace", trace]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        events = json.load(open(trace))["traceEvents"]
    ran = json.loads(done.stderr.strip().splitlines()[-1])["steps_s"] * 1e6
    tracks = [e["tid"] for e in events if e["ph"] == "M" and e["args"]["name"] == "rank 0, GPU"]
    slices = [e for e in events if e["ph"] == "X" and e["tid"] in tracks]
    sweeps = [e for e in slices if e["args"]["line"].startswith("heat.mgpu") and e["cat"] == "compute"]
    busy = sum(e["dur"] for e in slices)
    print(f"{len(sweeps)} sweeps, {busy:.0f} us of {ran:.0f} us")
    sys.exit(0 if len(sweeps) >= STEPS and 0 < busy < ran else 1)


main()
