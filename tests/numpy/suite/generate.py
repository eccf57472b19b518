"""Writes what the programs of tests/suite must print, computed with NumPy.

    python3 tests/numpy/suite/generate.py          write NAME.out beside each program
    python3 tests/numpy/suite/generate.py --check  fail if one differs from what is committed

tests/numpy/suite/A/B.py computes what tests/suite/A/B.mgpu prints, by other means than mgpu: whole arrays, closed forms,
plain loops. It finds `np`, and these helpers, already defined.
"""

import contextlib
import io
import itertools
import math
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SUITE = HERE.parent.parent / "suite"


def table(shape, f, dtype=np.int64):
    """The array whose element at (i, j, …) is f(i, j, …)."""
    out = np.zeros(shape, dtype)
    for at in np.ndindex(*shape):
        out[at] = f(*at)
    return out


def sees(i, n, edge):
    """The index that a read at i of n elements lands on, and the factor, by the definition of each edge."""
    if edge == "periodic":
        return i % n, 1
    if edge == "clamp":
        return min(max(i, 0), n - 1), 1
    m = i % (2 * n)
    if edge == "mirror":
        return (m, 1) if m < n else (2 * n - 1 - m, 1)
    if edge == "odd":
        return (m, 1) if m < n else (2 * n - 1 - m, -1)
    assert 0 <= i < n, (i, n, edge)
    return i, 1


def reader(a, *edges):
    """A function that reads `a` past its edges. An edge is a name, or ("constant", x)."""
    edges = list(edges) * (a.ndim if len(edges) == 1 else 1)

    def read(*at):
        out, sign = [], 1
        for i, n, e in zip(at, a.shape, edges):
            if isinstance(e, tuple):
                if not 0 <= i < n:
                    return a.dtype.type(e[1])
                e = "none"
            k, s = sees(i, n, e)
            out.append(k)
            sign *= s
        return a[tuple(out)] if sign == 1 else -a[tuple(out)]

    return read


def bf16(x):
    """The nearest numbers of eight significant bits, as float32, by the definition of the format."""
    x = np.asarray(x, float)
    place = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 8, -133))
    near = np.where(np.isfinite(x), np.rint(x / place) * place, x)
    with np.errstate(over="ignore"):
        return np.where(np.abs(near) > 255 * 2.0**120, np.copysign(np.inf, near), near).astype(np.float32)


def main():
    wrong = []
    for path in sorted(HERE.rglob("*.py")):
        if path.name == "generate.py":
            continue
        target = (SUITE / path.relative_to(HERE)).with_suffix(".out")
        names = dict(np=np, table=table, reader=reader, sees=sees, bf16=bf16, math=math, itertools=itertools)
        names["SUITE"] = SUITE
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            exec(compile(path.read_text(), str(path), "exec"), names)
        if not target.with_suffix(".mgpu").exists():
            wrong.append(f"{path}: there is no program {target.with_suffix('.mgpu')}")
        if "--check" in sys.argv:
            if target.read_text() != text.getvalue():
                wrong.append(f"{target} is not what {path} computes")
        else:
            target.write_text(text.getvalue())
    for w in wrong:
        print(w, file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
