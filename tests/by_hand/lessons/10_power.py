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
n, tol = int(args.get("n", 400)), float(args.get("tol", 1e-12))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i = xp.arange(first, first + rows)
a = 1 / (i[:, None] + xp.arange(n) + 1)


def gathered(v):
    whole = xp.empty(n)
    comm.Allgatherv(v, (whole, counts, None, MPI.DOUBLE))
    return whole


def norm(v):
    return np.sqrt(comm.allreduce(float((v**2).sum())))


def power(a, start, tol):
    v, value, rounds, change = start, 0, 0, np.inf
    while change > tol and rounds < 1000:
        y = a @ gathered(v)
        length = norm(y)
        v = y / length
        change = abs(length - value) / length
        value = length
        rounds += 1
    return v, value, rounds


v, value, rounds = power(a, xp.ones(rows), tol)
whole = gathered(v)
residual = norm(a @ whole - value * v)
if rank == 0:
    print(f"greatest eigenvalue {value:.10f} after {rounds} rounds, residual {residual:.1e}")
    assert value < np.pi, "Hilbert's inequality does not hold"
    xp.save("eigenvector.npy", whole)
