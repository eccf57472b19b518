n = 2000
i = np.arange(n)
x = ((i * i * 7 + i * 13) % 101) / 8
k = 12 * (i + 1) * (i + 5)
p, q = np.arange(37)[:, None], np.arange(41)[None, :]
a = ((p * 7 + q * 3) % 50) * 1.0
b = np.arange(6)[:, None] * 1000 + np.arange(500)
print(f"{float(n)} {x.mean():.9f} {x.var():.9f} {x.std():.9f}")
s = x[5::3]
print(f"{s.min()} {5 + 3 * int(s.argmin())}")
f = (1, 0)
for m in range(n):
    f = (f[0] * (m % 9 + 1) % 1009, (f[1] * (m % 9 + 1) + m * m) % 1009)
print(*f)
print(f"{np.gcd.reduce(k)} {a.max()} {math.sqrt(0 + 1 + 4 + 9):.5f}")
odd = (i % 3 == 0).sum() % 2 == 1
print(f"{str(bool(odd)).lower()} {np.bitwise_xor.reduce(b.ravel())} {np.bitwise_xor.reduce(b[1:3].ravel())}")
rows = a.max(1) * 2 + 1
least = [a[r, r:].min() + (r + int(a[r, r:].argmin())) / 100 for r in range(37)]
print(f"{rows.sum()} {sum(least):.6f}")
print(f"inf -1 0")
