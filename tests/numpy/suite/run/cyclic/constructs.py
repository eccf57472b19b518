u = table((13, 5), lambda i, j: 10 * i + j)
i1 = np.arange(13)
v = u * 2 + i1[:, None]
print(v)
U = reader(u, "clamp")
w = table((13, 5), lambda i, j: U(i - 1, j + 1) + U(i + 2, j))
print(w)
d = w + u
D = reader(d, "periodic")
e = table((13, 5), lambda i, j: D(i + 1, j - 1) - D(i - 4, j))
print(e)
x = v @ np.array([w[k, k] for k in range(5)])
print(x)
r = x + 1
y = r + x[::-1]
Y = reader(y, "mirror")
z = table((13,), lambda i: Y(i - 2) + Y(i + 5))
Z = reader(z, ("constant", -7))
y = table((13,), lambda i: Z(i) + Z(i - 1) + r[i])
print(y, z)
print(u.T @ e)
idx = i1 * 5 % 13
x = y[idx] + r[idx[::-1]]
print(x)
y = np.cumsum(x) * u[:, 2]
print(y)
y[0:12:2] = np.arange(6) - 7
print(y)
y[idx] += i1
print(y)
u[3] = 100 + np.arange(5)
u[:, 4] = i1
u[6:9, 1:3] = -np.arange(1, 3)
x[2] = 5
print(u[3, 2], x[2], u.sum(), y.max(), (d > 100).sum())
y = np.cumsum(x)
e = np.cumsum(d, axis=1)
print(y)
for t in range(3):
    x = x + y * 2
    y = np.concatenate([y[:1], y[2:10] + x[1:9], y[9:]])
    y[0] = x[3]
    x = x[idx] + i1
    if t > 0:
        u[:, t] += x
    x, z = z, x
print(x); print(y); print(z)
print(u); print(e)
