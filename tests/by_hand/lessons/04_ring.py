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
m = int(args.get("m", 4))
box = 100 * rank + xp.arange(m, dtype=np.int64)
start = box.copy()


def show(title):
    rows = comm.gather(box if xp is np else xp.asnumpy(box))
    if rank == 0:
        print(title)
        print(np.array(rows))


show("At the start")
other = xp.empty_like(box)
for step in range(ranks):
    comm.Sendrecv(box, (rank + 1) % ranks, recvbuf=other, source=(rank - 1) % ranks)
    box, other = other, box
    show(f"After step {step + 1}")
home = comm.allreduce(bool((box == start).all()), MPI.LAND)
assert home, "a box did not come home"
if rank == 0:
    print("All boxes are home")
