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


def show(v, form="", end=" "):
    print("[" + ", ".join(f"{float(x):{form}}" for x in v) + "]", end=end)


def padded(v, form, end="\n"):
    width = max(len(f"{x:{form}}") for x in v)
    print(np.array2string(v, formatter={"float": lambda x: f"{x:{width}{form}}"}, max_line_width=75), end=end)


x = np.sin(np.float32(0.7) * np.arange(21, dtype=np.float32)).astype(float)
u = table((13, 17), lambda i, j: (7 * i + 3 * j + i * j) % 16 / 4, float)
v = table((13, 17), lambda i, j: (i * i + 5 * j) % 13 / 2, float)
c = table((8, 9, 10), lambda i, j, k: (5 * i + 3 * j + k * k) % 9, float)
d = table((8, 9, 10), lambda i, j, k: (i * j + 2 * k) % 7, float)
e = table((8, 9, 10), lambda i, j, k: (i + j * k) % 5, float)
n = range(8)


def gradient(o):
    return slope(u, 0, "periodic", 0.25, o), slope(u, 1, "mirror", 0.25, o)


def divergence(o):
    return slope(u, 0, "periodic", 0.25, o) + slope(v, 1, "clamp", 0.25, o)


def laplacian(o):
    return bend(v, 0, "odd", 0.5, o) + bend(v, 1, "clamp", 0.5, o)


def blocks(o, o2, o3, form="", form2="", end=" "):
    r, s, t = (slope(c, axis, edge, 0.5, o) for axis, edge in enumerate(["clamp", "periodic", "odd"]))
    show([r[i, i, i] for i in n], form)
    show(s[7, :, 9], form)
    show(t[0, 4], form, "\n")
    r = slope(c, 0, "clamp", 0.5, o2) + slope(d, 1, "clamp", 0.5, o2) + slope(e, 2, ("constant", 0.5), 0.5, o2)
    s = sum(bend(d, axis, edge, 2, o3) for axis, edge in enumerate(["mirror", "clamp", "periodic"]))
    show([r[i, i + 1, i + 2] for i in n], form2)
    show([s[7 - i, i, i] for i in n], form2, end)
    return (r * s).sum()


print(*(a.astype(np.float32) for a in gradient(2)))
print(divergence(2).astype(np.float32), laplacian(2).astype(np.float32))
print(blocks(2, 2, 2))
for o in (4, 6, 8):
    padded(slope(x, 0, "odd", 0.5, o), ".4f")
a, b = gradient(4)
show(a[:, 3], ".3f")
show(b[12], ".3f", "\n")
show(np.diag(divergence(6)), ".3f")
b = laplacian(8)
show([b[i, 16 - i] for i in range(13)], ".3f", "\n")
blocks(8, 6, 4, ".3f", ".4f", "\n")
k = np.arange(21)
h = (7 * k) % 16 / 4
print(slope(h, 0, "periodic", 0.5, 2).astype(np.float16))
padded(slope(h, 0, "periodic", 0.5, 4), ".1f")
print(bf16(slope((7 * k) % 16 * 1.0, 0, "clamp", 0.5, 2)))
z = h + 1j * ((5 * k) % 9)
print(slope(z, 0, "odd", 0.5, 2).astype(np.complex64))
w = [bend(f, 0, "periodic", 0.5, 6) + bend(f, 1, "mirror", 0.5, 6) for f in (u, v)]
show(1 + np.diag(w[0]), ".9f")
show([w[1][i, 16 - i] for i in range(13)], ".9f", "\n")
