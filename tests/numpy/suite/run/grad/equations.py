def slopes(f, a):
    g = np.zeros(a.shape)
    for at in np.ndindex(*a.shape):
        h = np.zeros(a.shape)
        h[at] = 1e-4
        g[at] = (8 * (f(a + h) - f(a - h)) - (f(a + 2 * h) - f(a - 2 * h))) / 12e-4
    return g


def show(g, digits):
    width = max(len(f"{x:.{digits}f}") for x in g.flat)
    print(np.array2string(g, formatter={"float_kind": lambda x: f"{x:{width}.{digits}f}"}))


a = np.sin(3.0 * np.arange(5)[:, None] + np.arange(4))
show(slopes(lambda a: np.sum((a[:-2, :-1] + 2 * a[2:, 1:] - 3 * a[1:-1, :-1]) ** 2), a), 6)
p = np.sin(np.arange(6)[:, None] ** 2 + 2.0 * np.arange(7))


def stencil(*edges):
    def f(u):
        r = reader(u, *edges)

        def flux(i, j):
            return (r(i, j) - r(i - 1, j)) * (r(i, j + 1) + r(i, j)) ** 2

        return sum(
            (flux(i, j) - flux(i + 1, j) + r(i - 2, j + 2) * u[i, j]) ** 2 / (1 + u[i, j] ** 2)
            for i, j in np.ndindex(*u.shape)
        )

    return f


for edges in [["periodic"], ["clamp"], ["mirror", "odd"], [("constant", 0.25), "clamp"]]:
    show(slopes(stencil(*edges), p), 5)
q = np.cos(np.arange(4)[:, None] + 3.0 * np.arange(4))
show(slopes(lambda q: np.sum(q * q.T**2) + np.sum(q[::-1, 2] * q[1]), q), 6)
w = np.array([0.5, 1.5, 2.5])
weight = np.add.outer(np.arange(6), np.arange(7))


def window(w, p):
    y = w[0] * np.roll(p, 1, 0) + w[1] * p + w[2] * np.roll(p, -1, 0)
    return np.sum(y**2 * weight)


show(slopes(lambda w: window(w, p), w), 5)
show(slopes(lambda p: window(w, p), p), 5)
x = np.sin(np.arange(10)[:, None] + 5.0 * np.arange(6))
t = ((np.add.outer(np.arange(10), np.arange(2)) % 2) == 0).astype(float)
w1 = 0.3 * np.cos(np.arange(5)[:, None] + 2.0 * np.arange(6))
b1 = 0.1 * np.arange(5)
w2 = 0.4 * np.sin(2.0 * np.arange(2)[:, None] + np.arange(5))


def layers(w1, b1, w2, decay):
    score = np.tanh(x @ w1.T + b1) @ w2.T
    return np.mean(np.log(np.exp(score).sum(1))) - np.sum(t * score) / 10 + decay * np.sum(w1**2)


show(slopes(lambda w: layers(w, b1, w2, 0.01), w1), 7)
show(slopes(lambda b: layers(w1, b, w2, 0.01), b1), 7)
show(slopes(lambda w: layers(w1, b1, w, 0.01), w2), 7)
print(f"{np.sum(w1**2):.7f}")
for step in range(5):
    g1, g2 = slopes(lambda w: layers(w, b1, w2, 0.01), w1), slopes(lambda w: layers(w1, b1, w, 0.01), w2)
    w1, w2 = w1 - 0.5 * g1, w2 - 0.5 * g2
print(f"{layers(w1, b1, w2, 0.01):.9f}")
