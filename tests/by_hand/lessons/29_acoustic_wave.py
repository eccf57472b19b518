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
n, steps, slow = int(args.get("n", 301)), int(args.get("steps", 420)), float(args.get("slow", 0.6))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
above = rank - 1 if rank > 0 else MPI.PROC_NULL
below = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL
disc = (i - n // 2) ** 2 + (j - n // 2) ** 2 < (n // 6) ** 2
factor = (0.5 * xp.where(disc, slow, 1)) ** 2


def depth(k):
    return xp.maximum(0, 1 - xp.minimum(k, n - 1 - k) / (0.1 * n))


def gathered(u):
    whole = np.empty((n, n), u.dtype) if rank == 0 else None
    mine = np.ascontiguousarray(u if xp is np else xp.asnumpy(u))
    kind = MPI._typedict[u.dtype.char]
    comm.Gatherv(mine, (whole, [c * n for c in counts], None, kind) if rank == 0 else None)
    return whole


damp = 0.15 * (depth(i) ** 2 + depth(j) ** 2)
u, before = xp.zeros((rows + 2, n + 2)), xp.zeros((rows, n))
for t in range(steps):
    comm.Sendrecv(u[1], above, recvbuf=u[-1], source=below)
    comm.Sendrecv(u[-2], below, recvbuf=u[0], source=above)
    if rank == 0:
        u[0] = u[1]
    if rank == ranks - 1:
        u[-1] = u[-2]
    u[:, 0], u[:, -1] = u[:, 1], u[:, -2]
    p = u[1:-1, 1:-1].copy()
    bend = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * p
    u[1:-1, 1:-1] = (2 * p - (1 - damp) * before + factor * bend) / (1 + damp)
    before = p
    if first <= n // 5 < first + rows:
        u[n // 5 - first + 1, n // 2 + 1] += (1 - 2 * ((t - 24) / 8) ** 2) * np.exp(-(((t - 24) / 8) ** 2))
p = u[1:-1, 1:-1]
loudest, whole = comm.allreduce(float(abs(p).max()), MPI.MAX), gathered(p)
if rank == 0:
    print(f"loudest {loudest:.9f}, at the middle {whole[n // 2, n // 2]:.9f}")
    np.save("wave.npy", whole)
