"""Lesson 4: rows of boxes that move down by one a step, around the ring."""

import numpy as np


def rounds(ranks, m=4):
    box = 100 * np.arange(ranks)[:, None] + np.arange(m)[None, :]
    texts = [f"At the start\n{box}\n"]
    for step in range(ranks):
        box = np.roll(box, 1, axis=0)
        texts.append(f"After step {step + 1}\n{box}\n")
    return texts


def expected(array, data):
    return {
        "args": [],
        "stdout_contains": ["All boxes are home"],
        "stdout_contains_on": {str(p): rounds(p) for p in (1, 2, 3, 4, 7)},
    }
