n = 8192
i = np.arange(n)[:, None]
k, c = np.arange(128), np.arange(16)
x = (i * 7 + k * 5) % 5 - 2
y = (i * 3 + c) % 4
w = (k[:, None] + c) % 3 - 1
b = c % 2
rows, few, three = np.arange(n + 27)[:, None], np.arange(35), np.arange(3)
narrow = (rows * 3 + few) % 3 - 1
v = (few[:, None] * three) % 4
for _ in range(2):
    r = x @ w + b - y
    g, s = x.T @ r, r.sum(0)
    w, b = g % 3 - 1, s % 3
    q = 2 * (narrow @ v)
    short = q
    v = (narrow.T @ q) % 5 - 2
print((w * (k[:, None] + 3 * c)).sum())
print((b * (c + 1)).sum())
print((v * (few[:, None] + 3 * three)).sum())
print((short * (rows + three)).sum())
