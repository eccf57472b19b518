"""Lesson 19: six numbers of normal samples, from Philox's words by Box and Muller."""

import math

import numpy as np

M0, M1, W0, W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85


def normal(seed, n):
    """The stream of the library's `normal` is 0xFFFFFFFF00000000."""
    out = []
    for i in range(n):
        c = [i & 0xFFFFFFFF, i >> 32, 0, 0xFFFFFFFF]
        k = [seed, 0]
        for _ in range(10):
            a, b = M0 * c[0], M1 * c[2]
            c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
            k = [(k[0] + W0) & 0xFFFFFFFF, (k[1] + W1) & 0xFFFFFFFF]
        u, v = ((c[d] * 2**21 + (c[d + 1] >> 11)) / 2**53 for d in (0, 2))
        out.append(math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v))
    return np.array(out)


def expected(array, data):
    n = 5000
    x = 5 + 2 * normal(11, n)
    near = lambda after, value: {"after": after, "value": float(value), "abs": 2e-9}
    return {
        "args": ["-p", f"n={n}"],
        "stdout_contains": [f", {(abs(x - 5) > 4).sum()} beyond two deviations"],
        "scalars": [
            near("mean ", x.mean()),
            near("variance ", x.var()),
            near("mean square ", (x**2).mean()),
            near("from ", x.min()),
            near(" to ", x.max()),
        ],
    }
