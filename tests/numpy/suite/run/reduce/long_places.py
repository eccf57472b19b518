n = 9173
i = np.arange(n)
a = np.array([i * (j + 3) % 1009 for j in range(3)]).T
b = a.copy()
c = np.array([(i * 7 + j * 11) % 2003 / 4 for j in range(3)])
for _ in range(2):
    print(a.argmax(0), 1 + a[1:].argmin(0))
print(4000 + 3 * a[4000::3].argmax(0), 17 + 1009 * a[17 : n - 5 : 1009].argmin(0))
print(c.argmin(1), 100 + c[:, 100 : n - 100].argmax(1))
b[n - 2, 1] += 5000
b[n - 1, 1] -= 5000
b[4444, 2] = -1
print(abs(a - b).argmax(0))
print(c.argmax(1) - 10 * np.array([j + c[j, j:].argmin() for j in range(3)]))
d = np.array([[i * (2 * p + j + 1) % 4093 for j in range(2)] for p in range(2)]).transpose(0, 2, 1) * 1.0
print(d.argmax(1))
print(2 * abs(d[:, ::2] - 2000.5).argmin(1))
print(np.array([10 * k + j for k, j in (divmod(int(d[p].argmax()), 2) for p in range(2))]))
u, v, s = np.unravel_index(d[:, 5000:].argmax(), (2, n - 5000, 2))
print(u, 5000 + v, s)
e = np.array([np.where(i % 4000 == 77 + j, np.inf, i % 512 - 256.0) for j in range(4)]).T
print(e.argmax(0))
print(e.argmin(0))
e[[9000, 8999], 2] = e[9172, 3] = np.nan
print(e.argmin(0))
print(e[:9000].argmax(0), e[:, 0].max(), e[:, 2].max(), e[:-1, 3].min())
h = i * 5 % 300 / 8
print(np.full(2, (h + i % 2).argmax()))
print(np.full(2, 1 + h[1:].argmin()))
t = np.array([i == 9100 + 50 * j for j in range(3)]).T
print(t.any(0))
print(~t[:9100].any(0))
print((~t | (np.arange(3) == 0)).all(0))
print(np.array([t[j::9100, j].any() for j in range(3)]))
print((t | (a == 8)).sum(0))
half = lambda j: np.where(i % 997 == 5, 0.5, np.where(i % 997 == 30 * j, -2.0, 1.0))
print(np.array([np.prod(half(j) * np.where(t[:, j], 3.0, 1.0)) for j in range(3)]))


def product(v):
    return (math.prod(map(int, v)) + 2**63) % 2**64 - 2**63


print(np.array([product(2 * a[1:, j] + 1) for j in range(3)]))
wide = np.array([(i * (j + 1) + j) % 7 for j in range(5)]).T
at = wide.argmax(1) + 10 * (1 + wide[:, 1:].argmin(1))
print(at, (at * i).sum())
