def slopes(f, a):
    g = np.zeros(a.shape)
    for at in np.ndindex(*a.shape):
        h = np.zeros(a.shape)
        h[at] = 1e-3
        g[at] = (8 * (f(a + h) - f(a - h)) - (f(a + 2 * h) - f(a - 2 * h))) / 12e-3
    return g


def show(g, digits):
    width = max(len(f"{x:.{digits}f}") for x in g.flat)
    print(np.array2string(g, formatter={"float_kind": lambda x: f"{x:{width}.{digits}f}"}))


def gather(edge, at, x):
    def f(u):
        r = reader(u, edge)
        return sum((r(a) * y - r(a + 2)) ** 2 for a, y in zip(at, x))

    return f


i9 = np.arange(9)
at, x, u = i9**2 % 6, np.cos(1.0 * i9), np.sin(2.0 * np.arange(8) + 1)
show(slopes(gather("none", at, x), u), 6)
at = i9**2 % 23 - 8
for edge in ["clamp", "periodic", "mirror", "odd", ("constant", 0.5)]:
    show(slopes(gather(edge, at, x), u), 6)
show(slopes(lambda x: gather(("constant", 0.5), at, x)(u), x), 6)
word = 3 * np.arange(12) % 5
e = np.sin(np.arange(5)[:, None] + 4.0 * np.arange(3))
show(slopes(lambda e: np.sum(e[word] ** 2 * np.add.outer(np.arange(12), np.arange(3))), e), 6)
show(slopes(lambda u: np.sum((u[1::2] - 3 * u[::2]) ** 2) + np.sum(u[::2] ** 3), u), 6)


def past(edge):
    def f(u):
        r = reader(u, edge)
        return sum((r(2 * i + 1) - 3 * r(3 - 2 * i)) ** 2 * u[i] for i in range(8))

    return f


for edge in ["clamp", "periodic", "mirror", "odd", ("constant", 0.5)]:
    show(slopes(past(edge), u), 6)


def far(edge):
    def f(u):
        r = reader(u, edge)
        return sum((r(i + 20) - r(i - 11)) ** 2 * u[i] for i in range(8))

    return f


for edge in ["periodic", "mirror", "odd"]:
    show(slopes(far(edge), u), 6)
w, s = 1 / np.arange(1.0, 41), np.sin(1.0 * np.arange(64))
window = lambda w, s: sum((w @ s[i : i + 40]) ** 2 for i in range(25))
show(slopes(lambda w: window(w, s), w), 5)
show(slopes(lambda s: window(w, s), s), 5)
around = lambda w, s: sum((w @ s[(i - np.arange(40) + 7) % 64]) ** 2 for i in range(64))
show(slopes(lambda w: around(w, s), w), 5)
show(slopes(lambda s: around(w, s), s), 5)
q, at = np.cos(np.arange(4)[:, None] + 3.0 * np.arange(4)), i9 * 5 % 7 - 2


def mixed(q):
    total = sum((q[at[i] % 4, i % 4] * q[(i - 3) % 4, 3]) ** 2 for i in range(9))
    return total + sum(q[i, i] * q[(i + j) % 4, j] * q[j, 3 - j] for i in range(4) for j in range(4))


show(slopes(mixed, q), 5)
show(slopes(lambda e: np.sum(e[word[7]] ** 3), e), 6)
at, h = i9**2 % 6, np.arange(8) / 4
show(slopes(lambda h: np.sum(h[at] ** 2), h), 6)
show(slopes(lambda e: np.sum(e[1:, 1]) * np.sum(e[0] ** 2), e), 6)
