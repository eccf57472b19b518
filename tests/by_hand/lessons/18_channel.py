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
h, w, steps = int(args.get("h", 64)), int(args.get("w", 192)), int(args.get("steps", 1500))
tau, force, radius = float(args.get("tau", 0.6)), float(args.get("force", 1e-5)), float(args.get("radius", 8))
weight = [4 / 9] + [1 / 9] * 4 + [1 / 36] * 4
right = [0, 1, 0, -1, 0, 1, -1, -1, 1]
down = [0, 0, 1, 0, -1, 1, 1, -1, -1]
back = [0, 3, 4, 1, 2, 7, 8, 5, 6]
shape = MPI.Compute_dims(ranks, 2)
cart = comm.Create_cart(shape, periods=[False, True])
place = cart.Get_coords(rank)
(up, under), (before, after) = cart.Shift(0, 1), cart.Shift(1, 1)


def part(extent, pieces, k):
    size = [extent // pieces + (p < extent % pieces) for p in range(pieces)]
    return sum(size[:k]), size[k]


(top, rows), (left, columns) = (part(n, s, k) for n, s, k in zip((h, w), shape, place))
i, j = xp.mgrid[top - 1 : top + rows + 1, left - 1 : left + columns + 1]
wall = (i <= 0) | (i >= h - 1) | ((i - h // 2 + 1) ** 2 + (j % w - w // 4) ** 2 < radius**2)


# The columns first; the rows then take the corners along.
def exchange(p):
    q = p.transpose(0, 2, 1)
    for v, moving, out, to, into, source in [
        (q, [1, 5, 8], -2, after, 0, before),
        (q, [3, 6, 7], 1, before, -1, after),
        (p, [2, 5, 6], -2, under, 0, up),
        (p, [4, 7, 8], 1, up, -1, under),
    ]:
        received = xp.zeros((3, v.shape[2]))
        cart.Sendrecv(xp.ascontiguousarray(v[moving, out]), to, recvbuf=received, source=source)
        v[moving, into] = received


f, p = xp.empty((9, rows, columns)), xp.zeros((9, rows + 2, columns + 2))
for k in range(9):
    f[k] = weight[k]
for t in range(steps):
    rho = f.sum(axis=0)
    x, y = (sum(c * density for c, density in zip(axis, f)) / rho for axis in (right, down))
    for k in range(9):
        along = 3 * (right[k] * x + down[k] * y)
        calm = weight[k] * rho * (1 + along + along**2 / 2 - 1.5 * (x**2 + y**2))
        p[k, 1:-1, 1:-1] = f[k] + (calm - f[k]) / tau + 3 * weight[k] * right[k] * force
    exchange(p)
    for k in range(9):
        a, b = 1 - down[k], 1 - right[k]
        origin = slice(a, a + rows), slice(b, b + columns)
        f[k] = xp.where(wall[origin], p[back[k], 1:-1, 1:-1], p[k][origin])
flow = sum(c * density for c, density in zip(right, f)) / f.sum(axis=0)
speed = xp.where(wall[1:-1, 1:-1], 0, flow)
through = comm.allreduce(float(speed[:, 0].sum()) if left == 0 else 0.0)
fastest = comm.allreduce(float(speed.max()), MPI.MAX)
parts = comm.gather((top, left, speed if xp is np else xp.asnumpy(speed)))
if rank == 0:
    print(f"flow through the channel {through:.9f}, fastest {fastest:.9f}")
    whole = np.empty((h, w))
    for y, x, s in parts:
        whole[y : y + s.shape[0], x : x + s.shape[1]] = s
    np.save("speed.npy", whole)
