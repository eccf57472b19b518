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
n = int(args.get("n", 1_000_000))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]


def normal(seed, index):
    # Philox 4x32-10, then Box and Muller: a number depends on its seed and index, on any number of ranks.
    mask = 0xFFFFFFFF
    c0, c1, c2, c3 = index & mask, index >> 32, 0, mask
    k0, k1 = seed, 0
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & mask, (a >> 32) ^ c3 ^ k1, a & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    u, v = (c0 * 2**21 + (c1 >> 11)) / 2**53, (c2 * 2**21 + (c3 >> 11)) / 2**53
    return xp.sqrt(-2 * xp.log(1 - u)) * xp.cos(2 * np.pi * v)


x = 5 + 2 * normal(11, xp.arange(first, first + rows, dtype=np.uint64))
# One message for the three sums.
mine = np.array([float(x.sum()), float((x**2).sum()), float((abs(x - 5) > 4).sum())])
total, squares, far = comm.allreduce(mine)
low, high = comm.allreduce(float(x.min()), MPI.MIN), comm.allreduce(float(x.max()), MPI.MAX)
centre = total / n
variance = comm.allreduce(float(((x - centre) ** 2).sum())) / n
if rank == 0:
    print(f"mean {centre:.9f}, variance {variance:.9f}, mean square {squares / n:.9f}")
    print(f"from {low:.9f} to {high:.9f}, {far:.0f} beyond two deviations")
