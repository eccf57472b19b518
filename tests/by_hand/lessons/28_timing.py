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
n, steps, rounds = int(args.get("n", 256)), int(args.get("steps", 20)), int(args.get("rounds", 100))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
above = rank - 1 if rank > 0 else MPI.PROC_NULL
below = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL


def around(c):
    u = xp.empty((rows + 2, n + 2))
    u[1:-1, 1:-1] = c
    comm.Sendrecv(u[1], above, recvbuf=u[-1], source=below)
    comm.Sendrecv(u[-2], below, recvbuf=u[0], source=above)
    if rank == 0:
        u[0] = u[1]
    if rank == ranks - 1:
        u[-1] = u[-2]
    u[:, 0], u[:, -1] = u[:, 1], u[:, -2]
    return u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]


def relax(u):
    return u + 0.2 * (around(u) - 4 * u)


# Newton's iteration for x + x^3 = the mean of the four neighbours.
def settle(u):
    wanted = around(u) / 4
    x = wanted
    for k in range(rounds):
        x = x - (x + x**3 - wanted) / (1 + 3 * x**2)
    return x


def report(name, u):
    m = n // 2
    middle = comm.allreduce(float(u[m - first, m]) if first <= m < first + rows else 0.0)
    mean = comm.allreduce(float(u.sum())) / n**2
    if rank == 0:
        print(f"{name} {middle:.12f}, mean {mean:.12f}")


u = v = ((5 * i + 3 * j) % 17) / 17
for t in range(steps):
    u = relax(u)
for t in range(steps):
    v = settle(v)
report("relax", u)
report("settle", v)
