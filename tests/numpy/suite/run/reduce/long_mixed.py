n = 9011
i = np.arange(n)


def product(v, bits):
    p = math.prod(int(x) for x in v)
    return (p + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


a = (i[:, None] * 37 + np.arange(3) * 11) % 1009 - 400
b = ((i * i + np.arange(3)[:, None]) % 201 - 100).astype(np.int32)
c = table((2, n, 3), lambda q, i, j: (i * (q + 2) + 5 * j) % 97)
d = ((i[:, None] * 3 + np.arange(4)) % 64) / 8
e = ((i * 5 + np.arange(5)[:, None]) % 32) / 4
p = np.where(i % 601 == 7, 2.0, np.where(i % 601 == 300, -0.5, 1.0))
w = np.where(i[:, None] % 700 == np.arange(2), -2.0, 1.0)
g = i[:, None] % (np.arange(5) + 2) == 0
yes = lambda x: "true" if x else "false"
odd = 2 * a + 1
print(a.sum(), product(odd.flat, 64), a.min(), a.max(), (a > 0).sum(), float(a.sum() / a.size))
print(b.sum(), product((2 * b.astype(int) + 1).flat, 32), b.min(), b.max(), yes((b == 77).any()), yes((b < 100).all()))
less = c - i[:, None]
print(c.sum(), less.max(), less.min(), float(d.sum() / d.size), d.sum(), p.max(), np.prod(p))
print(a.sum(0), a.min(0), a[1:-1].max(0), (a[::7] > 50).sum(0))
print(np.array([product(odd[:, j], 64) for j in range(3)]))
print(a.sum(0) / n)
wide = b.astype(int)
print((wide * wide[:, ::-1]).sum(1).astype(np.int32))
print(np.array([product(2 * wide[j, 3:] - 1, 32) for j in range(3)]))
print((wide - i % 2 * 50).max(1))
print(c.sum(1))
print((c * 3 - i[:, None]).min(1), (c - i[:, None] % 50).max(1))
print((c > 48).sum(1))
print(c.sum((0, 2)))
l = a.max(1) * c.min((0, 2)) + g.sum(1)
print(l, l.sum())
print(d.sum(0), d.sum(0) / n)
print((d - i[:, None] / 1024).max(0), (d + i[:, None] % 4)[10::3].min(0))
print(np.full(4, np.prod(p * p[::-1])))
print(e.sum(1).astype(np.float32))
print((e.sum(1) / n).astype(np.float32))
print(np.prod(w, axis=0)[np.arange(5) % 2].astype(np.float32))
print((g & (i > 6000)[:, None]).any(0))
print((g | (i % 2 == 1)[:, None] | (np.arange(5) == 2)).all(0))
print((g | (i < 5)[:, None]).sum(0))
q, k = np.arange(70)[:, None], np.arange(8400)
big, tall = q * k % 523, (q + 2 * k) % 256 / 16
print(big.sum(1))
print((big + k % 3).max(1))
print((tall * (k % 4)).sum(1))
print(tall[:, :4096].mean(1))
few = [[(j * 3 * 10**18 + i) % 2**64 for j in range(8300)] for i in range(2)]
print(np.array([sum(r) % 2**64 for r in few], np.uint64))
print(np.array([math.prod(2 * x + 1 for x in r) % 2**64 for r in few], np.uint64))
h = (np.arange(8320)[:, None] + np.arange(2)) % 16 / 64
print(h.sum(0).astype(np.float16), np.float16(h.mean()), np.float16(h.max()))
k = np.arange(8800)[:, None]
z = k % 8 + 1j * (np.arange(2) - k % 3)
print(z.sum(0), complex(z.sum()), complex(z[:4096].sum() / 8192))
k = np.arange(5501)
print(np.array([(-1) ** (k % 7 == j).sum() * 1j for j in range(2)]))
