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
images, labels = np.load("data/digits_images.npy", mmap_mode="r"), np.load("data/digits_labels.npy", mmap_mode="r")
n = len(images)
counts = [n // ranks + (r < n % ranks) for r in range(ranks)]
first, rows = sum(counts[:rank]), counts[rank]
image, label = xp.asarray(images[first : first + rows]), xp.asarray(labels[first : first + rows])
even = xp.arange(first, first + rows) % 2 == 0
# The sums and the number of the images of each digit, in one message.
member = (even[:, None] & (label[:, None] == xp.arange(10))).astype(np.float32)
packed = xp.concatenate([member.T @ image, member.sum(axis=0)[:, None]], axis=1)
whole = xp.empty_like(packed)
comm.Allreduce(packed, whole)
centre = whole[:, :-1] / whole[:, -1:]
guess = ((image[:, None, :] - centre) ** 2).sum(axis=2).argmin(axis=1)
mine = xp.bincount(label[~even & (guess != label)], minlength=10)
missed = xp.empty_like(mine)
comm.Allreduce(mine, missed)
tested = n // 2
right = tested - int(missed.sum())
guesses = np.empty(n, np.int64) if rank == 0 else None
mine = guess if xp is np else xp.asnumpy(guess)
comm.Gatherv(mine, (guesses, counts, None, MPI.INT64_T) if rank == 0 else None)
if rank == 0:
    print(f"{right} of {tested} digits read correctly: {right / tested:.2%}")
    print(f"mistakes by digit, 0 to 9: {missed}")
    assert 10 * right > 8 * tested, "worse than it should be"
    xp.save("centres.npy", centre)
    np.save("guesses.npy", guesses)
