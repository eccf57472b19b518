"""Lesson 29: the leapfrog scheme for sound in two dimensions, with whole arrays."""

import numpy as np


def expected(array, data):
    n, steps, slow = 61, 120, 0.6
    i, j = np.mgrid[:n, :n]
    disc = (i - n // 2) ** 2 + (j - n // 2) ** 2 < (n // 6) ** 2
    factor = (0.5 * np.where(disc, slow, 1)) ** 2
    depth = lambda k: np.maximum(0, 1 - np.minimum(k, n - 1 - k) / (0.1 * n))
    damp = 0.15 * (depth(i) ** 2 + depth(j) ** 2)
    p = before = np.zeros((n, n))
    for t in range(steps):
        e = np.pad(p, 1, mode="symmetric")
        bend = e[:-2, 1:-1] + e[2:, 1:-1] + e[1:-1, :-2] + e[1:-1, 2:] - 4 * p
        p, before = (2 * p - (1 - damp) * before + factor * bend) / (1 + damp), p
        p[n // 5, n // 2] += (1 - 2 * ((t - 24) / 8) ** 2) * np.exp(-(((t - 24) / 8) ** 2))
    near = lambda after, value: {"after": after, "value": float(value), "abs": 2e-9}
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [near("loudest ", np.abs(p).max()), near("at the middle ", p[n // 2, n // 2])],
        "npy": {"wave.npy": array("acoustic_61.npy", p, 1e-12, sum_rel=1e-8)},
        "writes": ["wave.png", "waves.png"],
    }
