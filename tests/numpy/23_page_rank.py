"""Lesson 23: the stationary ranks, from the whole matrix of links."""

import numpy as np


def expected(array, data):
    n, degree, damping = 2000, 6, 0.85
    e = np.arange(n * degree)
    to = ((e * 7919) % n) * ((e * 104729 + 3) % n) // n
    matrix = np.zeros((n, n))
    np.add.at(matrix, (to, e // degree), 1 / degree)
    rank = np.linalg.solve(np.eye(n) - damping * matrix, np.full(n, (1 - damping) / n))
    best = int(rank.argmax())
    return {
        "args": [],
        "stdout_contains": [f"; page {best} has rank"],
        "scalars": [
            {"after": "has rank ", "value": float(rank[best]), "abs": 2e-9},
            {"after": "page 1 ", "value": float(rank[1]), "abs": 2e-9},
            {"after": "all ", "value": 1.0, "abs": 2e-9},
        ],
        "writes": ["rank.png"],
    }
