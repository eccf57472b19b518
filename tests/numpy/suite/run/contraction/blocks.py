n = 9001
x = table((n, 10), lambda k, i: (k * 5 + 3 * i) % 7 - 3)
e = table((n, 6), lambda k, j: (k * 11 + j) % 5 - 2)
g = x.T @ e
print(g.astype(np.float32))
d = x.T @ (e - 1)
print(float(d.sum()), float(d[3, 4]))
print(float(g[9, 5]), float(g.sum()))
one = np.float32(1)
x = table((n, 10), lambda k, i: (k * k + 31 * i) % 1009).astype(np.float32) / np.float32(1009) + one
e = table((n, 6), lambda k, j: (k * 17 + j * j) % 997).astype(np.float32) / np.float32(997) + one
g = x.T.astype(float) @ e.astype(float)
show = lambda digits: np.array2string(g, formatter={"float": lambda v: f"{v:.{digits}f}"})
print(show(0))
print(show(7))
