n = 60
i = np.arange(n)
u, v, z, w, h, g = i * 1.0, np.zeros(n), (i * i % 31) * 1.0, i / 8, np.zeros(n), np.zeros(n)
idx, jdx, a, b = (i * 7 + 3) % n, (i * 13 + 5) % n, (i + 11) % n, i * 17 % n
for t in range(9):
    if t == 3:
        idx = (idx + i) % n
    if t % 4 == 2:
        jdx = (jdx * 5 + t) % n
    u = u[idx[idx]] / 2 + u[idx] / 4
    v = (v + z[idx[jdx[idx]]] + w[jdx]) / 4
    z = v + 1
    w = w / 2 + z / 4
    h = (a[b] + b[a] + 3 * a[b[b]] + 5 * b[a[a]]) * 1.0
    if t == 5:
        a, b = (a * 7 + 3) % n, (b + i) % n
    np.add.at(g, idx, u / 16)
    u = u + g[idx] / 16 + g[idx[idx]] / 8
    u = u[idx[jdx]] / 2 + u[idx[(i + 17) % n]] / 4
    if t > 6:
        for s in range(3):
            z = z[idx[idx]] / 2 + v[idx[jdx]] / 4 + h / 1024
            if s == 1:
                idx = (idx + 1) % n


def some(x, first):
    return "[" + ", ".join(str(float(e)) for e in x[first : first + 5]) + "]"


print(f"{some(u, 0)} {sum(u):.12f}")
print(f"{some(v, 10)} {sum(v):.12f}")
print(f"{some(z, 20)} {sum(z):.12f} {sum(h)} {sum(w):.12f} {sum(g):.12f}")
