from fractions import Fraction

a = lambda i, l: 1e-160 if i == 5 else 0.0 if i == 6 else ((5 * i + 3 * l) % 29 - 13) / 7
b = lambda l, j: 3e-155 / (l + 1) if j == 9 else ((2 * l + 7 * j) % 31 - 15) / 11


def element(i, j, terms=61, more=0.0, shift=0.0):
    """A chain of fused multiply-adds: exact rational arithmetic, rounded once a term."""
    s = 0.0
    for l in range(terms):
        s = float(Fraction(a(i, l) + shift) * Fraction(b(l, j)) + Fraction(s))
    return s + more


def show(**how):
    places = [(0, 0), (130, 136), (64, 128), (5, 9), (5, 10), (6, 3)]
    of = lambda i, j: element(i, j, **{k: (i * 1.0 if v == "i" else v) for k, v in how.items()})
    print(*(of(*p) for p in places), max(of(77, j) for j in range(137)))


show()
show()
show()
show(more="i")
show(terms=48, shift=1.0)
