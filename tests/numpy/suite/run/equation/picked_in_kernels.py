n = 29
i = np.arange(n)
x = i * i % 17
rows = np.arange(6)[:, None] + i / 100
line = -i.astype(float)
z = i + 1j * (i % 4)
grid = table((40, 40), lambda i, j: 10 * i + j)
idx = i * 7 % 13 - 4
w = np.array([10, 20, 30, 40])
v = np.array([1 + 2j, complex(0, -1), 3])


def pick(x, s, t):
    y = 100 + x + np.roll(x, 1)
    y[0], y[s], y[t] = -1, 100, 200 + x[t]
    return y


s = 1
while s < 20:
    t = s * 5 % 7 + 20
    print(s, t, pick(x, s, t))
    x = pick(x, s, t)
    rows[s % 6] = line
    print(f"{rows.sum():.6f} {line.sum()}")
    more = rows.copy()
    more[s % 5, s] *= 3
    more[5] = 0
    print(f"{more.sum():.6f} {more[s % 5, s]} {more[5, 3]}")
    z[s] = z[s].conj()
    s = 3 * s + 1
print(x)
print(z)
g = grid.copy()
g[::17] = 1
g[1::19, ::23] = 2
grid = g
print(g.sum(), (g == 1).sum(), (g == 2).sum(), g[20, 23], g[18, 22])

print(w[x & 3])
print(w[np.minimum(idx + 4, 12) // 4])
print(np.where((idx >= 0) & (idx < 4), w[idx.clip(0, 3)], 0))
print(np.where(idx >= 0, x[idx.clip(0)], -1))
z = np.where((idx >= 0) & (idx < 3), v[idx.clip(0, 2)], 0)
print(z)
print(w[3], w[:3].sum())


def show(values):
    print("[" + ", ".join(values) + "]")


show(str(k * k % 11) for k in range(300))
show(f"{k / 8:.2f}" for k in range(3, 1030, 4))
show(str(x[k % n] > 8).lower() for k in range(257))
show(str(complex(z[k % n])) for k in range(259))
show(str(grid[k % 40, k // 40]) for k in range(1600))
