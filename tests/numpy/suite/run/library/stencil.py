first = {2: [1 / 2], 4: [2 / 3, -1 / 12], 6: [3 / 4, -3 / 20, 1 / 60], 8: [4 / 5, -1 / 5, 4 / 105, -1 / 280]}
second = {2: [1], 4: [4 / 3, -1 / 12], 6: [3 / 2, -3 / 20, 1 / 90], 8: [8 / 5, -1 / 5, 8 / 315, -1 / 560]}
middle = {2: -2, 4: -5 / 2, 6: -49 / 18, 8: -205 / 72}


def shifts(a, axis, edge, far):
    """What stands at each distance along the axis, by distance."""
    n = a.shape[axis]
    out = {}
    for d in range(-far, far + 1):
        at = [sees(i + d, n, edge) if isinstance(edge, str) else (min(max(i + d, 0), n - 1), 1) for i in range(n)]
        shape = [-1 if k == axis else 1 for k in range(a.ndim)]
        part = np.take(a, [k for k, _ in at], axis) * np.array([s for _, s in at]).reshape(shape)
        if not isinstance(edge, str):
            past = np.array([not 0 <= i + d < n for i in range(n)]).reshape(shape)
            part = np.where(past, edge[1], part)
        out[d] = part
    return out


def slope(a, axis, edge, h, order):
    s = shifts(a, axis, edge, order // 2)
    return sum(w * (s[k] - s[-k]) for k, w in enumerate(first[order], 1)) / h


def bend(a, axis, edge, h, order):
    s = shifts(a, axis, edge, order // 2)
    return (middle[order] * s[0] + sum(w * (s[k] + s[-k]) for k, w in enumerate(second[order], 1))) / h**2


def show(v, form=".9f", end=" "):
    print("[" + ", ".join(f"{x:{form}}" for x in v) + "]", end=end)


orders = (2, 4, 6, 8)
x = np.sin(0.7 * np.arange(21))
for o in orders:
    v = slope(x, 0, "odd", 0.5, o)
    plain = [f"{x:.9f}" for x in v]
    width = max(map(len, plain))
    print(np.array2string(v, formatter={"float": lambda x: f"{x:{width}.9f}"}, max_line_width=75))
u = table((13, 17), lambda i, j: (7 * i + 3 * j + i * j) % 16 / 4, float)
v = table((13, 17), lambda i, j: (i * i + 5 * j) % 13 / 2, float)
for o in orders:
    a, b = slope(u, 0, "periodic", 0.25, o), slope(u, 1, "mirror", 0.25, o)
    show(a[:, 3])
    show(b[12])
    print(f"{(a * b).sum():.7f}")
    a = slope(u, 0, "periodic", 0.25, o) + slope(v, 1, "clamp", 0.25, o)
    b = bend(v, 0, "odd", 0.5, o) + bend(v, 1, "clamp", 0.5, o)
    show(np.diag(a))
    show([b[i, 16 - i] for i in range(13)])
    print(f"{(a * b).sum():.7f}")
c = table((8, 9, 10), lambda i, j, k: (5 * i + 3 * j + k * k) % 9, float)
d = table((8, 9, 10), lambda i, j, k: (i * j + 2 * k) % 7, float)
e = table((8, 9, 10), lambda i, j, k: (i + j * k) % 5, float)
n = range(8)
for o in orders:
    r, s, t = (slope(c, axis, edge, 0.5, o) for axis, edge in enumerate(["clamp", "periodic", "odd"]))
    show([r[i, i, i] for i in n])
    show(s[7, :, 9])
    show(t[0, 4], end="\n")
    r = slope(c, 0, "clamp", 0.5, o) + slope(d, 1, "clamp", 0.5, o) + slope(e, 2, ("constant", 0.5), 0.5, o)
    s = sum(bend(d, axis, edge, 2, o) for axis, edge in enumerate(["mirror", "clamp", "periodic"]))
    show([r[i, i + 1, i + 2] for i in n])
    show([s[7 - i, i, i] for i in n])
    print(f"{(r * s).sum():.7f}")
# The derivatives themselves, of the polynomials.
for o in orders:
    m = o // 2
    X, Y = lambda i: i / 4, lambda j: j / 4
    sevenths = lambda v: np.array(v) / 7
    show(sevenths([o * X(i) ** (o - 1) + 4 * (8 - 3 * Y(8) ** o) for i in range(m, 13 - m)]), ".8e")
    show(sevenths([-3 * 6 * o * Y(j) ** (o - 1) + 4 * 6 for j in range(m, 17 - m)]), ".8e", "\n")
    curve = lambda y: o * (o - 1) * y ** (o - 2)
    show(sevenths([curve(X(i)) - 3 * i * curve(Y(i + 2)) for i in range(m, 13 - m)]), ".8e", "\n")
    show(sevenths([curve(i / 2) + curve(i / 2) * (i + 1) for i in range(m, 10 - m)]), ".8e", "\n")
