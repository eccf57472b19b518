import sys
from mpi4py import MPI
import numpy as np
try:  # not counted
    import cupy as xp
    xp.cuda.Device(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).rank % xp.cuda.runtime.getDeviceCount()).use()
except ImportError:  # not counted
    import numpy as xp  # not counted

comm = MPI.COMM_WORLD
rank, ranks = comm.rank, comm.size
args = dict(a.split("=") for a in sys.argv[1:])
n, hidden, steps = int(args.get("n", 8192)), int(args.get("hidden", 12)), int(args.get("steps", 400))
rate, noise = float(args.get("rate", 0.04)), float(args.get("noise", 0.05))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]


def guess(a, b, c, x):
    layer = xp.tanh(x[:, None] * a + b)
    return layer, layer @ c


def loss(a, b, c, x, y):
    _, g = guess(a, b, c, x)
    return comm.allreduce(float(((g - y) ** 2).sum())) / n


def gradients(a, b, c, x, y):
    layer, g = guess(a, b, c, x)
    g_bar = 2 * (g - y) / n
    inner_bar = g_bar[:, None] * c * (1 - layer**2)
    mine = xp.stack([x @ inner_bar, inner_bar.sum(axis=0), g_bar @ layer])
    whole = xp.empty_like(mine)
    comm.Allreduce(mine, whole)
    return whole


x = 4 * (xp.arange(first, first + rows) + 0.5) / n - 2
# One stream for each rank: the noise depends on how many there are.
random = xp.random.default_rng([1, rank])
y = xp.sin(3 * x) * xp.exp(-(x**2) / 4) + noise * random.standard_normal(rows)
i = xp.arange(hidden)
a, b, c = 1 + 2 * i / hidden, 3 - 6 * (i + 0.5) / hidden, xp.zeros(hidden)
for step in range(steps):
    ga, gb, gc = gradients(a, b, c, x, y)
    a -= rate * ga
    b -= rate * gb
    c -= rate * gc
    if step % 100 == 0:
        e = loss(a, b, c, x, y)
        if rank == 0:
            print(f"step {step}: loss {e:.6f}")
e = loss(a, b, c, x, y)
if rank == 0:
    print(f"loss {e:.6f}")
