def show(v, digits, end=" "):
    plain = [f"{x:.{digits}f}" for x in v.ravel()]
    width = max(map(len, plain))
    print(np.array2string(v, formatter={"float": lambda x: f"{x:{width}.{digits}f}"}, max_line_width=75), end=end)


i, k = np.mgrid[:90, :3]
x = ((7 * i + 11 * k + i * k) % 23) / 23
y = 2 * x[:, 0] - x[:, 1] + 0.25 * x[:, 2] ** 2


def descend(y, rate, steps, link):
    w, b = np.zeros(3), 0.0
    for _ in range(steps):
        d = link(x @ w + b) - y
        w, b = w - rate * (x.T @ d) / len(y), b - rate * d.mean()
    return w, b


a, b = descend(y, 0.8, 60, lambda z: z)
show(a, 10)
print(f"{b:.10f} {((x @ a + b - y) ** 2).mean() / 2:.12f}")
t = (y > 0.6) * 1.0
sigmoid = lambda z: 1 / (1 + np.exp(-z))
c, d = descend(t, 2, 80, sigmoid)
z = x @ c + d
show(c, 9)
print(f"{d:.9f} {-(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z))).mean():.10f}")
print(f"{sigmoid(z).sum():.9f}")
w, m, v = np.arange(7) / 3, np.zeros(7), np.zeros(7)
for n in range(1, 51):
    g = w**3 - 0.5
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    w = w - 0.02 * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)
show(w, 10, "\n")
centre = x[::20][:4]
for _ in range(6):
    group = ((x[:, None] - centre) ** 2).sum(2).argmin(1)
    centre = np.array([x[group == j].mean(0) if (group == j).any() else centre[j] for j in range(4)])
show(centre, 10, "\n")
print(group)
p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
print(f"{p[0, 1]:.12f} {p[:, 2].sum():.10f} {-np.log(p[np.arange(90), np.arange(90) % 3]).mean():.12f}")
