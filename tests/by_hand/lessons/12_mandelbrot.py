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
h, n, limit = int(args.get("h", 200)), int(args.get("w", 300)), int(args.get("limit", 200))
centre, width = float(args.get("centre", -0.5)), float(args.get("width", 3))
counts = [h // ranks + (r < h % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
pixel = width / n
x, y = centre + (j - n / 2) * pixel, (i - h / 2) * pixel
a, b = xp.zeros((rows, n)), xp.zeros((rows, n))
k, open_ = xp.zeros((rows, n), np.int64), xp.ones((rows, n), bool)
for t in range(limit):
    a, b = xp.where(open_, a * a - b * b + x, a), xp.where(open_, 2 * a * b + y, b)
    open_ &= a * a + b * b <= 4
    k += open_
inside, total = comm.allreduce(int((k == limit).sum())), comm.allreduce(int(k.sum()))
whole = np.empty((h, n), np.int64) if rank == 0 else None
mine = k if xp is np else xp.asnumpy(k)
comm.Gatherv(mine, (whole, [c * n for c in counts], None, MPI.INT64_T) if rank == 0 else None)
if rank == 0:
    print(f"{inside} of {h * n} points stay within the circle")
    print(f"mean rounds {total / (h * n):.4f}")
    np.save("rounds.npy", whole)
