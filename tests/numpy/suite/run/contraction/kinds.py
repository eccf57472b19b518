n, m, q = 37, 45, 70
a = table((n, q), lambda i, k: (7 * i + 3 * k) % 11 - 5)
b = table((q, m), lambda k, j: (5 * k + 2 * j) % 13 - 6)
x = np.arange(q) % 7 - 3
e = table((5, n, 40), lambda l, i, k: (l + 2 * i + 5 * k) % 9 - 4)
f = table((5, 40, m), lambda l, k, j: (3 * l + k + 4 * j) % 10 - 5)
square = lambda v: float((np.asarray(v, float) ** 2).sum())
ab = a @ b
print("plain", float(ab.sum()), square(ab), float(ab[0, 0]), float(ab[-1, -1]), float(ab[17, 30]))
print("transposed", square(ab), float(ab[17, 30]))
print("turned", square(ab), float(ab[17, 30]))
c = ab + 2 * ab - np.arange(n)[:, None]
print("accumulated", square(c), float(c[17, 30]))
print("double", square(ab), float(ab[17, 30]))
c = (a - x) @ (2 * b + 1)
print("computed", square(c), float(c[17, 30]))
c = (a * x) @ b
print("weighted", square(c), float(c[17, 30]))
c = np.roll(np.roll(a, 1, 0), -3, 1) @ b
print("past the edge", square(c), float(c[0, 30]))
c[2 : n - 1, 1:m:3] = a[2 : n - 1, : q - 5] @ b[3 : q - 2, 1:m:3]
print("part", square(c), float(c[17, 31]))
c = a[:, (np.arange(q) * 3) % q] @ b
print("gathered", square(c), float(c[17, 30]))
print(f"mean {square((ab / q).astype(np.float32)):.6f} {ab[17, 30] / q:.4f}")
print("compared", (2 * ab > 5).sum())
g = np.einsum("lik,lkj->lij", e, f)
print("batched", square(g), float(g[3, 17, 30]))
c = g.sum(0)
print("two indices", square(c), float(c[17, 30]))
h = np.array([[int(a[i, : i + 34] @ a[j, : i + 34]) for j in range(n)] for i in range(n)])
print("triangle", square(h), float(h[17, 30]))
print("matrix and vector", (a @ x).astype(float))
print("chain", float((ab * c).sum()))
