"""Lesson 3: pi within five standard deviations of the estimate."""

import math


def expected(array, data):
    n, p = 200_000, math.pi / 4
    sigma = 4 * math.sqrt(p * (1 - p) / n)
    return {
        "args": ["-p", f"samples={n}", "-p", "seed=3"],
        "stdout_contains": [f" of {n} points are inside"],
        "scalars": [
            {"after": "pi is about ", "value": math.pi, "abs": 5 * sigma},
            {"after": "off by ", "value": 0.0, "abs": 5.0},
        ],
    }
