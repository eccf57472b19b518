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
n, steps = int(args.get("n", 512)), int(args.get("steps", 500))
alpha = np.float32(args.get("alpha", 0.2))
shape = MPI.Compute_dims(ranks, 2)
cart = comm.Create_cart(shape)
place = cart.Get_coords(cart.rank)


def part(extent, pieces, k):
    size = [extent // pieces + (p < extent % pieces) for p in range(pieces)]
    return sum(size[:k]), size[k]


(top, h), (left, w) = (part(n, s, k) for s, k in zip(shape, place))
i, j = xp.mgrid[top : top + h, left : left + w]
u = xp.empty((h + 2, w + 2), np.float32)
u[1:-1, 1:-1] = xp.exp(-((i - n // 2) ** 2 + (j - n // 2) ** 2).astype(np.float32) / np.float32(100))
neighbours = [cart.Shift(d, 1) for d in range(2)]


def exchange(u):
    for d in range(2):
        before, after = neighbours[d]
        v = u if d == 0 else u.T
        for out, to, into, source, own in [(1, before, -1, after, -2), (-2, after, 0, before, 1)]:
            received = xp.empty(v.shape[1], np.float32)
            cart.Sendrecv(xp.ascontiguousarray(v[out]), to, recvbuf=received, source=source)
            v[into] = v[own] if source == MPI.PROC_NULL else received


def energy(u):
    return cart.allreduce(float((u[1:-1, 1:-1].astype(np.float64) ** 2).sum()))


first = energy(u)
for t in range(steps):
    if t % 100 == 0:
        e = energy(u)
        if rank == 0:
            print(f"step {t}: energy {e:.6e}")
    exchange(u)
    c, around = u[1:-1, 1:-1], u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    following = xp.empty_like(u)
    following[1:-1, 1:-1] = c + alpha * (around - np.float32(4) * c)
    u = following
e = energy(u)
assert e <= first, "the plate gained energy: alpha is too large"
mine = np.ascontiguousarray(u[1:-1, 1:-1] if xp is np else xp.asnumpy(u[1:-1, 1:-1]))
parts = cart.gather((top, left, mine))
if rank == 0:
    print(f"step {steps}: energy {e:.6e}")
    whole = np.empty((n, n), np.float32)
    for y, x, p in parts:
        whole[y : y + p.shape[0], x : x + p.shape[1]] = p
    np.save("heat.npy", whole)
