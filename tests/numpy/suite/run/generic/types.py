n = 300
i = np.arange(n)
one = np.float32(1)
a, f, k = i / 8, i.astype(np.float32) / np.float32(3), i
b = 0.1 * a + a
g = np.float32(0.1) * f + f
print(f"{float(b.sum())} {float(g.astype(float).sum()):.6f} {(8 * k).sum()} {np.linalg.norm(a):.6f} {np.linalg.norm(f):.3f}")
p, q = np.arange(40)[:, None], np.arange(30)[None, :]
v = ((p * 7 + q) % 11) * 1.0
up, down = np.vstack([v[:1], v[:-1]]), np.vstack([v[1:], v[-1:]])
s = float(((v + 0.3 * (up + down - 2 * v)) * (p + 2 * q)).sum())
print(f"{s:.1f} {s:.6f}")
print(f"{(f + 2 * a).sum():.3f} {(a - f).sum():.2f}")
m = np.arange(3 * n)
h = (f[(m * 7) % n] / (1 + m % 5)).reshape(n, 3).sum(1)
print(f"{h.sum():.2f}")
print(f"{2.5 * 4} {1.5 + 4} 0 0.1 6")


def iterate(x, y, scale, times):
    s = 0.0
    for _ in range(times):
        x = y(x)
        s = s * scale + np.linalg.norm(x)
    return x, s


c, e = iterate(a, lambda t: 0.5 * a + t, 0.25, 3)
print(f"{c.sum():.6f} {e:.6f}")
d, e = iterate(f.astype(float), lambda t: 2 * f.astype(float) + t, 0.5, 2)
print(f"{d.sum():.1f} {e:.1f}")
print(f"{(3 * (3 * f.astype(float) - (a - f))).sum():.0f}")
