"""Lesson 25: drift and spread on a periodic square, with np.roll."""

import numpy as np


def expected(array, data):
    n, steps, spread = 64, 100, 0.05
    i, j = np.mgrid[:n, :n]
    west = 0.2 * np.sin(2 * np.pi * i / n) + 0.1
    north = 0.2 * np.sin(4 * np.pi * j / n)
    c = ((i - n // 2) ** 2 + (j - n // 3) ** 2 < (n // 8) ** 2).astype(float)
    for _ in range(steps):
        left, above = np.roll(c, 1, 1), np.roll(c, 1, 0)
        x = np.where(west > 0, west * left, west * c) - spread * (c - left)
        y = np.where(north > 0, north * above, north * c) - spread * (c - above)
        c = c + x - np.roll(x, -1, 1) + y - np.roll(y, -1, 0)
    near = lambda after, value, within: {"after": after, "value": float(value), "abs": within}
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [
            near("kept ", 1.0, 1e-11),
            near("highest ", c.max(), 2e-9),
            near("cell 0 ", c[0, 0], 2e-12),
        ],
        "writes": ["cloud.png"],
    }
