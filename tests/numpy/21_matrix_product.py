"""Lesson 21: the product of two matrices of small fractions."""

import numpy as np


def expected(array, data):
    n = 50
    i, j = np.mgrid[:n, :n]
    c = (((i * j + 3 * i + j) % 17) / 17) @ ((i + 5 * j) % 13 - 6.0)
    return {
        "args": ["-p", f"n={n}"],
        "stdout_contains": ["equal: true"],
        "scalars": [
            {"after": "trace ", "value": float(np.trace(c)), "abs": 1e-8},
            {"after": "sum of squares ", "value": float((c**2).sum()), "rel": 1e-9},
        ],
        "npy": {"product.npy": array("product_n50.npy", c, 1e-11, sum_rel=1e-8)},
    }
