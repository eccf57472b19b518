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
n, steps, spread = int(args.get("n", 320)), int(args.get("steps", 200)), float(args.get("spread", 0.05))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
above, below = (rank - 1) % ranks, (rank + 1) % ranks
west, north = 0.2 * xp.sin(2 * np.pi * i / n) + 0.1, xp.empty((rows + 1, n))
north[:-1] = 0.2 * xp.sin(4 * np.pi * j / n)
comm.Sendrecv(xp.ascontiguousarray(north[0]), above, recvbuf=north[-1], source=below)
u = xp.zeros((rows + 2, n))
u[1:-1] = (i - n // 2) ** 2 + (j - n // 3) ** 2 < (n // 8) ** 2


def step(u, v, begin, end):
    """The rows `begin..end` of the next moment; row 0 is a ghost row."""
    c = u[begin:end]
    left, up, down = xp.roll(c, 1, 1), u[begin - 1 : end - 1], u[begin + 1 : end + 1]
    wind, top, bottom = west[begin - 1 : end - 1], north[begin - 1 : end - 1], north[begin:end]
    x = xp.where(wind > 0, wind * left, wind * c) - spread * (c - left)
    y = xp.where(top > 0, top * up, top * c) - spread * (c - up)
    z = xp.where(bottom > 0, bottom * c, bottom * down) - spread * (down - c)
    v[begin:end] = c + x - xp.roll(x, -1, 1) + y - z


before = comm.allreduce(float(u[1:-1].sum()))
v = xp.zeros_like(u)
for t in range(steps):
    requests = [comm.Irecv(u[-1], below, 0), comm.Irecv(u[0], above, 1)]
    requests += [comm.Isend(u[1], above, 0), comm.Isend(u[-2], below, 1)]
    step(u, v, 2, rows)
    MPI.Request.Waitall(requests)
    step(u, v, 1, 2)
    if rows > 1:
        step(u, v, rows, rows + 1)
    u, v = v, u
kept = comm.allreduce(float(u[1:-1].sum())) / before
highest = comm.allreduce(float(u[1:-1].max()), MPI.MAX)
if rank == 0:
    print(f"kept {kept:.12f}, highest {highest:.9f}, cell 0 {float(u[1, 0]):.12f}")
