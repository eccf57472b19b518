"""Lesson 24: the mean of the four neighbours, in the program's order of operations; one plate stands for all three."""

import numpy as np


def expected(array, data):
    n, steps = 50, 50
    i, j = np.mgrid[:n, :n]
    u = ((7 * i + 3 * j) % 11).astype(float)
    for _ in range(steps):
        p = np.pad(u, 1, mode="edge")
        u = (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]) / 4
    near = lambda after, value: {"after": after, "value": float(value), "abs": 2e-9}
    return {
        "args": ["-p", f"n={n}"],
        "stdout_contains": ["equal: true"],
        "scalars": [near("mean ", u.mean()), near("corner ", u[0, 0]), near("middle ", u[n // 2, n // 2])],
    }
