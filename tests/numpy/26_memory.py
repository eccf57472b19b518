"""Lesson 26: Runge and Kutta's fourth-order method on a ring; the exact answer is the start, moved."""

import numpy as np


def expected(array, data):
    n, steps, dt = 400, 120, 0.4
    i = np.arange(n)
    u = np.exp(-(((i - n / 4) / 20) ** 2))
    slope = lambda u: (np.roll(u, -2) - 8 * np.roll(u, -1) + 8 * np.roll(u, 1) - np.roll(u, 2)) / 12
    for _ in range(steps):
        a = slope(u)
        b = slope(u + dt / 2 * a)
        c = slope(u + dt / 2 * b)
        d = slope(u + dt * c)
        u = u + dt / 6 * (a + 2 * b + 2 * c + d)
    error = np.abs(u - np.exp(-(((i - n / 4 - steps * dt) / 20) ** 2))).max()
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [
            {"after": "error ", "value": float(error), "abs": 2e-9},
            {"after": "kept ", "value": float(u.sum() / (20 * np.sqrt(np.pi))), "abs": 2e-12},
        ],
    }
