"""Lesson 17: the inertial shallow water scheme with whole arrays."""

import numpy as np


def expected(array, data):
    steps, dt, cell, friction = 60, 2.0, 90.0, 0.03
    z = data("elevation.npy").astype(float)
    depth = np.ones_like(z)
    right, down = np.zeros_like(z), np.zeros_like(z)

    def flow(q, za, a, zb, b):
        open_ = np.maximum(za + a, zb + b) - np.maximum(za, zb)
        free = q - 9.81 * open_ * dt * (zb + b - za - a) / cell
        held = 1 + 9.81 * dt * friction**2 * abs(q) / np.maximum(open_, 1e-3) ** (7 / 3)
        most = cell / (4 * dt)
        return np.where(open_ > 1e-3, np.maximum(-b * most, np.minimum(a * most, free / held)), 0)

    for _ in range(steps):
        r, s = np.zeros_like(z), np.zeros_like(z)
        r[:, :-1] = flow(right[:, :-1], z[:, :-1], depth[:, :-1], z[:, 1:], depth[:, 1:])
        s[:-1] = flow(down[:-1], z[:-1], depth[:-1], z[1:], depth[1:])
        right, down = r, s
        depth = depth - dt / cell * (right - np.pad(right, ((0, 0), (1, 0)))[:, :-1] + down - np.pad(down, ((1, 0), (0, 0)))[:-1])
    return {
        "args": ["-p", f"steps={steps}"],
        "stdout_contains": ["water kept: 1.00000000000"],
        "scalars": [{"after": "deepest ", "value": float(depth.max()), "abs": 1e-5}],
        "npy": {"depth.npy": array("shallow_water.npy", depth, 1e-7, every=8, sum_rel=1e-9)},
        "writes": ["depth.png"],
    }
