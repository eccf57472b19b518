u = table((5, 6, 7), lambda i, j, k: (3 * i + 5 * j + 2 * k) % 17, np.float64)
v = np.zeros_like(u)
for t in range(20):
    more = t > u
    q = np.where(more, 2.0, 1.0)
    r = np.where(more, 2.0 + t, -1.0)
    v += q * np.roll(u, -t, axis=2) + r * np.roll(u, -t, axis=0)
w = table((3, 4, 5, 6), lambda i, j, k, l: (7 * i + 3 * j + 5 * k + 2 * l) % 23, np.float64)
z = w.copy()
for t in range(9):
    for q in range(4):
        r = np.where(z > 40, np.where(z - 37 > 60, 1.0, z - 37), z + q)
        z = r + np.roll(w, -t, axis=2)
weigh = lambda a, c: repr(float((a * (1 + np.tensordot(c, np.indices(a.shape), 1))).sum()))
print(weigh(v, [1, 2, 3]), weigh(z, [1, 2, 3, 4]))
