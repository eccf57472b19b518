#!/usr/bin/env python3
"""Every example and every running case of tests/suite on GPUs against the CPU: the same text, the same bytes in every file.

The CPU's answer comes from the built-in machine on one rank; GPUs run as threads (`-n N`) and, with --mpirun, as MPI
processes. Prints one line for each program that differs and a summary; the exit code is 1 if there is any.

usage: bench/gpu_suite.py [--mgpu PATH] [--ranks 1,2:nccl,4] [--mpirun 2:gpu-aware,..] [--jobs J] [--only TEXT] [--timeout S] [--gpus G] [--at-once K]
                          [--wrap COMMAND] [-- more arguments of mgpu run]

A number of ranks may name the transport that is forced (`2:nccl`). --wrap puts a command in front, such as
"compute-sanitizer --tool memcheck --error-exitcode 9".
"""
import argparse
import concurrent.futures
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from spread import Gpus

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cases():
    for folder, _, names in sorted(os.walk(os.path.join(ROOT, "tests/suite/run"))):
        for name in sorted(names):
            if name.endswith(".mgpu"):
                yield os.path.join(folder, name), directives(os.path.join(folder, name))
    examples = os.path.join(ROOT, "examples")
    for name in sorted(os.listdir(examples)):
        if name.endswith(".mgpu"):
            yield os.path.join(examples, name), {"args": []}


def directives(path):
    out = {"args": []}
    for line in open(path):
        if line.startswith("// ") and ":" in line:
            key, value = line[3:].split(":", 1)
            if key in ("args", "ranks", "output", "expect"):
                out[key] = value.split()
    return out


def run(path, args, command, limit=300, env={}):
    """Text, exit code and files that a run leaves behind."""
    with tempfile.TemporaryDirectory() as tmp:
        here = os.path.join(tmp, "here")
        shutil.copytree(os.path.dirname(path), here, ignore=shutil.ignore_patterns("*.out", "heat.png", "*.npy") if "examples" not in path else None)
        before = {os.path.join(d, f) for d, _, fs in os.walk(here) for f in fs}
        for f in list(before):
            if not f.endswith((".mgpu", ".npy", ".json")) or ("examples" in path and f.endswith(".npy") and "/data/" not in f):
                os.remove(f)
                before.discard(f)
        done = subprocess.run(command + [os.path.basename(path)] + args, cwd=here, capture_output=True, text=True, timeout=limit, env={**os.environ, **env})
        files = {}
        for d, _, fs in os.walk(here):
            for f in fs:
                p = os.path.join(d, f)
                if p not in before:
                    files[os.path.relpath(p, here)] = open(p, "rb").read()
        return done.stdout, done.returncode, files, done.stderr


def compare(path, want, got):
    if got[1] != want[1]:
        return f"exit {got[1]}, not {want[1]}: {got[3][-400:]}"
    if got[0] != want[0]:
        lines = [(a, b) for a, b in zip(want[0].splitlines(), got[0].splitlines()) if a != b]
        return f"prints {lines[:1]}" if lines else "prints another number of lines"
    if set(got[2]) != set(want[2]):
        return f"writes {sorted(got[2])}, not {sorted(want[2])}"
    for f, data in want[2].items():
        if got[2][f] != data:
            return f"{f} differs"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mgpu", default=os.path.join(ROOT, "target/release/mgpu"))
    parser.add_argument("--ranks", default="1,2,4")
    parser.add_argument("--mpirun", default="")
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", type=float, default=60, help="seconds of a run on GPUs")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to spread runs over that need fewer (the most ranks named)")
    parser.add_argument("--at-once", type=int, default=4, help="runs that share a GPU; kernels of one that wait for each other take the others' time")
    parser.add_argument("--wrap", default="", help="a command that runs mgpu")
    parser.add_argument("more", nargs="*")
    a = parser.parse_args()
    mgpu = os.path.abspath(a.mgpu)
    named = [int(m.partition(":")[0]) for m in (a.ranks + "," + a.mpirun).split(",") if m]
    gpus = Gpus(a.gpus or max(named), a.at_once)
    cpu = lambda n: [mgpu, "run", "-q", "-n", str(n), "--executor", "vm"]
    wrap = shlex.split(a.wrap)
    by = lambda transport: a.more + (["--transport", transport] if transport else [])
    gpu = lambda n, t: wrap + [mgpu, "run", "-q", "-n", str(n), "--device", "cuda"] + by(t)
    mpi = lambda n, t: ["mpirun", "--oversubscribe", "-n", str(n)] + wrap + [mgpu, "run", "-q", "--device", "cuda"] + by(t)

    def check(item):
        path, d = item
        name, bad, runs = os.path.relpath(path, ROOT), [], 0
        if "expect" in d:
            return name, bad, runs
        by_ranks = "output" in d or "hello" in path or "ring" in path
        allowed = {int(n) for n in d.get("ranks", [])}
        want = None if by_ranks else run(path, d["args"], cpu(min(allowed, default=1)))
        for kind, counts, command in (("threads", a.ranks, gpu), ("mpi", a.mpirun, mpi)):
            for mode in filter(None, counts.split(",")):
                n, _, transport = mode.partition(":")
                n = int(n)
                if allowed and n not in allowed:
                    continue
                wanted = want or run(path, d["args"], cpu(n))
                try:
                    with gpus.some(n) as env:
                        got = run(path, d["args"], command(n, transport), a.timeout, env)
                    why = compare(path, wanted, got)
                except subprocess.TimeoutExpired:
                    why = "does not end"
                runs += 1
                if why:
                    bad.append(f"{kind} {mode}: {why}")
        return name, bad, runs

    work = [c for c in cases() if a.only in c[0]]
    failed = total = done = 0

    def summary(*_):
        print(f"{done} of {len(work)} programs, {total} runs on GPUs, {failed} wrong", flush=True)

    def ended(*_):
        summary()
        os._exit(1)

    # Ended from outside, it says how far it came.
    signal.signal(signal.SIGTERM, ended)
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for future in concurrent.futures.as_completed([pool.submit(check, c) for c in work]):
            name, bad, runs = future.result()
            done, total, failed = done + 1, total + runs, failed + len(bad)
            for why in bad:
                print(f"{name}: {why}", flush=True)
    summary()
    sys.exit(1 if failed else 0)


main()
