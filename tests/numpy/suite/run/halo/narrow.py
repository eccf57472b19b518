f = np.float32
i, j = np.arange(512)[:, None], np.arange(8)
u = ((i * 7 + j * 3) % 23).astype(f) / f(4)
k, l = np.arange(500)[:, None], np.arange(12)
a = ((k * 5 + l) % 19) / 4
p, q = np.arange(96)[:, None], np.arange(4)
m = ((p * 3 + q) % 11).astype(f) / f(2)
for t in range(25):
    below, above = np.vstack([u[:1], u[:-1]]), np.vstack([u[1:], u[-1:]])
    u = u + f(0.25) * (below - f(2) * u + above)
    a = (np.roll(a, 2, 0) + a + np.roll(a, -1, 0)) / 4 + 1
    zero = np.zeros((1, 4), f)
    m = np.vstack([zero, m[:-1]]) / f(2) + np.vstack([m[1:], zero]) / f(4)
print(f"{u[0, 0]:.6f} {u[255, 3]:.6f} {u[511, 7]:.6f} {np.sum(u.astype(float) * (i % 5 + j)):.4f}")
print(f"{a[0, 0]:.6f} {a[250, 5]:.6f} {a[499, 11]:.6f} {np.sum(a * (k % 5 + l)):.4f}")
print(f"{np.sum(m.astype(float) * (p % 5 + q)):.9f}")
