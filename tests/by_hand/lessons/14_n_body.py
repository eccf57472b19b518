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
n, steps = int(args.get("n", 300)), int(args.get("steps", 100))
dt, soft = float(args.get("dt", 0.002)), float(args.get("soft", 0.05))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]


def uniform(seed, index, stream):
    # Philox 4x32-10: a number depends on its seed, index and stream, on any number of ranks.
    mask = 0xFFFFFFFF
    c0, c1, c2, c3 = index & mask, index >> 32, stream, 0
    k0, k1 = seed, 0
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & mask, (a >> 32) ^ c3 ^ k1, a & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return (c0 * 2**21 + (c1 >> 11)) / 2**53


def gathered(p):
    whole = xp.empty((n, 3))
    comm.Allgatherv(p, (whole, [3 * c for c in counts], None, MPI.DOUBLE))
    return whole


def pull(p):
    apart = gathered(p) - p[:, None]
    near = (apart**2).sum(axis=2) + soft**2
    weight = 1 / (n * near * xp.sqrt(near))
    return (weight[:, :, None] * apart).sum(axis=1)


def energy(p, v):
    inverse = 1 / xp.sqrt(((gathered(p) - p[:, None]) ** 2).sum(axis=2) + soft**2)
    k = xp.arange(rows)
    inverse[k, first + k] = 0
    moving = comm.allreduce(float((v**2).sum())) / (2 * n)
    bound = comm.allreduce(float(inverse.sum())) / (2 * n**2)
    return moving - bound


i = xp.arange(first, first + rows, dtype=np.uint64)
p = xp.stack([2 * uniform(1, i, d) - 1 for d in range(3)], axis=1)
v = xp.stack([-0.5 * p[:, 1], 0.5 * p[:, 0], xp.zeros(rows)], axis=1)
before = energy(p, v)
a = pull(p)
for t in range(steps):
    v += dt / 2 * a
    p += dt * v
    a = pull(p)
    v += dt / 2 * a
after, momentum = energy(p, v), comm.allreduce(float(v[:, 2].sum()))
whole = gathered(p)
if rank == 0:
    print(f"energy {before:.9f} before, {after:.9f} after")
    print(f"momentum {momentum:.1e}")
    assert abs(after - before) < 1e-2 * abs(before), "the steps are too long"
    xp.save("x.npy", whole[:, 0])
