def star(u, *edge):
    r = reader(u, *edge)
    return table(u.shape, lambda i, j: r(i - 1, j) + 2 * r(i + 1, j) - r(i, j - 2) + r(i, j + 1))


def seven(u, *edge):
    r = reader(u, *edge)
    around = lambda i, j, k: r(i-1, j, k) + r(i+1, j, k) + r(i, j-1, k) + r(i, j+1, k) + r(i, j, k-1) + r(i, j, k+1)
    return table(u.shape, lambda i, j, k: around(i, j, k) / 4 - r(i, j, k), float)


b = table((9, 13), lambda i, j: (13 * i + 7 * j) % 19)
a2, b2, c = star(b, "periodic", "mirror"), star(b, "clamp", "odd"), star(b, ("constant", 5))
print(a2)
print(b2)
print(c)
a = b2[::-1] - c[:, ::-1] + np.hstack([a2[:, :1], a2[:, :-1]])
print(a)
print((a * b).sum(1), (c - a).max(0), (a * b).sum(), c.min())
print(np.cumsum(a, axis=1))
print(c, "true")
u = table((5, 6, 7), lambda i, j, k: (42 * i + 11 * j + 5 * k) % 17, float)
u2 = seven(u, "odd", "periodic", "clamp")
print(u2)
v, w = seven(u2, "mirror"), seven(u2, "periodic", "clamp", "periodic")
print(v)
print(w)
u = v[::-1] + w[:, ::-1, ::-1] + np.concatenate([u2[:, :, :1], u2[:, :, :-1]], 2)
print(u, u.sum(), v.max())
for t in range(2):
    u = seven(u, "odd", "periodic", "clamp")
print((u * w).sum() / u.size)
o = table((3, 4), lambda i, j: 10 * i + j)
print(o + o[::-1, ::-1])
