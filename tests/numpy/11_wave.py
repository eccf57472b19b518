"""Lesson 11: a plucked string by the leapfrog scheme; the standing wave's error is rounding alone."""

import numpy as np


def expected(array, data):
    n, steps, c = 120, 250, 0.9
    x = (np.arange(n) + 0.5) / n
    u = np.where(x < 0.3, x / 0.3, (1 - x) / 0.7)
    before = u
    for _ in range(steps):
        p = np.pad(u, 1, mode="edge")
        p[0], p[-1] = -u[0], -u[-1]
        u, before = 2 * u - before + c**2 * (p[:-2] - 2 * u + p[2:]), u
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [
            {"after": f"standing wave after {steps} steps: error ", "value": 0.0, "abs": 1e-10},
            {"after": "highest ", "value": float(u.max()), "abs": 1e-6},
            {"after": "lowest ", "value": float(u.min()), "abs": 1e-6},
        ],
        "npy": {"string.npy": array("wave_n120.npy", u, 1e-11, sum_rel=1e-9)},
        "writes": ["string.png"],
    }
