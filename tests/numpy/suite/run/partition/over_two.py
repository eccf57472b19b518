def corners(u, *edge):
    for t in range(2):
        r = reader(u, *edge)
        u = table(u.shape, lambda i, j: r(i - 1, j - 1) - r(i + 2, j + 1) + 3 * r(i, j + 2))
    return u


def box(u, *edge):
    r = reader(u, *edge)
    return table(u.shape, lambda i, j, k: r(i-1, j+1, k) - r(i, j-1, k+2) + r(i+1, j, k-1) + 2 * r(i, j, k))


a = table((11, 10), lambda i, j: (i * i + 5 * j) % 13 - 6)
b, c = corners(a, ("constant", -3), "clamp"), corners(a, "periodic", "odd")
a = corners(a, "mirror", "periodic")
print(a)
print(b)
print(c)
p = (b - c).T
q = a @ p
print(p, q)
print((c * b).sum(1), (a + p.T).min(0), q.max(), (a > b).sum())
print(np.maximum.accumulate(c, 0))
print(c)
u = table((4, 5, 6), lambda i, j, k: (30 * i + 6 * j + k) % 11)
u, v, w = box(u, "periodic", "mirror", "clamp"), box(u, "odd"), box(u, ("constant", 2))
print(u)
print(v)
print(w)
print(w[::-1] + v[:, :, ::-1] + v[:, ::-1], (w * v).sum())
small = np.array([[5], [6]])
print(2 * np.roll(small, 1, 0) + np.roll(small, -3, 0))
