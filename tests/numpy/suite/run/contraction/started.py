n, m, q = 30, 90, 50
i, j, k = np.arange(n), np.arange(m), np.arange(q)
a = ((7 * i[:, None] + 3 * k) % 11 - 5).astype(float)
b = ((5 * k[:, None] + 2 * j) % 13 - 6).astype(float)
d = (i[:, None] - j).astype(float)


def tell(c):
    print((c**2).sum(), c[3, 4], c[-1, -1])


c = d + a @ b
tell(c)
for r in range(3):
    c = c + a[:, r : q - r] @ b[r : q - r]
tell(c)
c = 2 * (d + a @ b) - c
tell(c)
u = ((i[:, None] * k) % 7 - 3).astype(float)
v = ((k[:, None] + 4 * np.arange(9)) % 5 - 2).astype(float)
t = i[:, None] + np.arange(9) + 2 * (u @ v)
print((t**2).sum(), t[7, 8])
