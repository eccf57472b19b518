"""What the benchmarks share: the time of a step of an mgpu program, of a step of a Python library, and rows of a table."""
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(HERE, "../target/release/mgpu")


def mgpu_seconds(mgpu, program, params, steps, ranks=1, more=(), env={}):
    """Seconds that the steps of a run of `bench/PROGRAM.mgpu` take, without start-up and compilation."""
    words = [x for k, v in {**params, "steps": steps}.items() for x in ("-p", f"{k}={v}")]
    command = [mgpu, "run", os.path.join(HERE, program + ".mgpu"), "-n", str(ranks), "--json", *words, *more]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-600:])
    return json.loads(done.stderr.strip().splitlines()[-1])["steps_s"]


def mgpu_step(mgpu, program, params, steps, ranks=1, more=()):
    """Seconds a step: the difference of two runs with many and few steps."""
    few = max(1, steps // 10)
    # A first run compiles.
    mgpu_seconds(mgpu, program, params, 1, ranks, more)
    low = mgpu_seconds(mgpu, program, params, few, ranks, more)
    return max(1e-9, (mgpu_seconds(mgpu, program, params, steps, ranks, more) - low) / (steps - few))


def timed(step, steps, wait=lambda: None):
    """Seconds a step of Python's `step(t)`, behind a first one that does not count; `wait()` returns when what was started has ended."""
    step(0)
    wait()
    start = time.perf_counter()
    for t in range(steps):
        step(t)
    wait()
    return (time.perf_counter() - start) / steps


def peer_step(script, words):
    """Seconds a step that `bench/SCRIPT WORDS` prints; None where what it needs is not installed."""
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *map(str, words)], capture_output=True, text=True)
    if done.returncode == 77:
        return None
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-600:])
    return float(done.stdout.split()[-1])


def compared(name, ours, peers, repeat):
    """Measures in turns: `ours` and every peer, `repeat` times. Prints a row with medians, and medians of the ratios pair by pair."""
    times, ratios, missing = {"mgpu": []}, {}, set()
    for _ in range(repeat):
        mine = ours()
        times["mgpu"].append(mine)
        for peer, measure in peers.items():
            if peer in missing:
                continue
            its = measure()
            if its is None:
                missing.add(peer)
                continue
            times.setdefault(peer, []).append(its)
            ratios.setdefault(peer, []).append(its / mine)
    row = [f"{name:28}", f"{statistics.median(times['mgpu']) * 1e6:12.1f}"]
    for peer in peers:
        if peer in missing:
            row.append(f"{'-':>12} {'-':>6}")
        else:
            row.append(f"{statistics.median(times[peer]) * 1e6:12.1f} {statistics.median(ratios[peer]):6.2f}")
    print(" ".join(row), flush=True)
    return missing


def heading(what, peers):
    print(f"{what:28} {'mgpu us':>12} " + " ".join(f"{p + ' us':>12} {'ratio':>6}" for p in peers))
