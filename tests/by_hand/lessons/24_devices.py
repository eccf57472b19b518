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
n, steps = int(args.get("n", 240)), int(args.get("steps", 50))


def part(extent, pieces, k):
    size = [extent // pieces + (p < extent % pieces) for p in range(pieces)]
    return sum(size[:k]), size[k]


def exchange(cart, u):
    for d in range(2):
        before, after = cart.Shift(d, 1)
        v = u if d == 0 else u.T
        for out, to, into, source, own in [(1, before, -1, after, -2), (-2, after, 0, before, 1)]:
            received = xp.empty(v.shape[1])
            cart.Sendrecv(xp.ascontiguousarray(v[out]), to, recvbuf=received, source=source)
            v[into] = v[own] if source == MPI.PROC_NULL else received


# The plate after all steps, on a mesh of ranks; whole on rank 0.
def smoothed(shape):
    cart = comm.Create_cart(shape)
    (top, h), (left, w) = (part(n, s, k) for s, k in zip(shape, cart.Get_coords(rank)))
    i, j = xp.mgrid[top : top + h, left : left + w]
    u = xp.zeros((h + 2, w + 2))
    u[1:-1, 1:-1] = (7 * i + 3 * j) % 11
    for t in range(steps):
        exchange(cart, u)
        u[1:-1, 1:-1] = (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]) / 4
    mine = np.ascontiguousarray(u[1:-1, 1:-1] if xp is np else xp.asnumpy(u[1:-1, 1:-1]))
    parts = cart.gather((top, left, mine))
    if rank != 0:
        return None
    whole = np.empty((n, n))
    for y, x, p in parts:
        whole[y : y + p.shape[0], x : x + p.shape[1]] = p
    return whole


rows, columns, tiles = smoothed([ranks, 1]), smoothed([1, ranks]), smoothed(MPI.Compute_dims(ranks, 2))
if rank == 0:
    equal = np.array_equal(rows, columns) and np.array_equal(rows, tiles)
    print(f"equal: {str(equal).lower()}")
    print(f"mean {tiles.mean():.9f}, corner {tiles[0, 0]:.9f}, middle {tiles[n // 2, n // 2]:.9f}")
