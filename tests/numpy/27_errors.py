"""Lesson 27: a permutation keeps the sum. What the run reports when it fails stands in docs/explanation/traps.md."""

import numpy as np


def expected(array, data):
    n, step = 3000, 7
    x = np.sqrt(np.arange(n))
    y = x[step * np.arange(n) % n]
    near = lambda after, value: {"after": after, "value": float(value), "abs": 2e-6}
    return {
        "args": ["-p", f"n={n}"],
        "scalars": [
            near("before ", x.sum()),
            near("after ", x.sum()),
            near("weighted ", (np.arange(n) * y).sum() / n),
        ],
    }
