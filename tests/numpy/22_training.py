"""Lesson 22: gradient descent on the same network, with derivatives written by hand, without noise."""

import numpy as np


def expected(array, data):
    n, hidden, steps, rate = 4096, 12, 60, 0.04
    x = 4 * (np.arange(n) + 0.5) / n - 2
    y = np.sin(3 * x) * np.exp(-(x**2) / 4)
    i = np.arange(hidden)
    a, b, c = 1 + 2 * i / hidden, 3 - 6 * (i + 0.5) / hidden, np.zeros(hidden)
    for step in range(steps):
        layer = np.tanh(np.outer(x, a) + b)
        bar = 2 * (layer @ c - y) / n
        inner = (bar[:, None] * c) * (1 - layer**2)
        a, b, c = a - rate * (x @ inner), b - rate * inner.sum(0), c - rate * (bar @ layer)
    loss = np.mean((np.tanh(np.outer(x, a) + b) @ c - y) ** 2)
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}", "-p", "noise=0"],
        "scalars": [{"after": "\nloss ", "value": float(loss), "abs": 2e-6}],
        "writes": ["fit.png"],
    }
