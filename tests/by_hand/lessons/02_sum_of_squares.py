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
n = int(args.get("n", 100_000))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
x = xp.arange(first + 1, first + rows + 1, dtype=np.float64)
total = comm.allreduce(float((x**2).sum()))
# One stream for each rank: the numbers depend on how many there are.
x = xp.random.default_rng([1, rank]).standard_normal(rows)
square = comm.allreduce(float((x**2).sum())) / n
if rank == 0:
    print(f"1 + 4 + 9 + ... + {n}^2 = {total:.0f}")
    print(f"Mean square of {n} normal numbers: {square:.6f}")
assert total == n * (n + 1) * (2 * n + 1) // 6, "the sum differs from its closed form"
assert abs(square - 1) < 5 * np.sqrt(2 / n), "the numbers are not normal"
