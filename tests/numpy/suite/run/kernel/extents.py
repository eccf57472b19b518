n = 11
i = np.arange(n + 1)
cell, face = (5 * i[:n] % 7) * 1.0, (i * i % 9) / 4
out = np.diff(face) + np.roll(cell, 1) * n
slope = face * (n + 1)
slope[0], slope[n] = face[n] - n, face[0] + n
print(out, slope)
print(np.arange(n - 1) + out[1:] - n / 2)
grid = np.arange(54).reshape(6, 9)
nodes = table((7, 10), lambda i, j: (i * i + 3 * j) % 8)
at = nodes[:-1, :-1] - nodes[1:, :-1] + nodes[:-1, 1:] * nodes[1:, 1:]
strip = grid.ravel() * 6 + np.arange(54)
pair = np.concatenate([54 - np.arange(9), at.sum(0) + 9])
grid = at + grid[::-1, ::-1]
print(grid, strip, pair)
print(100 * np.arange(2)[:, None] + grid.reshape(2, 3, 3, 3).sum((1, 3)) + 5 * table((2, 3), lambda i, j: nodes[2 * i + 2, 9 - j]))
print(np.kron(grid, np.ones((2, 2), int)) * 2 - 3)
print(np.arange(54) * (n - 2) + 6, 1218, 710 + 609)
