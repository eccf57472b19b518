def show(v, digits, end="\n"):
    plain = [f"{x:.{digits}f}" for x in np.ravel(v)]
    width = max(map(len, plain))
    print(np.array2string(v, formatter={"float": lambda x: f"{x:{width}.{digits}f}"}, max_line_width=75), end=end)


norm = lambda a: np.sqrt((a**2).sum())
n = 29
at = np.arange(n)
i, j = np.mgrid[:n, :n]
a = ((3 * i + 5 * j + i * j) % 17) / 17 + 20 * np.eye(n)
s = np.where(i == j, 3.0 + i % 4, 1 / (1.0 + abs(i - j)) ** 3)
b = 5 * at % 13 - 4.0
d = np.diag(s)
show(a @ b, 9)
show(a.T @ (a @ b), 6)
show(s @ b, 9)
x = np.linalg.solve(s, b)
show(x, 9)
show(np.linalg.solve(2.2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), b), 9)
show(x, 9)
show(x, 9)
show(np.linalg.solve(a, b), 9)
print(f"{max(np.linalg.eigvals(a), key=abs).real:.8f} {1:.9f}")
rows, cols = 9, 14
h = np.eye(rows * cols)
for p, q in np.ndindex(rows, cols):
    h[p * cols + q, p * cols + q] += 8
    for e, f in ((p - 1, q), (p + 1, q), (p, q - 1), (p, q + 1)):
        if 0 <= e < rows:
            h[p * cols + q, e * cols + f % cols] -= 2
f = table((rows, cols), lambda i, j: (3 * i + 2 * j) % 7 - 2, float)
show(np.linalg.solve(h, f.ravel()).reshape(rows, cols), 9)

y = np.sin(0.4 * at)
print(f"{b @ b} {y @ y:.10f} {abs(b).sum()} {norm(y):.10f} {abs(b).max()} {norm(a):.9f}")
print(f"{b.mean():.10f} {b.var(ddof=1):.10f} {y.std():.10f} {np.cov(y, d)[0, 1]:.10f} {np.corrcoef(d, y)[0, 1]:.10f}")
show(np.linspace(-2, 5, n), 10)
bell = lambda i, j: np.exp(-((i - 9) ** 2 + (j - 11) ** 2) / 18)
print(f"{2.0 * at.sum()} {bell(5, 7):.12f} {bell(17, 22):.12f}")

p = table((18, 23), lambda i, j: (7 * i + 4 * j + i * j) % 19, float)
g = np.pad(np.pad(p, ((1, 1), (0, 0)), mode="edge"), ((0, 0), (1, 1)), mode="symmetric")
rows3 = lambda g: (g[:-2], g[1:-1], g[2:])
smooth = lambda g: sum(w * v for w, v in zip((1, 2, 1), rows3(g)))
step = lambda g: rows3(g)[2] - rows3(g)[0]
show(smooth(smooth(g).T).T / 16, 4)
show(smooth(step(g).T).T, 1, " ")
show(step(smooth(g).T).T, 1)
small = p[:, :22].reshape(9, 2, 11, 2).mean((1, 3))
show(small, 2, " ")
show(np.kron(small, np.ones((2, 2))), 2)
y = at * 1.0
for k in range(3):
    y = (y + np.roll(y, 1)) / 2
print(np.roll(10 * np.arange(7)[:, None] + np.arange(3), 1, 0), y, (b * b).sum())

i, k = np.mgrid[:40, :3]
t = ((7 * i + 11 * k + i * k) % 23) / 23
label = 2 * t[:, 0] - t[:, 1] + 0.25


def descend(y, rate, steps, link):
    w, c = np.zeros(3), 0.0
    for _ in range(steps):
        e = link(t @ w + c) - y
        w, c = w - rate * (t.T @ e) / len(y), c - rate * e.mean()
    return w, c


for w, c, digits in (
    (*descend(label, 0.7, 50, lambda z: z), 10),
    (*descend((label > 0.7) * 1.0, 2, 60, lambda z: 1 / (1 + np.exp(-z))), 9),
):
    show(w, digits, " ")
    print(f"{c:.{digits}f}")
centre = t[[0, 13, 26]]
for _ in range(5):
    group = ((t[:, None] - centre) ** 2).sum(2).argmin(1)
    centre = np.array([t[group == q].mean(0) for q in range(3)])
show(centre, 10, " ")
print(group)
q = np.exp(t) / np.exp(t).sum(1, keepdims=True)
print(f"{q[39, 1]:.12f} {q[:, 2].sum():.10f} {-np.log(q[np.arange(40), np.arange(40) % 3]).mean():.12f}")
w = table((4, 3), lambda c, k: (c * 3 + k * 2) % 5 / 4 - 0.4, float)
bias = np.arange(4) / 8
z = t @ w.T + bias
print(f"{z[38, 3]:.10f} {z.argmax(1)} {np.tanh(z).sum():.9f}", end=" ")
show(z.mean(0), 9, " ")
show(w - 0.01 * (z.T @ t) / 40, 9)
