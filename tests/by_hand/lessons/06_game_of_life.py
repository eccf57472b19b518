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
n, generations = int(args.get("n", 96)), int(args.get("generations", 200))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
above, below = (rank - 1) % ranks, (rank + 1) % ranks


def live(a):
    u = xp.empty((rows + 2, n), np.int32)
    u[1:-1] = a
    comm.Sendrecv(u[1], above, recvbuf=u[-1], source=below)
    comm.Sendrecv(u[-2], below, recvbuf=u[0], source=above)
    three = u[:-2] + u[1:-1] + u[2:]
    around = three + xp.roll(three, 1, 1) + xp.roll(three, -1, 1) - a
    return ((around == 3) | ((around == 2) & (a == 1))).astype(np.int32)


def gathered(u):
    whole = np.empty((n, n), u.dtype) if rank == 0 else None
    mine = np.ascontiguousarray(u if xp is np else xp.asnumpy(u))
    kind = MPI._typedict[u.dtype.char]
    comm.Gatherv(mine, (whole, [c * n for c in counts], None, kind) if rank == 0 else None)
    return whole


def alive(a):
    return comm.allreduce(int(a.sum()))


start = (((i == 0) & (j == 1)) | ((i == 1) & (j == 2)) | ((i == 2) & (j < 3))).astype(np.int32)
world = start
for t in range(4 * n):
    world = live(world)
assert comm.allreduce(bool((world == start).all()), MPI.LAND), "the glider did not come back"
if rank == 0:
    print(f"The glider is back after {4 * n} generations")
world = ((7 * i * i + 13 * i * j + 5 * j * j + 3 * i) % 11 < 4).astype(np.int32)
for t in range(generations):
    if t % 50 == 0:
        count = alive(world)
        if rank == 0:
            print(f"generation {t}: {count} cells alive")
    world = live(world)
count, whole = alive(world), gathered(world)
if rank == 0:
    print(f"generation {generations}: {count} cells alive")
    np.save("life.npy", whole)
