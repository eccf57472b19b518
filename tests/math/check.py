"""Compares the elementary functions with exact results, and prints a table of the largest errors.

    cp tests/suite/run/math/functions.mgpu FOLDER
    mgpu run FOLDER/functions.mgpu -p keep=1 -p n=200000
    python3 tests/math/check.py FOLDER                        NumPy and mpmath are needed

The error is the distance to the exact result in units in the last place of the exact result (ulp); a wrong special value
counts as infinite. Results that overflow must do so exactly where the exact result, rounded to nearest, does.
"""

import math
import sys
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.prec = 160

ONE = "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh erf cbrt".split()
TWO = "atan2 pow hypot".split()
KINDS = {"f64": (53, -1074, float(np.finfo(np.float64).max)), "f32": (24, -149, float(np.finfo(np.float32).max))}


def log_of(base):
    def f(x):
        if x == 0:
            return -mpmath.inf
        if x < 0:
            return mpmath.nan
        exact = mpmath.log(x) / mpmath.log(base)
        near = mpmath.nint(exact)
        return near if mpf(base) ** int(near) == x and abs(near) < 2000 else exact
    return f


def natural(x):
    return -mpmath.inf if x == 0 else mpmath.nan if x < 0 else mpmath.log(x)


def cbrt(x):
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


def exp2(x):
    return mpf(2) ** x


def expm1(x):
    return mpmath.expm1(x) if abs(x) < 1e5 else mpmath.exp(x) - 1


def log1p(x):
    return mpmath.nan if x < -1 else -mpmath.inf if x == -1 else mpmath.log1p(x)


def real(f):
    def g(x):
        return f(x) if abs(x) <= 1 else mpmath.nan
    return g


EXACT = {
    "exp": mpmath.exp, "exp2": exp2, "expm1": expm1, "log": natural, "log2": log_of(2), "log10": log_of(10),
    "log1p": log1p, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "asin": real(mpmath.asin),
    "acos": real(mpmath.acos), "atan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "erf": mpmath.erf, "cbrt": cbrt, "atan2": mpmath.atan2, "pow": lambda x, y: mpmath.power(x, y),
    "hypot": mpmath.hypot,
}

def extreme(name, args):
    """Whether the exact result is a special value or cannot be told from a limit; C's own function gives it."""
    if any(math.isnan(a) or math.isinf(a) for a in args):
        return True
    if name in ("exp", "expm1", "exp2", "sinh", "cosh"):
        return abs(args[0]) > 2000
    if name in ("tanh", "erf"):
        return abs(args[0]) > 60
    if name == "atan2":
        return 0 in args
    if name == "pow":
        x, y = args
        if x == 0 or y == 0 or (x < 0 and y != math.floor(y)):
            return True
        return abs(y * math.log2(abs(x)) if abs(y) < 1e300 else math.inf * math.log2(abs(x) or 1)) > 3000
    return False


def by_numpy(name, args):
    with np.errstate(all="ignore"):
        if name == "erf":
            return math.erf(args[0])
        names = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "pow": "power"}
        return float(getattr(np, names.get(name, name))(*[np.float64(a) for a in args]))


def error(got, exact, kind):
    """The error of `got` in ulp of the mpmath number or float `exact`."""
    bits, least, most = KINDS[kind]
    if isinstance(exact, float) and math.isfinite(exact) and exact != 0:
        exact = mpf(exact)
    if isinstance(exact, float):
        if math.isnan(exact) or math.isnan(got):
            return 0.0 if math.isnan(exact) and math.isnan(got) else math.inf
        return 0.0 if got == exact and math.copysign(1, got) == math.copysign(1, exact) else math.inf
    if mpmath.isnan(exact):
        return 0.0 if math.isnan(got) else math.inf
    if mpmath.isinf(exact):
        return 0.0 if got == float(exact) else math.inf
    top = mpf(most) + mpf(2) ** (int(mpmath.log(mpf(most), 2)) - bits)
    if abs(exact) >= top:
        return 0.0 if math.isinf(got) and (got > 0) == (exact > 0) else math.inf
    if not math.isfinite(got):
        return math.inf
    if exact == 0:
        return 0.0 if got == 0 else math.inf
    exponent = max(mpmath.frexp(exact)[1] - bits, least)
    return float(abs(mpf(got) - exact) / mpf(2) ** exponent)


def main():
    folder = Path(sys.argv[1])
    inputs = {"f64": [np.load(folder / "x.npy"), np.load(folder / "y.npy")],
              "f32": [np.load(folder / "xs.npy"), np.load(folder / "ys.npy")]}
    limit = {"f64": 2.0, "f32": 1.5}
    rows, worst = [], 0
    for name in ONE + TWO:
        row = []
        for kind in KINDS:
            got = np.load(folder / f"{name}_{kind}.npy")
            points = inputs[kind][: 2 if name in TWO else 1]
            most, where = -1.0, ()
            for i in range(len(got)):
                args = [float(p[i]) for p in points]
                exact = by_numpy(name, args) if extreme(name, args) else EXACT[name](*[mpf(a) for a in args])
                e = error(float(got[i]), exact, kind)
                if e > most:
                    most, where = e, args
            row += [most, " ".join(f"{a!r}" for a in where)]
            if not most <= limit[kind]:
                worst = 1
                print(f"{name}_{kind}: {most} at {where}", file=sys.stderr)
        rows.append(f"| {name} | {row[0]:.3f} | {row[1]} | {row[2]:.3f} | {row[3]} |")
        print(rows[-1], flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
