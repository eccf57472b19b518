"""The sum of squares of a divided array."""
from mpi4py import MPI

try:
    import cupy as xp
except ImportError:
    import numpy as xp

comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size
if xp.__name__ == "cupy":
    local = comm.Split_type(MPI.COMM_TYPE_SHARED)
    xp.cuda.Device(local.rank % xp.cuda.runtime.getDeviceCount()).use()

n = 100_000
start, end = rank * n // size, (rank + 1) * n // size
x = (xp.arange(start, end) % 1000).astype(xp.float32) / 1000
total = comm.allreduce(float(xp.sum(x * x)), op=MPI.SUM)
if rank == 0:
    print(f"sum of squares: {total}")
