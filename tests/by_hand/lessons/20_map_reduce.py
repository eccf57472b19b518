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
n = int(args.get("n", 1_000_000))
width = 1 / n
work = None
if rank == 0:
    work = (np.arange(n) + 0.5) * width
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
mine = np.empty(counts[rank])
comm.Scatterv((work, counts, None, MPI.DOUBLE) if rank == 0 else None, mine)
x = xp.asarray(mine)
area = float((4 / (1 + x**2) * width).sum())
length = float((width * xp.sqrt(1 + (8 * x / (1 + x**2) ** 2) ** 2)).sum())
area, length = comm.allreduce(area), comm.allreduce(length)
if rank == 0:
    print(f"area {area:.10f}, length {length:.10f}")
assert abs(area - np.pi) < 1e-6, "too few slices"
