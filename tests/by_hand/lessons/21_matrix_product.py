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
n = int(args.get("n", 120))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
i, j = xp.mgrid[first : first + rows, :n]
a = ((i * j + 3 * i + j) % 17) / 17
own = ((i + 5 * j) % 13) - 6.0


def gathered(u):
    whole = np.empty((n, n), u.dtype) if rank == 0 else None
    mine = np.ascontiguousarray(u if xp is np else xp.asnumpy(u))
    kind = MPI._typedict[u.dtype.char]
    comm.Gatherv(mine, (whole, [c * n for c in counts], None, kind) if rank == 0 else None)
    return whole

# Whole on every rank.
b = xp.empty((n, n))
comm.Allgatherv(own, (b, [c * n for c in counts], None, MPI.DOUBLE))
c = a @ b
# Pieces of b go around the ring while the product of the last piece is added.
c2, piece, at = xp.zeros((rows, n)), own.copy(), rank
for step in range(ranks):
    source = (at - 1) % ranks
    following = xp.empty((counts[source], n))
    sent = comm.Isend(piece, (rank + 1) % ranks)
    received = comm.Irecv(following, (rank - 1) % ranks)
    begin = sum(counts[:at])
    c2 += a[:, begin : begin + counts[at]] @ piece
    MPI.Request.Waitall([sent, received])
    piece, at = following, source
equal = comm.allreduce(bool(xp.allclose(c, c2)), MPI.LAND)
k = xp.arange(rows)
trace = comm.allreduce(float(c[k, first + k].sum()))
squares, whole = comm.allreduce(float((c**2).sum())), gathered(c)
if rank == 0:
    print(f"trace {trace:.9f}, sum of squares {squares:.6f}")
    print(f"equal: {str(equal).lower()}")
    np.save("product.npy", whole)
