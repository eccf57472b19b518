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
steps, dt, cell = int(args.get("steps", 600)), float(args.get("dt", 2)), float(args.get("cell", 90))
rain, friction = float(args.get("rain", 1)), float(args.get("friction", 0.03))
ground = np.load("data/elevation.npy", mmap_mode="r")
h, w = ground.shape
counts = [h // ranks + (r < h % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
above = rank - 1 if rank > 0 else MPI.PROC_NULL
below = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL
# Ground and depth have a ghost row on both sides; both ranks compute the flow through the faces between them.
z = xp.asarray(ground[np.clip(np.arange(first - 1, first + rows + 1), 0, h - 1)], dtype=np.float64)
depth = xp.full((rows + 2, w), rain)
right, down = xp.zeros((rows, w + 1)), xp.zeros((rows + 1, w))
zi, di = z[1:-1], depth[1:-1]


# From the cell `a` to the cell `b`; no cell gives more than a quarter of its water.
def flow(q, za, a, zb, b):
    water = xp.maximum(za + a, zb + b) - xp.maximum(za, zb)
    free = q - 9.81 * water * dt * (zb + b - za - a) / cell
    held = 1 + 9.81 * dt * friction**2 * abs(q) / xp.maximum(water, 1e-3) ** (7 / 3)
    most = cell / (4 * dt)
    return xp.where(water > 1e-3, xp.maximum(-b * most, xp.minimum(a * most, free / held)), 0)


for t in range(steps):
    comm.Sendrecv(depth[1], above, recvbuf=depth[-1], source=below)
    comm.Sendrecv(depth[-2], below, recvbuf=depth[0], source=above)
    right[:, 1:-1] = flow(right[:, 1:-1], zi[:, :-1], di[:, :-1], zi[:, 1:], di[:, 1:])
    down = flow(down, z[:-1], depth[:-1], z[1:], depth[1:])
    if rank == 0:
        down[0] = 0
    if rank == ranks - 1:
        down[-1] = 0
    di -= dt / cell * (right[:, 1:] - right[:, :-1] + down[1:] - down[:-1])
water, deepest = comm.allreduce(float(di.sum())), comm.allreduce(float(di.max()), MPI.MAX)
assert abs(water - rain * h * w) < 1e-9 * water, "water is lost"
dry = comm.allreduce(int((di < rain / 10).sum()))
whole = np.empty((h, w)) if rank == 0 else None
mine = di if xp is np else xp.asnumpy(di)
comm.Gatherv(mine, (whole, [c * w for c in counts], None, MPI.DOUBLE) if rank == 0 else None)
if rank == 0:
    print(f"deepest {deepest:.6f} m, {dry} cells nearly dry")
    print(f"water kept: {water / (rain * h * w):.12f}")
    np.save("depth.npy", whole)
