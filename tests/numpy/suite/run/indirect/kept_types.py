n = 29
i = np.arange(n)
idx = (i * i + 3) % n
h, b, s = (i % 5).astype(float), (i % 3).astype(float), i.copy()
w, z, d = i.astype(np.uint64) * np.uint64(4000000000), (i % 4) + 1j * (i % 7), i / 2
sums = [np.zeros_like(x) for x in (h, b, s, w, z, d)]
for t in range(4):
    sums = [x + y[idx] for x, y in zip(sums, (h, b, s, w, z, d))]
    for k in range(n):
        h[idx[k]] += t
        b[idx[k]] += t
        s[idx[k]] += k
        w[idx[k]] += np.uint64(t)
        z[idx[k]] += t + 1j
        d[idx[k]] += k
hs, bs, ss, ws, zs, ds = sums
by = lambda x: float((np.asarray(x, float) * i).sum())
print(by(hs), by(h), by(bs), by(b))
print(int((ss * i).sum()), int((s * i).sum()), int((ws * i.astype(np.uint64)).sum()), int((w * i.astype(np.uint64)).sum()))
print(by(zs.real), by(zs.imag), by(z.real), by(z.imag))
print(by(ds), by(d))
