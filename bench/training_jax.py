#!/usr/bin/env python3
"""The step of bench/training.mgpu in JAX on the first GPU: seconds a step, as JAX's users write it (jit, f32, highest precision
so that products are those of f32), and with its default precision (TF32).

usage: bench/training_jax.py [--samples N] [--steps N]
"""
import argparse
import time

import jax
import jax.numpy as jnp


def step_time(samples, steps, precision="highest", say=lambda text: None):
    """Seconds a step, the best of three runs."""
    k, j, c = jnp.arange(samples)[:, None], jnp.arange(128), jnp.arange(16)
    x = (((k * 7 + j * 13) % 101) / 50 - 1).astype(jnp.float32)
    y = (((k * 3 + c * 5) % 17) / 8 - 1).astype(jnp.float32)

    def loss(w, b):
        return jnp.mean((jnp.matmul(x, w, precision=precision) + b - y) ** 2)

    @jax.jit
    def run(w, b):
        def step(_, state):
            w, b = state
            gw, gb = jax.grad(loss, (0, 1))(w, b)
            return w - 0.1 * gw, b - 0.1 * gb

        return jax.lax.fori_loop(0, steps, step, (w, b))

    w, b = jnp.zeros((128, 16), jnp.float32), jnp.zeros(16, jnp.float32)
    jax.block_until_ready(run(w, b))
    best = 1e9
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(run(w, b))
        best = min(best, (time.perf_counter() - start) / steps)
    say(f"JAX, {precision} precision: {best * 1e6:.0f} us a step, loss {float(loss(*run(w, b))):.6f}")
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1 << 20)
    parser.add_argument("--steps", type=int, default=200)
    a = parser.parse_args()
    for precision in ["highest", "default"]:
        step_time(a.samples, a.steps, precision, print)


if __name__ == "__main__":
    main()
