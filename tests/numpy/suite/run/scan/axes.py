n = 5000
i = np.arange(n)
x = 1 / (i + 1.0)


def fixed(*values):
    print(" ".join(f"{v:.13f}" for v in values))


s = np.cumsum(x)
fixed(s[0], s[99], s[n - 1])
f = np.cumsum(x.astype(np.float32).astype(float)).astype(np.float32)
print(f[0], f[99], f[n - 1])
s[10 : n - 5] = np.cumsum((x * (-1.0) ** i)[10 : n - 5])
print(" ".join(f"{v:.11f}" for v in [s[9], s[10], s[n - 6], s[n - 5]]))
print(np.cumprod(np.arange(11) + 1))
print(np.maximum.accumulate(np.arange(30) * 7 % 30))
p, q, r = np.meshgrid(np.arange(13), np.arange(21), np.arange(9), indexing="ij")
a = (p * 5 + q * 3 + r * 7) % 10
w = p + 2 * q + 3 * r
print((np.cumsum(a, 0) * w).sum())
print((np.cumsum(a, 1) * w).sum())
print(((np.minimum.accumulate(a, 2) + 2 * np.cumsum(a, 2)) * w).sum())
v = np.cumsum(np.cumsum(np.sin(np.arange(40 * 64).reshape(40, 64)), 0), 1)
print(f"{v[39, 63]:.11f} {v[7, 50]:.11f} {v[20, 0]:.11f}")
print(n - 4321, np.cumsum(i).sum())
for t in range(3):
    x, s = np.cumsum(x**2), np.maximum.accumulate(-x)
print(f"{x[10]:.11e} {s[n - 1]:.11e}")
