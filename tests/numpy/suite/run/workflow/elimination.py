n = 12
a = table((n, n), lambda i, j: (i * j + 3 * i + 7 * j) % 17 - (9.5 if i == j else 0.25), float)
x = np.linalg.solve(a, np.arange(n) - 4.0)
with np.printoptions(formatter={"float": lambda v: f"{v:.6f}"}):
    print(np.array2string(x, formatter={"float": lambda v: f"{v:9.6f}"}, max_line_width=75))
print(np.tril(np.arange(n)[:, None] * np.ones((n, n), np.int64), -1).astype(np.int64))
