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
pixels = np.load("data/china_grey.npy", mmap_mode="r")
h, w = pixels.shape
counts = [h // ranks + (r < h % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
photo = xp.asarray(pixels[first : first + rows])
above = rank - 1 if rank > 0 else MPI.PROC_NULL
below = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL
weights = [0.0625, 0.25, 0.375, 0.25, 0.0625]


def padded(u, n):
    p = xp.pad(u, n, mode="symmetric")
    comm.Sendrecv(p[n : 2 * n], above, recvbuf=p[-n:], source=below)
    comm.Sendrecv(p[-2 * n : -n], below, recvbuf=p[:n], source=above)
    return p


def blur(u):
    p = padded(u, 2)
    across = sum(weight * p[:, d : d + w] for d, weight in enumerate(weights))
    return sum(weight * across[d : d + rows] for d, weight in enumerate(weights))


def outlines(u):
    p = padded(u, 1)
    columns = p[:-2] + 2 * p[1:-1] + p[2:]
    lines = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    return xp.sqrt((columns[:, 2:] - columns[:, :-2]) ** 2 + (lines[2:] - lines[:-2]) ** 2)


def mean(u):
    return comm.allreduce(float(u.sum(dtype=np.float64))) / (h * w)


def gathered(u):
    whole = np.empty((h, w), np.float32) if rank == 0 else None
    mine = u if xp is np else xp.asnumpy(u)
    comm.Gatherv(mine, (whole, [c * w for c in counts], None, MPI.FLOAT) if rank == 0 else None)
    return whole


soft = blur(photo)
outline = outlines(soft)
before, after, strongest = mean(photo), mean(soft), comm.allreduce(float(outline.max()), MPI.MAX)
soft, outline = gathered(soft), gathered(outline)
if rank == 0:
    print(f"{h} x {w} pixels, mean brightness {before:.3f}")
    print(f"after the blur: {after:.3f}")
    print(f"strongest outline: {strongest:.2f}")
    np.save("soft.npy", soft)
    np.save("outline.npy", outline)
