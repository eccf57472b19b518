f = np.float32
w = 1 + (np.add.outer(7 * np.arange(12), 3 * np.arange(5)) % 11).astype(f) / f(10)
rows = list(itertools.product(range(12), range(5)))
columns = [(i, j) for j in range(5) for i in range(12)]


def product(points, place):
    h = np.ones(3, f)
    for i, j in points:
        h[place(i, j)] *= w[i, j]
    return h


print(product(rows, lambda i, j: (i + j) % 3))
print(product(columns, lambda i, j: (i + j) % 3))
print(product(rows, lambda i, j: (5 * i % 3 + j) % 3))
h = np.ones(3, f)
for i, j in columns:
    h[(i + j) % 3] += w[i, j]
print(h)
print(np.array([sum(range(7)), 0]))
