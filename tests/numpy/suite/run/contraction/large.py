n, r, c, k = 34, 131, 137, 53
square = lambda v: float((np.asarray(v, float) ** 2).sum())
l, i, j, t = np.ogrid[:n, :r, :1, :k]
a = ((l + 2 * i + 5 * t) % 9 - 4).reshape(n, r, k)
l, t, j = np.ogrid[:n, :k, :c]
b = (3 * l + t + 4 * j) % 10 - 5
l, j, t = np.ogrid[:n, :256, :k]
bt = (5 * l + 2 * t + 3 * j) % 11 - 5
p = a @ b
print(square(p), float(p[33, 130, 136]), float(p[2, 127, 100]), float(p[0, 0, 0]))
p = a[:, :, :48] @ b[:, :48]
print(square(p), float(p[33, 130, 136]), float(p[2, 128, 127]))
p = np.arange(r).reshape(1, r, 1) - (a[:, :, 1:50] + 1) @ b[:, 1:50]
print(square(p), float(p[33, 130, 136]), float(p[2, 128, 127]))
q = a[:, :129] @ bt.transpose(0, 2, 1)
print(square(q), float(q[33, 128, 255]), float(q[2, 127, 128]), float(q[0, 0, 0]))
print(square(q), float(q[33, 128, 255]), float(q[2, 127, 128]))
