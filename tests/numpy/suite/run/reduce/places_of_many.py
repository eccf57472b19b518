R = range


def place(a, pick, *ranges):
    # The place in the whole array of an extreme of a part.
    ranges = ranges or tuple(map(R, a.shape))
    part = a[np.ix_(*ranges)]
    return tuple(int(r[k]) for r, k in zip(ranges, np.unravel_index(pick(part), part.shape)))


high, low = np.argmax, np.argmin
i, j = np.mgrid[:7, :12]
a = (5 * i + 3 * j) % 8 * 1.0
c, t, k = a.copy(), a.T, i * j % 5
print(*place(c, high), *place(c, low, R(2, 7), R(3, 12, 4)), *place(a * (i % 2), high, R(1, 7, 3), R(0, 12, 5)), end=" ")
print(*place(k, low), *place(t, high, R(3, 9), R(0, 5)))


def places(a):
    print(a.argmax(1), a[::2].argmin(0) * 2)


for _ in range(3):
    places(a)
print(1 + 3 * (a + 4 * (j % 2))[:, 1::3].argmin(1), np.array([q + k[q, q:].argmax() - 10 * q for q in R(7)]))
print((a * np.where(i == j % 7, -1, 1)).argmax(0), 100 * a.argmin(1) + a.argmax(1))
w = table((4, 5, 6), lambda i, j, l: (i * j + 2 * l) % 6 * 3 * 10**18, np.uint64)
h = table((4, 5, 6), lambda i, j, l: (i + 2 * j + 5 * l) % 9 - 4, float)
print(*place(w, high), *place(h, low, R(4), R(1, 5), R(0, 6, 2)), w.argmax(2))
front = table((4, 5), lambda i, j: j + h[i, j, j:].argmin())
print(front, np.array([10 * y + z for y, z in (place(h[q], high) for q in R(4))]))
n = np.arange(6001)
b, u, f = (7 * n[:30] % 10) - 4.5, n * 7919 % 5003, n * 31 % 997 / 16
print(b.argmax(), abs(b).argmin(), *place(b, low, R(4, 30, 5)), u.argmax(), *place(u, low, R(1, 6001)), end=" ")
print(*place(f, high, R(3000, 6001)), *place(f, low, R(7, 6001, 997)))
c[4, 7] = c[4, 3] = c[6, 0] = np.nan
a[5, 11] = a[5, 4] = np.inf
a[2, 1] = -np.inf
b[[20, 11]] = f[5999:] = np.nan
h[3, 4, 5], h[1, 0, 2] = -np.inf, np.inf
print(*place(c, high), *place(a, low), *place(abs(a), high), *place(abs(c), high), *place(a, low), a.min())
places(c)
places(a)
print(b.argmax(), b.argmin(), *place(b, high, R(12, 30)), f.argmax(), *place(f, low, R(5999)))
print(*place(h, high), *place(h, low))
at = []
for s in R(7):
    y, x = place(a, low, R(s + 1), R(s, 12))
    a[y, x] += 100
    at.append(1000 * y + 10 * x + k[s, : s + 1].argmax())
print(np.array(at), a[abs(a) < 1000].sum())
