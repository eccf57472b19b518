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
n = int(args.get("n", 12))
greetings = np.empty(ranks, np.int64)
comm.Allgather(np.array([rank], np.int64), greetings)
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
x = xp.arange(first, first + rows, dtype=np.int64) ** 2
mine = x if xp is np else xp.asnumpy(x)
squares = np.empty(n, np.int64)
comm.Allgatherv(mine, (squares, counts, None, MPI.INT64_T))
total = comm.allreduce(int(x.sum()))
if rank == 0:
    print(f"Hello from {ranks} ranks: {greetings}")
    print(f"Squares: {squares}")
    print(f"Their sum: {total}")
assert greetings.sum() == ranks * (ranks - 1) // 2, "a rank did not answer"
assert total == (n - 1) * n * (2 * n - 1) // 6, "the sum of squares is wrong"
