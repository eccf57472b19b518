"""Lesson 6: Conway's Game of Life on a torus."""

import numpy as np


def live(a):
    around = sum(np.roll(a, (di, dj), (0, 1)) for di in (-1, 0, 1) for dj in (-1, 0, 1)) - a
    return ((around == 3) | ((around == 2) & (a == 1))).astype(np.int32)


def expected(array, data):
    n, generations = 24, 120
    i, j = np.arange(n)[:, None], np.arange(n)[None, :]
    start = (((i == 0) & (j == 1)) | ((i == 1) & (j == 2)) | ((i == 2) & (j < 3))).astype(np.int32)
    a = start
    for _ in range(4 * n):
        a = live(a)
    assert (a == start).all()
    world = ((7 * i * i + 13 * i * j + 5 * j * j + 3 * i) % 11 < 4).astype(np.int32)
    texts = [f"The glider is back after {4 * n} generations"]
    for t in range(generations + 1):
        if t % 50 == 0 or t == generations:
            texts.append(f"generation {t}: {world.sum()} cells alive")
        if t < generations:
            world = live(world)
    return {
        "args": ["-p", f"n={n}", "-p", f"generations={generations}"],
        "stdout_contains": texts,
        "npy": {"life.npy": array("life_n24.npy", world, 0, sum_rel=0)},
        "writes": ["life.png"],
    }
