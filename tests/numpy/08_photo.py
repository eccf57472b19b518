"""Lesson 8: a binomial blur and Sobel's operator; the border is mirrored about the pixels' faces."""

import numpy as np


def filters(photo, real):
    weights = np.array([0.0625, 0.25, 0.375, 0.25, 0.0625], real)
    h, w = photo.shape
    p = np.pad(photo.astype(real), 2, mode="symmetric")
    across = sum(weights[d] * p[:, d : d + w] for d in range(5))
    soft = sum(weights[d] * across[d : d + h, :] for d in range(5))
    q = np.pad(soft, 1, mode="symmetric")
    at = lambda di, dj: q[1 + di : 1 + di + h, 1 + dj : 1 + dj + w]
    right = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1)
    down = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)
    return soft, np.sqrt(right**2 + down**2)


def expected(array, data):
    photo = data("china_grey.npy")
    soft, outline = filters(photo, np.float32)
    exact_soft, exact_outline = filters(photo, np.float64)
    assert np.abs(soft - exact_soft).max() < 1e-4 and np.abs(outline - exact_outline).max() < 5e-4
    h, w = photo.shape
    return {
        "args": [],
        "stdout_contains": [f"{h} x {w} pixels, mean brightness "],
        "scalars": [
            {"after": "mean brightness ", "value": float(photo.mean(dtype=np.float64)), "abs": 6e-4},
            {"after": "after the blur: ", "value": float(exact_soft.mean()), "abs": 6e-4},
            {"after": "strongest outline: ", "value": float(exact_outline.max()), "abs": 6e-3},
        ],
        "npy": {
            "soft.npy": array("photo_soft.npy", soft, 1e-3, every=8),
            "outline.npy": array("photo_outline.npy", outline, 5e-3, every=8),
        },
        "writes": ["photo.png", "soft.png", "outline.png"],
    }
