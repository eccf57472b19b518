"""Lesson 12: rounds until the iteration leaves the circle, in the program's order of operations."""

import numpy as np


def expected(array, data):
    h, w, limit = 96, 144, 100
    i, j = np.mgrid[:h, :w].astype(float)
    pixel = 3.0 / w
    x, y = -0.5 + (j - w / 2) * pixel, (i - h / 2) * pixel
    a, b = np.zeros((h, w)), np.zeros((h, w))
    rounds, inside = np.zeros((h, w), np.int64), np.ones((h, w), bool)
    for _ in range(limit):
        a, b = np.where(inside, a * a - b * b + x, a), np.where(inside, 2 * a * b + y, b)
        inside &= a * a + b * b <= 4
        rounds += inside
    return {
        "args": ["-p", f"h={h}", "-p", f"w={w}", "-p", f"limit={limit}"],
        "stdout_contains": [
            f"{(rounds == limit).sum()} of {h * w} points stay within the circle",
            f"mean rounds {rounds.mean():.4f}",
        ],
        "npy": {"rounds.npy": array("mandelbrot_96.npy", rounds, 0, sum_rel=0)},
        "writes": ["mandelbrot.png"],
    }
