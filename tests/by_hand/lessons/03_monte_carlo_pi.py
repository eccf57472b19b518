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
n, seed = int(args.get("samples", 1_000_000)), int(args.get("seed", 1))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
# One stream for each rank: the points depend on how many there are.
random = xp.random.default_rng([seed, rank])
x, y = random.random(rows), random.random(rows)
inside = comm.allreduce(int((x**2 + y**2 <= 1).sum()))
estimate = 4 * inside / n
sigma = 4 * np.sqrt(np.pi / 4 * (1 - np.pi / 4) / n)
if rank == 0:
    print(f"{inside} of {n} points are inside")
    print(f"pi is about {estimate:.6f}, off by {(estimate - np.pi) / sigma:.2f} standard deviations")
assert abs(estimate - np.pi) < 5 * sigma, "the random numbers are not uniform"
