x = table((60, 48), lambda i, j: (i * 3 + j * 5) % 7, np.float64)
w = table((48, 20), lambda i, j: (i * 2 + j) % 5 - 1, np.float64)
y = x @ w
e = np.arange(90)
source, target = (e * 7) % 60, (e * e + 3 * e) % 60
sums, most = np.zeros(60), np.zeros(60)
for t in range(2):
    np.add.at(sums, target, y[source, 3])
    np.maximum.at(most, target, y[source, 4] - 2 * t)
phase, inverse = np.ones(60, complex), np.full(60, 2 + 1j)
for k in e:
    phase[target[k]] *= complex(k % 3, 1)
    inverse[target[k]] /= 1j * (1 + k % 2)
n = np.arange(1, 61.0)
total = lambda v: repr(float(v))
print(total((table((60, 20), lambda i, j: i + j) * y).sum()), total(n @ sums), total(n @ most), total(sums.sum()))
print(total(n @ phase.real), total(n @ phase.imag))
print(total(n @ inverse.real), total(n @ inverse.imag))
