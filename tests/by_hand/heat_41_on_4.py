# 05_heat.mgpu:41 on 4 ranks, by hand
#             u = diffuse(u, alpha)                 // the second buffer is the compiler's business
# mpirun -n 4 python3 -m mpi4py script.py    (NumPy 2; `-m mpi4py` ends all ranks when one fails)
# On GPUs: `import cupy as np`, one device a rank, and an MPI that takes device memory.
from mpi4py import MPI
import numpy as np

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
if comm.Get_size() != 4:
    raise SystemExit("this script is for 4 ranks")


def shift(u, send, to, receive, source):
    """Sends a slice of u to one rank and fills another slice from the other side."""
    got = np.empty(u[receive].shape, u.dtype)
    comm.Sendrecv(np.ascontiguousarray(u[send]), dest=to, recvbuf=got, source=source)
    if source != MPI.PROC_NULL:
        u[receive] = got


# The rank's parts: zeros here. Put in what they hold before these lines.
# u: f32[512@0, 512@1 | halo 1, 1], mesh 2 x 2
u_lo0, u_hi0 = [(0, 256), (256, 512)][rank // 2]
u_lo1, u_hi1 = [(0, 256), (256, 512)][rank % 2]
u = np.zeros((u_hi0 - u_lo0 + 2, u_hi1 - u_lo1 + 2), np.float32)
# u_next: f32[512@0, 512@1 | halo 1, 1], mesh 2 x 2
u_next = np.zeros((u_hi0 - u_lo0 + 2, u_hi1 - u_lo1 + 2), np.float32)

# 31 | next[i, j] = u[i, j] + alpha * (u[i-1, j] + u[i+1, j] + u[i, j-1] + u[i, j+1] - 4 * u[i, j])
before = rank - 2 if rank // 2 > 0 else MPI.PROC_NULL
after = rank + 2 if rank // 2 < 1 else MPI.PROC_NULL
shift(u, np.s_[-2:-1], after, np.s_[:1], before)
shift(u, np.s_[1:2], before, np.s_[-1:], after)
if before == MPI.PROC_NULL:
    u[:1] = u[1:2]
if after == MPI.PROC_NULL:
    u[-1:] = u[-2:-1]
before = rank - 1 if rank % 2 > 0 else MPI.PROC_NULL
after = rank + 1 if rank % 2 < 1 else MPI.PROC_NULL
shift(u, np.s_[:, -2:-1], after, np.s_[:, :1], before)
shift(u, np.s_[:, 1:2], before, np.s_[:, -1:], after)
if before == MPI.PROC_NULL:
    u[:, :1] = u[:, 1:2]
if after == MPI.PROC_NULL:
    u[:, -1:] = u[:, -2:-1]
u_next[1:-1, 1:-1] = u[1:-1, 1:-1] + 0.2 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1])
u, u_next = u_next, u
