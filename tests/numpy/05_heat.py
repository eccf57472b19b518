"""Lesson 5: explicit heat equation on a small plate, in the program's order of operations."""

import numpy as np


def run(n, steps, real):
    i = np.arange(n)
    u = np.exp(-((i[:, None] - n // 2) ** 2 + (i[None, :] - n // 2) ** 2).astype(real) / real(100))
    alpha, energies = real(np.float32(0.2)), []
    for _ in range(steps + 1):
        energies.append(float((u.astype(np.float64) ** 2).sum()))
        p = np.pad(u, 1, mode="edge")
        u, last = u + alpha * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - real(4) * u), u
    return last, energies


def expected(array, data):
    n, steps = 64, 150
    u, energies = run(n, steps, np.float32)
    exact, _ = run(n, steps, np.float64)
    # Rounding in single precision stays far below the tolerance.
    assert np.abs(u - exact).max() < 2e-6
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "stdout_contains": ["step 0: energy ", "step 100: energy "],
        "scalars": [
            {"after": f"step {t}: energy ", "value": energies[t], "rel": 1e-5} for t in (0, 100, steps)
        ],
        "npy": {"heat.npy": array("heat_n64.npy", u, 1e-5, sum_rel=1e-5)},
        "writes": ["heat.png"],
    }
