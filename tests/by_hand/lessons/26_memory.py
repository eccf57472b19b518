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
n, steps, dt = int(args.get("n", 1024)), int(args.get("steps", 200)), float(args.get("dt", 0.4))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
left, right = (rank - 1) % ranks, (rank + 1) % ranks
i = xp.arange(first, first + rows)
# With two ghost cells on both sides.
g = xp.empty(rows + 4)


# Transport to the right: the slope in time, by central differences of fourth order.
def slope(u):
    g[2:-2] = u
    comm.Sendrecv(g[2:4], left, recvbuf=g[-2:], source=right)
    comm.Sendrecv(g[-4:-2], right, recvbuf=g[:2], source=left)
    return (g[4:] - 8 * g[3:-1] + 8 * g[1:-3] - g[:-4]) / 12


def bump(middle):
    return xp.exp(-(((i - middle) / 20) ** 2))


u = bump(n / 4)
for t in range(steps):
    a = slope(u)
    b = slope(u + dt / 2 * a)
    c = slope(u + dt / 2 * b)
    d = slope(u + dt * c)
    u += dt / 6 * (a + 2 * b + 2 * c + d)
# The exact answer is the start, moved by `steps * dt` cells.
error = comm.allreduce(float(abs(u - bump(n / 4 + steps * dt)).max()), MPI.MAX)
kept = comm.allreduce(float(u.sum())) / (20 * np.sqrt(np.pi))
if rank == 0:
    print(f"after {steps} steps: error {error:.9f}, kept {kept:.12f}")
assert error < 0.02, "the wave is at another place"
