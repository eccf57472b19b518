n, steps = 13, 6
u = table((n, n + 2, 5), lambda i, j, k: (i + 2 * j + 3 * k) % 7 == 0, float)
hot = []
for _ in range(steps):
    p = np.pad(u, ((1, 1), (0, 0), (0, 0)), "edge")
    q = np.pad(u, ((0, 0), (1, 1), (0, 0)), "wrap")
    r = np.pad(u, ((0, 0), (0, 0), (1, 1)))
    lap = p[:-2] + p[2:] + q[:, :-2] + q[:, 2:] + r[:, :, :-2] + r[:, :, 2:] - 6 * u
    u = u + 0.125 * lap
    hot.append(u.max())
print(np.array(hot))
print(float((u * table(u.shape, lambda i, j, k: i + j + k)).sum()))
