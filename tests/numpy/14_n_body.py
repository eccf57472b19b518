"""Lesson 14: leapfrog of stars that start at Philox's positions."""

import numpy as np

M0, M1, W0, W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85


def uniform(seed, index, stream):
    """Philox4x32-10: the counter is index and stream, the key the seed; 53 bits of the first two words."""
    c = [index & 0xFFFFFFFF, index >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = M0 * c[0], M1 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + W0) & 0xFFFFFFFF, (k[1] + W1) & 0xFFFFFFFF]
    return (c[0] * 2**21 + (c[1] >> 11)) / 2**53


def expected(array, data):
    n, steps, dt, soft = 60, 40, 0.002, 0.05
    p = np.array([[2 * uniform(1, i, d) - 1 for i in range(n)] for d in range(3)])
    v = np.stack([-0.5 * p[1], 0.5 * p[0], np.zeros(n)])

    def near():
        return ((p[:, :, None] - p[:, None, :]) ** 2).sum(0) + soft**2

    def pull():
        r = near()
        return ((p[:, None, :] - p[:, :, None]) / (n * r * np.sqrt(r))).sum(2)

    def energy():
        r = 1 / np.sqrt(near())
        np.fill_diagonal(r, 0)
        return (v**2).sum() / (2 * n) - r.sum() / (2 * n**2)

    before = energy()
    a = pull()
    for _ in range(steps):
        v = v + dt / 2 * a
        p = p + dt * v
        a = pull()
        v = v + dt / 2 * a
    return {
        "args": ["-p", f"n={n}", "-p", f"steps={steps}"],
        "scalars": [
            {"after": "energy ", "value": float(before), "abs": 2e-9},
            {"after": "before, ", "value": float(energy()), "abs": 2e-9},
            {"after": "momentum ", "value": 0.0, "abs": 1e-12},
        ],
        "writes": ["sky.png"],
        "npy": {"x.npy": array("n_body_x60.npy", p[0], 1e-11)},
    }
