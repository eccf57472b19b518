"""Runs that need fewer GPUs than there are, beside each other."""
import contextlib
import threading


class Gpus:
    """Which GPUs the next run takes: the least busy that stand beside each other, at most `each` runs on one."""

    def __init__(self, count, each):
        self.busy, self.each, self.changed = [0] * count, each, threading.Condition()

    @contextlib.contextmanager
    def some(self, ranks):
        wide = min(ranks, len(self.busy))
        groups = [range(first, first + wide) for first in range(0, len(self.busy) - wide + 1, wide)]
        load = lambda group: max(self.busy[g] for g in group)
        with self.changed:
            self.changed.wait_for(lambda: min(map(load, groups)) < self.each)
            group = min(groups, key=load)
            for g in group:
                self.busy[g] += 1
        try:
            yield {"CUDA_VISIBLE_DEVICES": ",".join(map(str, group))} if wide < len(self.busy) else {}
        finally:
            with self.changed:
                for g in group:
                    self.busy[g] -= 1
                self.changed.notify_all()
