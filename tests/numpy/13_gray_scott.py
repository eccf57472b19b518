"""Lesson 13: the Gray-Scott model with whole arrays."""

import numpy as np


def expected(array, data):
    n, steps, feed, kill = 64, 300, 0.037, 0.06
    i, j = np.mgrid[:n, :n]
    near = lambda p, q: (abs(i - p) <= 5) & (abs(j - q) <= 5)
    v = np.where(near(n // 3, n // 3) | near(n // 2, 2 * n // 3), 0.5, 0.0)
    u = 1 - v
    around = lambda a: sum(np.roll(a, s, d) for s in (1, -1) for d in (0, 1)) - 4 * a
    for _ in range(steps):
        meet = u * v * v
        u, v = (
            u + 0.2 * around(u) - meet + feed * (1 - u),
            v + 0.1 * around(v) + meet - (feed + kill) * v,
        )
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [
            {"after": "u from ", "value": float(u.min()), "abs": 1e-5},
            {"after": " to ", "value": float(u.max()), "abs": 1e-5},
            {"after": "v in all ", "value": float(v.sum()), "rel": 1e-6},
        ],
        "npy": {"v.npy": array("gray_scott_v64.npy", v, 1e-9)},
        "writes": ["gray_scott.png"],
    }
