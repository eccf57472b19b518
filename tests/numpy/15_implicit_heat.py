"""Lesson 15: implicit heat in a plate of two materials, by a dense solver."""

import numpy as np


def expected(array, data):
    n, steps, dt = 24, 5, 20.0
    i, j = np.mgrid[:n, :n]
    r2 = ((i - n // 2) ** 2 + (j - n // 2) ** 2) / n**2
    k = np.where((r2 > 0.05) & (r2 < 0.08), 0.01, 1.0)
    u = ((abs(i - n // 2) < n // 8) & (abs(j - n // 2) < n // 8)).astype(float)
    a = np.eye(n * n)
    number = np.arange(n * n).reshape(n, n)
    for p, q in [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]:
        for s, t in zip(p.ravel(), q.ravel()):
            c = dt * 2 * k.flat[s] * k.flat[t] / (k.flat[s] + k.flat[t])
            a[s, s] += c
            a[t, t] += c
            a[s, t] -= c
            a[t, s] -= c
    before = u.sum()
    for _ in range(steps):
        u = np.linalg.solve(a, u.ravel()).reshape(n, n)
    return {
        "args": ["-p", f"n={n}"],
        "stdout_contains": ["rounds of each step: ["],
        "scalars": [
            {"after": "heat ", "value": float(before), "abs": 0},
            {"after": "before, ", "value": float(u.sum()), "abs": 1e-6},
            {"after": "warmest ", "value": float(u.max()), "abs": 1e-6},
        ],
        "npy": {"plate.npy": array("plate_n24.npy", u, 1e-9)},
        "writes": ["plate.png"],
    }
