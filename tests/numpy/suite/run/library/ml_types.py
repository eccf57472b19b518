def show(v, digits, end=" "):
    v = np.asarray(v, float)
    width = max(len(f"{x:.{digits}f}") for x in v.ravel())
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
show(a, 4)
print(f"{b:.4f} {((x @ a + b - y) ** 2).mean() / 2:.5f}")
t = (y > 0.6) * 1.0
sigmoid = lambda z: 1 / (1 + np.exp(-z))
c, d = descend(t, 2, 80, sigmoid)
z = x @ c + d
show(c, 3)
print(f"{d:.3f} {-(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z))).mean():.4f}")
print(f"{sigmoid(z).sum():.2f}")


def adam(w, gradient, rate, rounds, rounded):
    m, v = np.zeros(7), np.zeros(7)
    for n in range(1, rounds + 1):
        g = rounded(gradient(w))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = rounded(w - rate * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8))
    return w, m, v


i = np.arange(7)
show(adam(i / 3, lambda w: w**3 - 0.5, 0.02, 50, lambda x: x)[0], 4, "\n")
still = lambda w: np.where(i == 5, 0, w - 0.5)
half = lambda x: x.astype(np.float16).astype(float)
brain = lambda x: bf16(x).astype(float)
for rounded, digits in [(half, (2, 2, 3)), (brain, (1, 1, 2))]:
    for part, digit, end in zip(adam(i / 4, still, 0.05, 30, rounded), digits, "  \n"):
        show(part, digit, end)
print((i - 0.5 * (1 - i)).astype(np.float16))
centre = x[::20][:4]
for _ in range(6):
    group = ((x[:, None] - centre) ** 2).sum(2).argmin(1)
    centre = np.array([x[group == j].mean(0) if (group == j).any() else centre[j] for j in range(4)])
show(centre, 4)
print(group)
i, k = np.mgrid[:70000, :2]
many = (3 * i + k) % 8
print(np.array([many[0::2].mean(0), many[1::2].mean(0)]).astype(np.float16), many.mean(0).astype(np.float16), 1.0)
own = np.arange(90) % 3
p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
print(f"{p[0, 1]:.5f} {p[:, 2].sum():.3f} {-np.log(p[np.arange(90), own]).mean():.5f}")
j, k = np.mgrid[:4, :3]
w1, b1 = (j * 3 + k * 2) % 5 / 4 - 0.4, np.arange(4) / 8
j, k = np.mgrid[:3, :4]
w2, b2 = (j * 2 + k * 3) % 7 / 8 - 0.3, np.zeros(3)


def forward():
    h = np.tanh(x @ w1.T + b1)
    s = h @ w2.T + b2
    return h, s, np.exp(s) / np.exp(s).sum(1, keepdims=True)


for _ in range(40):
    h, s, p = forward()
    d = p - np.eye(3)[own]
    e = d @ w2 * (1 - h**2)
    w2, b2 = w2 - 0.8 * (d.T @ h) / 90, b2 - 0.8 * d.mean(0)
    w1, b1 = w1 - 0.8 * (e.T @ x) / 90, b1 - 0.8 * e.mean(0)
h, s, p = forward()
for part in (w1, b1, w2, b2):
    show(part, 3)
print(f"{-np.log(p[np.arange(90), own]).mean():.4f} {(s.argmax(1) == own).sum()}")
