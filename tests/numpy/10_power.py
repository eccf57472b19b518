"""Lesson 10: the greatest eigenvalue of Hilbert's matrix and its vector."""

import numpy as np


def expected(array, data):
    n = 100
    i = np.arange(n)
    values, vectors = np.linalg.eigh(1 / (i[:, None] + i[None, :] + 1.0))
    assert values[-1] < np.pi
    # The iteration ends when the value is still, and the vector's error is about the square root of the value's.
    return {
        "args": ["-p", f"n={n}"],
        "stdout_contains": [" rounds, residual "],
        "scalars": [
            {"after": "greatest eigenvalue ", "value": float(values[-1]), "rel": 1e-9},
            {"after": "residual ", "value": 0.0, "abs": 1e-5},
        ],
        "npy": {"eigenvector.npy": array("power_n100.npy", np.abs(vectors[:, -1]), 1e-5, sum_rel=1e-5)},
    }
