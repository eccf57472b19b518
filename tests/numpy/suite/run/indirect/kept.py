n, steps = 1000, 7
i = np.arange(n)
x = (i % 17) / 8
far = i * 1.0
idx = (i + (i % 5) * 3) % n
bins = (i * i + i // 7) % 40
k = np.arange(3 * n)
column = ((k // 3 + 2 * (k % 3) + n - 1) % n).reshape(n, 3)
value = (1.0 / (1 + k % 4)).reshape(n, 3)
a = table((60, 50), lambda p, q: p * 50 + q)
flag = i % 3 == 0
w, weight = 1 + (i % 11) / 16, (np.float32(1) / (i + 3).astype(np.float32))
g, whole, ring, many = np.ones((8, 5)), np.zeros(40, np.float32), np.zeros(40), np.zeros(1200, int)
old, new = i.copy(), np.zeros(n, int)
h, counts = np.zeros(40), np.zeros(30, int)
p, q = np.arange(60)[:, None], np.arange(50)[None, :]
for t in range(steps):
    y = x[idx] * 0.5 + x
    x = (value[:, 0] * y[column[:, 0]] + value[:, 1] * y[column[:, 1]] + value[:, 2] * y[column[:, 2]]) / 4
    b = np.where(a % 2 == 0, a[(idx[:60] % 60)[:, None], (q * 7) % 50], 1)
    a = (b * 3 + a) % 10007
    flag = flag[idx] != (i % 2 == 0)
    far = far[(idx + 400) % n] + 1
    np.add.at(h, bins, x)
    np.subtract.at(h, (bins + t) % 40, y / 8)
    np.add.at(counts, bins // 2, 1 + t)
    np.multiply.at(g, (bins % 8, bins // 8), w)
    np.divide.at(g, (bins % 8, bins // 8), 1 + x[idx] * w)
    np.subtract.at(whole, bins, weight)
    np.add.at(ring, bins, weight.astype(float) * w)
    ring = np.roll(ring, 1) / 2 + ring
    np.add.at(many, idx + 100, old[idx] + idx)
    w = 1 + (w - 1) * 0.75
    new = old[idx] + 1
    old, new = new, old
    if t == 4:
        idx = (idx + 1) % n
        bins = (bins + i) % 40
print(f"{x[0]:.12f} {x[7]:.12f} {x.sum():.9f} {y.max():.9f}")
print(f"{int((a * (p + 3 * q)).sum())} {int(flag.sum())} {float((far * (i % 10)).sum())}")
print(f"{int((np.arange(30) * counts).sum())} {int((i * old).sum())} {int((i * new).sum())}")
print(f"{(h * np.arange(40)).sum():.7f}")
where = np.arange(8)[:, None] + 3 * np.arange(5)
print(f"{(g * where).sum():.7f} {(whole.astype(float) * np.arange(40)).sum():.4f} {(ring * np.arange(40)).sum():.5f}", end=" ")
print((np.arange(1200) * many).sum())
