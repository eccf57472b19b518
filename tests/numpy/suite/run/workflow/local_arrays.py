n = 13
at = np.arange(n)


def read(a, edge, shift):
    r = reader(a, edge)
    return np.array([r(i + shift) for i in range(len(a))])


def through(u, rounds, edge):
    c, w, s = u, np.zeros(n, int), np.zeros(n, int)
    for k in range(rounds):
        fresh = c + k
        fresh[0] += 100
        c = read(c, "clamp", -1) + read(c, "clamp", 2)
        w = w + c[::-1] - fresh + 3 * fresh
        s = s + (np.roll(w, -3) if k % 2 == 0 else w[::-1])
    t = np.append(s, 1000)
    far = t[1:-1] - c[:-1]
    left = np.array([far[i - 1] if i else 1 for i in range(n)])
    v = read(s, edge, -1) + read(w, "odd", 2) + left - t[1:]
    return v, np.array([s.sum(), w.sum(), t.sum(), far.sum()])


def heat(u, *edge):
    r = reader(u, *edge)
    return table(u.shape, lambda i, j: r(i - 1, j) + r(i, j + 1) - r(i + 1, j - 1))


def plane(u, times):
    a, b, r = u, u, 0
    for k in range(times):
        old = a
        a, b = heat(a, "periodic"), heat(b, "clamp", "odd")
        r = r + (a - b - old).sum(0)
    v = a - b + r
    return v, (v * np.subtract.outer(np.arange(6), np.arange(7))).sum()


v, sums = through(at * at % 9, 3, "periodic")
print(v, sums)
u = read(v, "mirror", -2) - read(v, "mirror", 1)
v, sums = through(v, 4, "mirror")
print(u, v, sums)
g = table((6, 7), lambda i, j: (3 * i + 5 * j) % 8)
last = [0, 0, 0]
for k in (1, 2):
    here, e = plane(g, k)
    print(here, e)
    last[k] = here[0, k] + last[k - 1]
f = np.arange(9) * 2.0
for k in range(6):
    f = read(f / 2, "mirror", -1) + read(f / 2, "clamp", 1) * (k % 3)
print(np.array(last), f)
for k in range(3):
    z = np.zeros(4, np.complex64)
    z[k] = k + 1j
    print(np.arange(5) == k, z.reshape(2, 2))
