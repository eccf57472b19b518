F = np.float32
n, few = 100_000, 3
i = np.arange(n)
w = 1 / (i % 97 + 3.0)
bins = np.where(i % 10 < 9, 417, i * 7919 % 800)
step = i % 1001 - 500
x, least, count = np.zeros(1000), np.ones(1000, F), np.zeros(1000, int)
half, whole, rows = np.ones(64, np.float16), np.zeros(50, F), np.zeros((11, 77))
tiles, whole_rows, spins = np.zeros((21, 83)), np.zeros((11, 77), np.int32), np.full((7, 13, 2), [1.0, 0.0])
tiny, edge = np.zeros(2), np.arange(40.0)
p = np.arange(5000)
walker, cells, visits = p * p % 300, np.zeros(300, F), np.zeros(300, int)


def go(target, places, values, op):
    """One value after the other."""
    flat = target.reshape(-1)
    for k, v in zip(places, values):
        flat[k] = op(flat[k], v)


add, sub = (lambda a, b: a + b), (lambda a, b: a - b)
for t in range(3):
    go(x, bins, w, add)
    go(x, (bins + i) % 1000, x[bins] * w / 4096, sub)
    go(least, bins, w.astype(F) * F(t + 1) - i.astype(F) / F(200000), min)
    go(count, bins, step, add)
    go(half, bins % 64, (i % 100).astype(np.float16) / np.float16(64) + np.float16(t), max)
    go(whole, bins % 50, w.astype(F), add)
    go(rows, bins % 11 * 77 + i % 77, w * (t + 1), add)
    # The left side's indices give the order: there is one.
    go(tiles, i % 21 * 83 + bins % 83, w, sub)
    go(whole_rows, bins % 11 * 77 + i % 77, step.astype(np.int32), add)
    for k in range(2000):
        (a, b), (c, d) = spins[k % 7, bins[k] % 13], (1 + w[k] / 64, step[k] / 100000)
        spins[k % 7, bins[k] % 13] = a * c - b * d, a * d + b * c
    go(tiny, np.arange(few) % 2, w[:few], add)
    go(edge, bins % 40, w, add)
    edge = (np.roll(edge, 1) + np.roll(edge, -1)) / 2
    walker = (walker * 7 + p + t) % 300
    go(cells, walker, F(1) / (p + 1).astype(F), add)
    go(visits, walker, np.ones(5000, int), add)

k = np.arange(1000)
total = lambda v: math.fsum(v.astype(float).ravel())
z = spins[..., 0] + 1j * spins[..., 1]
print(total(x * k), x[0], x[417], x[418], x[999])
print(total(least.astype(float) * k), least[417], least[0])
print((k * count).sum(), count[417])
print(half[33], total(half))
print(whole[17], total(whole))
print(rows[10, 3], rows[0, 76], rows[5, 40])
print(tiles[20, 2], tiles[0, 82], tiles[7, 2])
print((whole_rows.astype(int).ravel() * np.arange(11 * 77)).sum())
print(z[0, 0], z[6, 1], z[3, 12])
print(tiny[0], tiny[1])
print(edge[0], edge[17], edge[39])
print(total(cells.astype(float) * (np.arange(300) % 8)), cells[7], (visits * np.arange(300)).sum())
