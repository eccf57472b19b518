F = np.float32
i = np.arange(12)
h, b = ((5 * i) % 7 - 3) / 2, (3 * i % 5 - 2) * 1.0


def bent(u, at):
    # The derivative gathers what each second difference gives to the three elements that it reads.
    g = np.zeros(12)
    for k in i:
        d = (u[at(k - 1)] - 2 * u[k] + u[at(k + 1)]) / 2
        g[at(k - 1)] += d
        g[k] -= 2 * d
        g[at(k + 1)] += d
    return g


print(bent(h, lambda k: min(max(k, 0), 11)).astype(F))
print(bent(b, lambda k: k % 12).astype(F))
slope = lambda u, k: k * (u >= 0) + np.sign(u) + np.where(u > 1, 2 * u, 3)
print(slope(h, 2).astype(F), np.maximum(h, 0).sum())
print(slope(b, -4).astype(F), np.maximum(b, 0).sum())
idx = i * i % 12


def taken(u):
    g = np.zeros(12)
    np.add.at(g, idx, u[i // 2])
    np.add.at(g, i // 2, u[idx])
    return g


print(taken(h).astype(F))
print(taken(b).astype(F))
p, q = np.mgrid[:4, :6]
m, c, f = ((p * p + 3 * q) % 5 - 2) / 4, (p * p + 3 * q) % 5 + 1.0, (p - q) * 1.0
g = 4.0 * (m == m.max())
for a, e in np.ndindex(4, 6):
    up, (right, sign) = max(a - 1, 0), sees(e + 1, 6, "odd")
    g[up, e] += sign * m[a, right]
    g[a, right] += sign * m[up, e]
print(g.astype(F))
above = lambda f: np.vstack([f[:1], f[:-1]])
print(above(f).astype(F))
g = np.vstack([c[1:], np.zeros((1, 6))])
g[0] += c[0]
print(g.astype(F))
g = np.where(q < 4, c, 0)
g[:, 3] += np.prod(c[:, 3]) / c[:, 3]
print(g.astype(F))
print((m - above(g) / 8).astype(F))
