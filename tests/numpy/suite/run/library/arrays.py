norm = lambda a: np.sqrt((a**2).sum())
x = np.linspace(-1, 3, 50)
y = np.sin(x)
i, j = np.mgrid[:12, :15]
print(f"{3:.6f} {np.exp(-((i - 6) ** 2 + (j - 7) ** 2) / 12.5).sum():.9f}")
print(f"{x @ y:.10f} {abs(x).sum():.10f} {norm(y):.10f} {abs(x).max():.3f} {y.mean():.10f}")
print(f"{y.var(ddof=1):.10f} {y.std():.10f} {np.cov(x, y)[0, 1]:.10f} {np.corrcoef(x, y)[0, 1]:.10f}")


def weights(order, derivative):
    # The difference that is exact for polynomials up to the order, solved for.
    r = order // 2
    offsets = np.arange(-r, r + 1.0)
    right = np.zeros(order + 1)
    right[derivative] = math.factorial(derivative)
    return np.linalg.solve(np.vander(offsets, increasing=True).T, right)


def along(a, axis, order, derivative, mode, h):
    w = weights(order, derivative)
    r = order // 2
    pad = [(0, 0)] * a.ndim
    pad[axis] = (r, r)
    p = np.pad(a, pad, mode=mode)
    n = a.shape[axis]
    return sum(c * np.take(p, np.arange(k, k + n), axis) for k, c in enumerate(w)) / h**derivative


i, j = np.mgrid[:21, :34]
u = np.cos(0.3 * i) * ((5 * j + i) % 8)
d2, d8 = (along(y, 0, order, 1, "wrap", 0.5) for order in (2, 8))
print(f"{norm(d2):.8f} {d2[0]:.8f} {norm(d8):.8f} {d8[1]:.8f}")
gx, gy = along(u, 0, 4, 1, "edge", 0.5), along(u, 1, 4, 1, "wrap", 0.5)
print(f"{norm(gx):.8f} {gx[0, 33]:.8f} {norm(gy):.8f} {gy[20, 0]:.8f}")
div = along(u, 0, 6, 1, "edge", 0.5) + along(gx, 1, 6, 1, "wrap", 0.5)
print(f"{norm(div):.8f} {div[1, 1]:.8f}")
l8 = along(u, 0, 8, 2, "edge", 0.5) + along(u, 1, 8, 2, "wrap", 0.5)
print(f"{norm(l8):.8f} {l8[0, 0]:.8f}")
a, b, c = np.mgrid[:9, :10, :11]
c = (a + 2 * b + 3 * c) % 5 + 0.1 * a
l = sum(along(c, axis, 4, 2, "symmetric", 2) for axis in range(3))
print(f"{(l**2).sum():.8f} {l[0, 0, 0]:.8f} {l[8, 9, 10]:.8f}")
p = np.pad(np.pad(u, ((1, 1), (0, 0)), mode="edge"), ((0, 0), (1, 1)), mode="wrap")
at = lambda di, dj: p[1 + di : 22 + di, 1 + dj : 35 + dj]
three = [-1, 0, 1]
binomial = {-1: 1, 0: 2, 1: 1}
soft = sum(binomial[a] * binomial[b] * at(a, b) for a in three for b in three) / 16
down = sum(binomial[b] * (at(1, b) - at(-1, b)) for b in three)
right = sum(binomial[a] * (at(a, 1) - at(a, -1)) for a in three)
small = u[:20].reshape(10, 2, 17, 2).mean((1, 3))
large = np.kron(small, np.ones((2, 2)))
print(f"{norm(soft):.8f} {norm(down):.8f} {norm(right):.8f}")
print(f"{norm(small):.8f} {norm(large):.8f} {large[19, 33]:.8f}")
box = np.roll(10.0 * np.arange(6)[:, None] + np.arange(3), 1, 0)
print(box, f"{(x**3).sum():.8f}")
