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
groups, most = int(args.get("groups", 10)), int(args.get("most", 100))
images, labels = np.load("data/digits_images.npy", mmap_mode="r"), np.load("data/digits_labels.npy", mmap_mode="r")
n = len(images)
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
x = xp.asarray(images[first : first + rows], dtype=np.float64)
label = xp.asarray(labels[first : first + rows])
c = xp.asarray(images[:groups], dtype=np.float64)
comm.Bcast(c)
last, rounds, moved = xp.full(rows, -1), 0, n
while moved > 0 and rounds < most:
    group = ((x[:, None, :] - c[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
    member = (group[:, None] == xp.arange(groups)).astype(np.float64)
    packed = xp.concatenate([member.T @ x, member.sum(axis=0)[:, None]], axis=1)
    whole = xp.empty_like(packed)
    comm.Allreduce(packed, whole)
    size = whole[:, -1:]
    c = xp.where(size > 0, whole[:, :-1] / xp.maximum(size, 1), c)
    moved = comm.allreduce(int((group != last).sum()))
    last = group
    rounds += 1
mine = xp.array([[((group == g) & (label == d)).sum() for d in range(10)] for g in range(groups)])
table = xp.empty_like(mine)
comm.Allreduce(mine, table)
right = int(table.max(axis=1).sum())
spread = comm.allreduce(float(((x - c[group]) ** 2).sum())) / n
all_ = np.empty(n, np.int64) if rank == 0 else None
mine = group if xp is np else xp.asnumpy(group)
comm.Gatherv(mine, (all_, counts, None, MPI.INT64_T) if rank == 0 else None)
if rank == 0:
    print(f"{rounds} rounds, {right} of {n} images are in a group of their digit: {right / n:.2%}")
    print(f"mean square distance {spread:.6f}; group 0 by digit: {table[0].tolist()}")
    np.save("groups.npy", all_)
