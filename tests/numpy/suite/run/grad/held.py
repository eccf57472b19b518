start = 0.07 + 0.101 * ((4 * np.arange(9) + 2) % 9)
i, k = np.arange(7), np.arange(4)
c = 0.1 * (np.add.outer(3 * np.arange(7), 5 * np.arange(9)) % 7) - 0.2


def show(name, f):
    g = []
    for k in range(9):
        h = np.zeros(9)
        h[k] = 1e-5
        g.append((8 * (f(start + h) - f(start - h)) - (f(start + 2 * h) - f(start - 2 * h))) / (12 * 1e-5))
    width = max(len(f"{x:.6f}") for x in g)
    print(name, np.array2string(np.array(g), formatter={"float_kind": lambda x: f"{x:{width}.6f}"}))


def beside(u):
    z = np.tanh(c @ u + u[:7])
    return np.sum(z[:5] * z[2:] ** 2)


def triangle(u):
    return sum(np.exp((c @ u)[i + k] * u[k]) * np.tanh((c @ u)[i]) for i in range(5) for k in range(3))


show("nested", lambda u: np.sum(np.tanh(np.exp(c @ u) + u[:7])))
show("shares", lambda u: np.sum(i * np.exp(c @ u)) / np.sum(np.exp(c @ u)))
show("chosen", lambda u: np.sum(np.exp((c @ u)[1:] + u[:6]) * u[:6]) + np.tanh(c @ u)[0])
show("beside", beside)
show("triangle", triangle)
show("rates", lambda u: np.sum(np.exp(np.outer(k, c @ u)) + 1 / (1 + np.exp(-(c @ u)))))
show("argument", lambda u: np.sum(np.tanh(c @ u) * (c @ u) + np.exp(np.sum(u) / 9)))
