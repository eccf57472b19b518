"""Pi by throwing points at a square."""
from mpi4py import MPI
import numpy as np

comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size
samples = 100_000
mine = (rank + 1) * samples // size - rank * samples // size
generator = np.random.Generator(np.random.PCG64(1).jumped(rank))
x, y = generator.random(mine), generator.random(mine)
inside = comm.allreduce(int(np.count_nonzero(x * x + y * y <= 1)), op=MPI.SUM)
if rank == 0:
    print(f"{inside} inside, pi is about {4 * inside / samples:.4f}")
