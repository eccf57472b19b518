n = 9
u = table((n, 7), lambda i, j: 10 * i + j)
print(u[3, 4], u[0, 0], u[n - 1, 6], [int(u[k, k]) for k in range(0, n - 2, 2)])
h = u.sum(1)
print(h)
for t in range(n):
    if t > 0:
        h[t] += h[t - 1]
    u[t] = u[t + 1] + h[t] if t < n - 1 else u[t] - 1
print(h)
print(u)
flux = np.zeros((3, n, 7), np.int64)
flux[0] = u
for k in (1, 2):
    flux[k] = flux[k - 1] + k * np.arange(n)[:, None]
flux[2, n - 1] = -1
print((flux * np.array([1, 2, 3])[:, None, None]).sum(), flux[2, n - 1, 3], flux[1, n - 1, 3])
top, low = 100 + np.arange(7), u[1].copy()
u[n - 1], u[0] = top, low
print(u)
bits = 0.5 ** np.arange(6)
last = bits[5]
bits[5] = 0.5
print(bits, last, bits[5])
h[1:8:2] = -np.arange(4)
h[4] = 77
for t in range(4):
    h[2 * t] += t
    h[t * t % n] += 1000
f = np.zeros(5, np.int64)
for t in range(5):
    f[t] = f[t - 1] * 3 + 2 if t else 2
print(h, f)
