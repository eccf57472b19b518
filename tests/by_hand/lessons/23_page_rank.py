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
pages, degree = int(args.get("pages", 2000)), int(args.get("degree", 6))
damping = float(args.get("damping", 0.85))
links = pages * degree
counts = [pages // ranks + (r < pages % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
begins = np.cumsum([0] + counts)
link_counts = [links // ranks + (r < links % ranks) for r in range(ranks)]
e = np.arange(link_counts[rank]) + sum(link_counts[:rank])
start = e // degree
# Products favour small numbers.
to = ((e * 7919) % pages) * ((e * 104729 + 3) % pages) // pages


# One end of every link of this rank, and the owners of these pages.
class Ends:
    def __init__(self, page):
        owner = np.searchsorted(begins, page, side="right") - 1
        order = np.argsort(owner, kind="stable")
        self.asked, self.given = np.bincount(owner, minlength=ranks), np.empty(ranks, np.int64)
        comm.Alltoall(self.asked, self.given)
        requests = np.empty(self.given.sum(), np.int64)
        comm.Alltoallv((page[order], self.asked), (requests, self.given))
        self.order, self.local = xp.asarray(order), xp.asarray(requests - first)

    def read(self, values):
        answers, found = xp.empty(len(e)), xp.empty(len(e))
        comm.Alltoallv((values[self.local], self.given), (answers, self.asked))
        found[self.order] = answers
        return found

    def add(self, values):
        contributions = xp.empty(len(self.local))
        comm.Alltoallv((values[self.order], self.asked), (contributions, self.given))
        return xp.bincount(self.local, contributions, minlength=rows)


origin, target = Ends(start), Ends(to)
out = origin.add(xp.ones(len(e)))
score = xp.full(rows, 1 / pages)
moved, rounds = 1.0, 0
while moved > 1e-10:
    share = damping * score / out
    following = (1 - damping) / pages + target.add(origin.read(share))
    moved = comm.allreduce(float(abs(following - score).sum()))
    score = following
    rounds += 1
highest, best = comm.allreduce((float(score.max()), first + int(score.argmax())), MPI.MAXLOC)
one = comm.allreduce(float(score[1 - first]) if first <= 1 < first + rows else 0.0)
total = comm.allreduce(float(score.sum()))
if rank == 0:
    print(f"{rounds} rounds; page {best} has rank {highest:.9f}, page 1 {one:.9f}; all {total:.9f}")
