#!/usr/bin/env python3
"""What mgpu does on real GPUs when one is hidden, absent, too small, or lost in the middle of a run while others wait for it.

A lost GPU is a driver that says so: tests/gpu_faults/driver.c stands before NVIDIA's and from some call on fails for one device, as a
real one does after a fault. With several GPUs the others then wait in their kernels for what never comes. Each run must end soon, with
one report and the same exit code. tests/gpu_faults.rs does the same at every call without a GPU.

usage: bench/gpu_faults.py [--mgpu PATH] [--gpus 1,2,4]
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(HERE, "../target/release/mgpu")
HEAT = os.path.join(HERE, "heatnorm.mgpu")
wrong = []


def run(a, words, env=None):
    start = time.perf_counter()
    try:
        done = subprocess.run([a.mgpu, "run", HEAT, *words], capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=60)
    except subprocess.TimeoutExpired as e:
        return -1, "", f"hangs: {e.stderr}", 60
    return done.returncode, done.stdout, done.stderr, time.perf_counter() - start


def expect(what, ok, text):
    print(f"{what}: {'as it should be' if ok else 'WRONG: ' + text[-800:]}", flush=True)
    if not ok:
        wrong.append(what)


def reports(text):
    return re.findall(r"^E\d{4}", text, re.M)


def smi(field):
    return [l.strip() for l in subprocess.run(["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"], capture_output=True, text=True).stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=DEFAULT)
    parser.add_argument("--gpus", default="1,2,4")
    a = parser.parse_args()
    a.mgpu = os.path.abspath(a.mgpu)
    buses = [b[-12:].lower() for b in smi("pci.bus_id")]
    small = ["-p", "n=512", "-p", "steps=200"]

    # What CUDA_VISIBLE_DEVICES hides is not there; what it shows counts from 0.
    code, _, err, _ = run(a, [*small, "-n", "1", "--device", "cuda"], {"CUDA_VISIBLE_DEVICES": ""})
    expect("no visible device, --device cuda", code == 2 and len(reports(err)) == 1, err)
    code, _, err, _ = run(a, [*small, "-n", "1", "-v"], {"CUDA_VISIBLE_DEVICES": ""})
    expect("no visible device, any device", code == 0 and "GPUs are not used" in err, err)
    for k, bus in enumerate(buses):
        code, _, err, _ = run(a, [*small, "-n", "1", "-v"], {"CUDA_VISIBLE_DEVICES": str(k)})
        expect(f"CUDA_VISIBLE_DEVICES={k} is {bus}", code == 0 and bus in err.lower(), err)
    code, _, err, _ = run(a, [*small, "-n", "1", "--devices", "1"], {"CUDA_VISIBLE_DEVICES": "0"})
    expect("a device that is hidden", code == 2 and "there is no device 1" in err, err)

    # More than the memory: refused before step 0, with the arrays by size.
    code, out, err, took = run(a, ["-p", "n=262144", "-p", "steps=1", "-n", "1", "--device", "cuda"])
    expect("too much for the memory", code == 3 and reports(err) == ["E0602"] and out == "" and took < 20, err)

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", f"{folder}/libcuda.so.1", os.path.join(HERE, "../tests/gpu_faults/driver.c")], check=True)
        # Whichever name is looked for.
        os.symlink("libcuda.so.1", f"{folder}/libcuda.so")
        paths = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
        path = re.search(r"libcuda\.so\.1 .*64.*=> (\S+)", paths)
        base = {"LD_LIBRARY_PATH": folder + ":" + os.environ.get("LD_LIBRARY_PATH", ""), "REAL_CUDA": path.group(1) if path else "libcuda.so.1"}
        for n in (int(n) for n in a.gpus.split(",")):
            if n > len(buses):
                continue
            # Long enough that the others are in the loop when it happens.
            words = ["-p", "n=2048", "-p", "steps=3000", "-n", str(n), "--device", "cuda", "-q"]
            counts = os.path.join(folder, f"calls{n}")
            code, out, err, usual = run(a, words, {**base, "FAKE_CALLS": counts})
            expect(f"{n} GPU(s), none lost", code == 0 and os.path.exists(counts), err)
            if code:
                continue
            calls = {int(d): int(c) for d, c in (l.split() for l in open(counts))}
            for lost in sorted({0, n - 1}):
                last = calls[lost]
                for call in (3, last // 4, last // 2, 3 * last // 4, last - last // 10):
                    code, _, err, took = run(a, words, {**base, "FAKE_LOST": f"{lost}:{call}"})
                    ok = code in (3, 4) and len(reports(err)) == 1 and f"GPU {lost} of rank {lost}" in err and took < usual + 5
                    expect(f"{n} GPU(s), {lost} lost at call {call} of {last}: exit {code} after {took:.1f} s ({usual:.1f} whole)", ok, err)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
