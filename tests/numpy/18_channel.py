"""Lesson 18: D2Q9 with whole arrays; the directions are moved with np.roll."""

import numpy as np


def expected(array, data):
    h, w, steps, tau, force, radius = 24, 40, 200, 0.6, 1e-5, 4.0
    weight = np.array([4 / 9] + [1 / 9] * 4 + [1 / 36] * 4)
    right = np.array([0, 1, 0, -1, 0, 1, -1, -1, 1])
    down = np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
    back = [0, 3, 4, 1, 2, 7, 8, 5, 6]
    i, j = np.mgrid[:h, :w]
    wall = (i == 0) | (i == h - 1) | ((i - h // 2 + 1) ** 2 + (j - w // 4) ** 2 < radius**2)
    f = np.tile(weight[:, None, None], (1, h, w))
    for _ in range(steps):
        rho = f.sum(0)
        x, y = np.tensordot(right, f, 1) / rho, np.tensordot(down, f, 1) / rho
        along = 3 * (right[:, None, None] * x + down[:, None, None] * y)
        calm = weight[:, None, None] * rho * (1 + along + along**2 / 2 - 1.5 * (x**2 + y**2))
        p = f + (calm - f) / tau + (3 * weight * right * force)[:, None, None]
        for k in range(9):
            shift = lambda a: np.roll(np.roll(a, down[k], 0), right[k], 1)
            f[k] = np.where(shift(wall), p[back[k]], shift(p[k]))
        # Within the walls nothing is compared.
    speed = np.where(wall, 0, np.tensordot(right, f, 1) / f.sum(0))
    return {
        "args": ["-p", f"h={h}", "-p", f"w={w}", "-p", f"steps={steps}", "-p", f"radius={radius}"],
        "scalars": [
            {"after": "channel ", "value": float(speed[:, 0].sum()), "abs": 2e-9},
            {"after": "fastest ", "value": float(speed.max()), "abs": 2e-9},
        ],
        "npy": {"speed.npy": array("channel_24.npy", speed, 1e-12, sum_rel=1e-9)},
        "writes": ["speed.png"],
    }
