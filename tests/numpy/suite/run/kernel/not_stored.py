f = lambda h: table((6, 5), h)
a, b, c, d = f(lambda i, j: 5 * i + j), f(lambda i, j: i * j % 4), f(lambda i, j: i - j * j), f(lambda i, j: (i + 2 * j) % 3)
e = table((5, 6), lambda i, j: i * j)
i = np.arange(9)
x, y, z = i * i % 7, 4 - i, 2 * i
mix = lambda u, v: 2 * u - v + 3
r = reader(mix(a, b), "periodic", "clamp")
print(f(lambda i, j: r(i - 1, j + 1) - r(i + 1, j)))
r = reader(mix(b, a), "periodic", "clamp")
print(f(lambda i, j: r(i - 1, j + 2) + r(i, j - 1)))
s = x + 2 * y
print(np.roll(s, -1) - np.roll(s, 2))


def within(u):
    w = np.zeros_like(u)
    w[1:-1, :-1] = u[:-2, 1:] - u[2:, :-1]
    return w


print(within(mix(a, c)))
print(within(mix(d, a)))
p = mix(c, d)
print(p[::-1] + p[:, ::-1])
q = x + 2 * z
print(q[::-1] - q)
weight = np.add.outer(np.arange(6), np.arange(5))
print(a.T, (mix(a, c) * weight).sum(), (mix(c, b) * weight).sum(), (a * weight).sum())
w, s = reader(d - e.T, "odd"), reader(e + d.T, "mirror")
print(f(lambda i, j: w(i - 1, j) + w(i, j + 1) + s(j - 1, i) * s(j, i + 1)))
