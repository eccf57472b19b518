#!/usr/bin/env python3
"""The step of bench/training.mgpu in JAX on so many GPUs: seconds a step, as JAX's users write it (jit, samples sharded over the
GPUs, f32, highest precision so that products are those of f32), and with its default precision (TF32). With --mgpu, mgpu's on the
same GPUs in turns with it, and JAX's time over mgpu's.

usage: bench/training_jax.py [--samples N] [--steps N] [--gpus 1,2,4] [--repeat R] [--mgpu PATH]
"""
import argparse
import os
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def prepare(samples, steps, precision="highest", gpus=1):
    """A function that runs the steps once and returns seconds a step, and the loss after them; compiled, on so many GPUs."""
    mesh = Mesh(numpy.array(jax.devices()[:gpus]), ("s",))
    rows, whole = NamedSharding(mesh, PartitionSpec("s", None)), NamedSharding(mesh, PartitionSpec())

    @jax.jit
    def data():
        k, j, c = jnp.arange(samples)[:, None], jnp.arange(128), jnp.arange(16)
        x = (((k * 7 + j * 13) % 101) / 50 - 1).astype(jnp.float32)
        y = (((k * 3 + c * 5) % 17) / 8 - 1).astype(jnp.float32)
        return jax.lax.with_sharding_constraint(x, rows), jax.lax.with_sharding_constraint(y, rows)

    x, y = data()

    def loss(w, b, x, y):
        return jnp.mean((jnp.matmul(x, w, precision=precision) + b - y) ** 2)

    @jax.jit
    def run(w, b, x, y):
        def step(_, state):
            w, b = state
            gw, gb = jax.grad(loss, (0, 1))(w, b, x, y)
            return w - 0.1 * gw, b - 0.1 * gb

        return jax.lax.fori_loop(0, steps, step, (w, b))

    w, b = jax.device_put(jnp.zeros((128, 16), jnp.float32), whole), jax.device_put(jnp.zeros(16, jnp.float32), whole)
    w2, b2 = jax.block_until_ready(run(w, b, x, y))

    def once():
        start = time.perf_counter()
        jax.block_until_ready(run(w, b, x, y))
        return (time.perf_counter() - start) / steps

    return once, float(jax.jit(loss)(w2, b2, x, y))


def step_time(samples, steps, precision="highest"):
    """Seconds a step on one GPU, the best of three runs."""
    once, _ = prepare(samples, steps, precision)
    return min(once() for _ in range(3))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1 << 20)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--gpus", default="1")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--mgpu", default=None)
    a = parser.parse_args()
    if a.mgpu:
        from timing import mgpu_step
    for n in (int(n) for n in a.gpus.split(",")):
        if n > len(jax.devices()):
            continue
        peers = {p: prepare(a.samples, a.steps, p, n) for p in ["highest", "default"]}
        times = {p: [] for p in [*peers, "mgpu"]}
        for _ in range(a.repeat):
            if a.mgpu:
                times["mgpu"].append(mgpu_step(os.path.abspath(a.mgpu), "training", {"n": a.samples}, a.steps, n, ["--device", "cuda"]))
            for p, (once, _) in peers.items():
                times[p].append(once())
        for p, (_, loss) in peers.items():
            best, ratio = min(times[p]), ""
            if a.mgpu:
                ratio = f", {best / min(times['mgpu']):.2f} times mgpu's"
            print(f"{n} GPU(s), JAX, {p} precision: {best * 1e6:.1f} us a step{ratio}, loss {loss:.6f}")
        if a.mgpu:
            print(f"{n} GPU(s), mgpu: {' '.join(f'{t * 1e6:.1f}' for t in times['mgpu'])} us a step", flush=True)


if __name__ == "__main__":
    main()
