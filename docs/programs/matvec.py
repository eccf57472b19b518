"""A matrix with divided rows times a divided vector."""
from mpi4py import MPI
import numpy as np

comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size
n = 300
cuts = [r * n // size for r in range(size + 1)]
rows = np.arange(cuts[rank], cuts[rank + 1])
a = 1 / (rows[:, None] + np.arange(n)[None, :] + 1.0)
x = rows.astype(float)
whole = np.empty(n)
counts = np.diff(cuts)
comm.Allgatherv(x, [whole, counts, cuts[:-1], MPI.DOUBLE])
y = a @ whole
first = comm.bcast(y[0] if rank == 0 else None, root=0)
last = comm.bcast(y[-1] if rank == size - 1 else None, root=size - 1)
if rank == 0:
    print(f"y[0] = {first:.6f}, y[n-1] = {last:.6f}")
