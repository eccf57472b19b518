n = 23
w = np.array([1, 1j, -1, 0.5 - 2j])
half = np.complex64(0.5 + 0.25j)
narrow = np.array([half, half * half, 1], np.complex64)
i = np.arange(n)
z = (i % 7 - 3) + 1j * (i * i % 11 / 4)
at = (i * 5 + 2) % n


def show_text(v):
    return str(v) if getattr(v, "ndim", 0) else str(complex(v))


def show(a, spec=None):
    if spec is None:
        return print(show_text(a) if a.ndim == 0 else a)
    words = [f"{v:{spec}}" for v in a]
    width = max(map(len, words))
    print(np.array2string(np.arange(len(words)), formatter={"int": lambda k: words[k].rjust(width)}))


def past(x, *values):
    """A function that reads `x` past its edges: a value a dimension, or None for clamp."""

    def read(*at):
        out = []
        for k, m, value in zip(at, x.shape, values):
            if value is not None and not 0 <= k < m:
                return x.dtype.type(value)
            out.append(min(max(k, 0), m - 1))
        return x[tuple(out)]

    return read


show(w[i % 4] * z + w[1])
k = narrow[i % 3] * np.complex64(2)
print(show_text(k), show_text(narrow[1]))
show(np.array([sum(w * (x + np.arange(4))) for x in i]))

Z = past(z, 1.5 - 2j)
show(np.array([Z(x - 2) + 2 * Z(x + 3) for x in i]))
show(np.array([Z(x * 3 - 20) for x in at]))
one = past(np.zeros(n, complex), 2)
show(np.array([one(x + 1) - one(x - 4) for x in i]))
K = past(k, 0.5j)
show(np.array([K(x - 1) * K(x + 1) for x in i], np.complex64))
s = np.array([Z(x - 1) + Z(x + 1) for x in i])
show(s)
S = past(s, 1.5 - 2j)
show(np.array([S(x - 1) for x in i]))
a = table((9, 31), lambda i, j: i + 1j * j, complex)
A = past(a, 3 + 4j, 0)
b = table((9, 31), lambda i, j: A(i - 1, j + 1) + A(i + 1, j - 2), complex)
print(*[show_text(x) for x in (b[0, 30], b[0, 5], b[8, 0], b[4, 30], b[4, 1], b.sum())])
c = a.astype(np.complex64)
C = past(c, None, -1 + 1j)
c = table((9, 31), lambda i, j: C(i + 1, j + 1) + C(i - 1, j - 1), np.complex64)
print(*[show_text(x) for x in (c.sum(), c[0, 0], c[8, 30], c[3, 30])])
print(show_text(sum(Z(x) for x in range(30))))

show(np.cumsum(z))
show(np.cumsum(z * 2) - z * 2)
f = (z + 4) / 4
show(np.cumprod(f), ".6f")
show(np.concatenate([[1], np.cumprod(f)[:-1]]), ".6f")
show(np.cumprod(np.abs(z + 1)).astype(complex), ".4e")
b = np.cumsum(a, 0)
print(show_text(b.sum()), show_text(b[8, 30]))
b = np.cumprod(np.exp(1j * (np.arange(9)[:, None] + np.arange(31)) / 10), 1)
print(f"{b[8, 30]:.6f} {b[2, 11]:.6f}")
show(np.cumsum(a, 1)[8, 30].astype(np.complex64))

print(f"{f.prod():.6f} {np.exp(a / 1000).prod():.6e} {show_text(np.complex128(1))}")
print(f"{f.prod():.3f} {np.abs(z + 1).prod():.4e}")


def chain(values, by):
    """x = x * by + value, from 0; all values on the way."""
    x, out = 0, []
    for v in values:
        x = x * by + v
        out.append(x)
    return out


print(f"{((0.5j) ** n).imag:.6e} {chain(z, 0.5j)[-1]:.6f}")
print(show_text(a.sum().astype(np.complex64)), sum(x - y for x in range(9) for y in range(31)))
show(np.array(chain(z, 0.5j)), ".6f")
show(np.array([1j**x * (chain(z[:x], 1j) or [0])[-1] for x in i]))

h = np.ones(5, complex)
np.multiply.at(h, at % 5, f)
show(h, ".6f")
np.divide.at(h, at % 5, (z + 5) / 4)
show(h, ".6f")
np.multiply.at(h, at % 5, i / 8)
show(h, ".6e")
np.divide.at(h, at % 5, i + 1)
show(h, ".6e")
g = 1 + 1j * np.arange(5)
for r in range(3):
    np.multiply.at(g, at % 5, np.exp(1j * (i + r)))
show(g, ".4f")
np.divide.at(g, at % 5, i - 4 + 2j)
show(g, ".4e")
