"""Lesson 20: the areas below 4 / (1 + x^2), which is pi, and the length of the curve."""

import numpy as np


def expected(array, data):
    n = 10_001
    x = (np.arange(n) + 0.5) / n
    length = np.sqrt(1 + (8 * x / (1 + x**2) ** 2) ** 2).mean()
    return {
        "args": ["-p", f"n={n}"],
        "scalars": [
            {"after": "area ", "value": float(np.pi + 1 / (6 * n**2) * 0.5), "abs": 1e-9},
            {"after": "length ", "value": float(length), "abs": 2e-10},
        ],
    }
