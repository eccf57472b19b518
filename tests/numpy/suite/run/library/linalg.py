n = 37
i, j = np.mgrid[:n, :n]
k = (7 * np.arange(n) % 11) / 11
b = 5 * np.arange(n) % 13 - 4.0
a = np.diag(2.1 + k) - np.eye(n, k=1) - np.eye(n, k=-1)
g = ((3 * i + 5 * j + i * j) % 17) / 17 + 20 * np.eye(n)
t = 2.5 * np.eye(n) - 1.6 * np.eye(n, k=-1) - 0.4 * np.eye(n, k=1)


def show(v, digits):
    plain = [f"{x:.{digits}f}" for x in v]
    width = max(map(len, plain))
    print(np.array2string(v, formatter={"float": lambda x: f"{x:{width}.{digits}f}"}, max_line_width=75))


x = np.linalg.solve(a, b)
for _ in range(4):
    show(x, 9)
show(np.linalg.solve(g, b), 9)
show(np.linalg.solve(t, b), 8)
value = max(np.linalg.eigvals(g), key=abs)
print(f"{value.real:.9f} {1:.9f}")
show(g.T @ b, 6)
rows, cols = 19, 23
f = np.fromfunction(lambda i, j: (3 * i + 2 * j) % 7 - 2, (rows, cols))
number = lambda i, j: i * cols + j
h = np.eye(rows * cols)
for i in range(rows):
    for j in range(cols):
        h[number(i, j), number(i, j)] += 12
        for p, q in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= p < rows:
                h[number(i, j), number(p, min(max(q, 0), cols - 1))] -= 3
u = np.linalg.solve(h, f.ravel()).reshape(rows, cols)
print(f"{u[0, 0]:.9f} {u[9, 11]:.9f} {u[18, 22]:.9f} {u.sum():.7f}")
