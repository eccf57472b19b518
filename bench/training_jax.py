#!/usr/bin/env python3
"""The step of bench/training.mgpu (or perceptron.mgpu) in JAX on so many GPUs: seconds a step, as JAX's users write it (jit, samples sharded over the
GPUs, f32, highest precision so that products are those of f32), and with its default precision (TF32). With --mgpu, mgpu's on the
same GPUs in turns with it, and JAX's time over mgpu's.

usage: bench/training_jax.py [--samples N] [--steps N] [--gpus 1,2,4] [--repeat R] [--mgpu PATH] [--program perceptron]
"""
import argparse
import os
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def linear(precision):
    """Linear regression 128 -> 16 (bench/training.mgpu): samples, parameters, loss."""

    def data(samples):
        k, j, c = jnp.arange(samples)[:, None], jnp.arange(128), jnp.arange(16)
        x = (((k * 7 + j * 13) % 101) / 50 - 1).astype(jnp.float32)
        return x, (((k * 3 + c * 5) % 17) / 8 - 1).astype(jnp.float32)

    def loss(parameters, x, y):
        w, b = parameters
        return jnp.mean((jnp.matmul(x, w, precision=precision) + b - y) ** 2)

    return data, (jnp.zeros((128, 16), jnp.float32), jnp.zeros(16, jnp.float32)), loss


def perceptron(precision, hidden=8):
    """A hidden layer, 4 -> 8 -> 1 (bench/perceptron.mgpu)."""

    def data(samples):
        k, f = jnp.arange(samples)[:, None], jnp.arange(4)
        x = (((k * 7 + f * 13) % 101) / 50 - 1).astype(jnp.float32)
        return x, x[:, :1] * x[:, 1:2] - x[:, 2:3]

    def loss(parameters, x, y):
        w, b, v, c = parameters
        a = jnp.tanh(jnp.matmul(x, w, precision=precision) + b)
        return jnp.mean((jnp.matmul(a, v, precision=precision)[:, None] + c - y) ** 2)

    f, j = jnp.arange(4)[:, None], jnp.arange(hidden)
    w, v = ((f * 3 - j) / 8).astype(jnp.float32), ((j % 3) / 4 - 0.25).astype(jnp.float32)
    return data, (w, jnp.zeros(hidden, jnp.float32), v, jnp.zeros(1, jnp.float32)), loss


PROGRAMS = {"training": linear, "perceptron": perceptron}


def prepare(samples, steps, precision="highest", gpus=1, program="training"):
    """A function that runs the steps once and returns seconds a step, and the loss after them; compiled, on so many GPUs."""
    mesh = Mesh(numpy.array(jax.devices()[:gpus]), ("s",))
    rows, whole = NamedSharding(mesh, PartitionSpec("s", None)), NamedSharding(mesh, PartitionSpec())
    data, parameters, loss = PROGRAMS[program](precision)
    x, y = jax.jit(lambda: tuple(jax.lax.with_sharding_constraint(d, rows) for d in data(samples)))()

    @jax.jit
    def run(parameters, x, y):
        def step(_, now):
            return tuple(p - 0.1 * g for p, g in zip(now, jax.grad(loss)(now, x, y)))

        return jax.lax.fori_loop(0, steps, step, parameters)

    parameters = jax.device_put(parameters, whole)
    trained = jax.block_until_ready(run(parameters, x, y))

    def once():
        start = time.perf_counter()
        jax.block_until_ready(run(parameters, x, y))
        return (time.perf_counter() - start) / steps

    return once, float(jax.jit(loss)(trained, x, y))


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
    parser.add_argument("--program", default="training", choices=PROGRAMS)
    a = parser.parse_args()
    if a.mgpu:
        from timing import mgpu_step
    for n in (int(n) for n in a.gpus.split(",")):
        if n > len(jax.devices()):
            continue
        peers = {p: prepare(a.samples, a.steps, p, n, a.program) for p in ["highest", "default"]}
        times = {p: [] for p in [*peers, "mgpu"]}
        for _ in range(a.repeat):
            if a.mgpu:
                times["mgpu"].append(mgpu_step(os.path.abspath(a.mgpu), a.program, {"n": a.samples}, a.steps, n, ["--device", "cuda"]))
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
