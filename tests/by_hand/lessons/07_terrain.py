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
cell, exaggeration = np.float32(args.get("cell", 90)), np.float32(args.get("exaggeration", 2))
azimuth = np.radians(np.float32(args.get("azimuth", 315)))
height = np.radians(np.float32(args.get("height", 45)))
elevation = np.load("data/elevation.npy", mmap_mode="r")
h, w = elevation.shape
counts = [h // ranks + (r < h % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
ground = xp.asarray(elevation[first : first + rows])
above = rank - 1 if rank > 0 else MPI.PROC_NULL
below = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL


def light(east, north):
    up, flat = np.sin(height), np.cos(height)
    sun_east, sun_north = flat * np.sin(azimuth), flat * np.cos(azimuth)
    return xp.maximum(0, (up - east * sun_east - north * sun_north) / xp.sqrt(1 + east**2 + north**2))


def gathered(u):
    whole = np.empty((h, w), np.float32) if rank == 0 else None
    mine = u if xp is np else xp.asnumpy(u)
    comm.Gatherv(mine, (whole, [c * w for c in counts], None, MPI.FLOAT) if rank == 0 else None)
    return whole


z = xp.pad(ground, 1, mode="edge")
comm.Sendrecv(z[1], above, recvbuf=z[-1], source=below)
comm.Sendrecv(z[-2], below, recvbuf=z[0], source=above)
east = (z[1:-1, 2:] - z[1:-1, :-2]) / (2 * cell)
north = (z[:-2, 1:-1] - z[2:, 1:-1]) / (2 * cell)
slope = 100 * xp.sqrt(east**2 + north**2)
relief = light(exaggeration * east, exaggeration * north)
low, high = comm.allreduce(float(ground.min()), MPI.MIN), comm.allreduce(float(ground.max()), MPI.MAX)
steepest, steep = comm.allreduce(float(slope.max()), MPI.MAX), comm.allreduce(int((slope > 30).sum()))
slope, relief = gathered(slope), gathered(relief)
if rank == 0:
    print(f"{h} x {w} cells, from {low:.0f} m to {high:.0f} m")
    print(f"steepest slope: {steepest:.1f} in 100")
    print(f"steeper than 30 in 100: {steep / (h * w):.1%} of the land")
    np.save("slope.npy", slope)
    np.save("relief.npy", relief)
