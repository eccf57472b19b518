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
n, broken, step = int(args.get("n", 300_000)), int(args.get("broken", -1)), int(args.get("step", 7))
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]

def agree(wrong, text):
    """Ends all ranks together; the lowest rank with a problem says what it is."""
    all_ = comm.allgather(text if wrong else None)
    found = [t for t in all_ if t]
    if found:
        if rank == 0:
            print(found[0], file=sys.stderr)
        sys.exit(3)


i = np.arange(first, first + rows)
x = np.sqrt(i)
place = np.where(i == broken, n + i, step * i % n)
outside = (place < 0) | (place >= n)
wrong = comm.allreduce(int(outside.sum()))
agree(outside.any(), f"{wrong} of {n} places lie outside, the first is number {i[outside][0] if outside.any() else n}")
begins = np.cumsum([0] + counts)
owner = np.searchsorted(begins, place, side="right") - 1
order = np.argsort(owner, kind="stable")
asked = np.bincount(owner, minlength=ranks)
given = np.empty(ranks, np.int64)
comm.Alltoall(asked, given)
requests = np.empty(given.sum(), np.int64)
comm.Alltoallv((place[order], asked), (requests, given))
answers = np.empty(rows)
comm.Alltoallv((x[requests - first], given), (answers, asked))
y = np.empty(rows)
y[order] = answers
hits = np.bincount(requests - first, minlength=rows)
unused = comm.allreduce(int((hits == 0).sum()))
agree(unused > 0, f"{unused} elements are read by nobody: {step} and {n} have a factor in common")
totals = [comm.allreduce(float(s)) for s in (x.sum(), y.sum(), (i * y).sum() / n)]
if rank == 0:
    print(f"before {totals[0]:.6f}, after {totals[1]:.6f}, weighted {totals[2]:.6f}")
