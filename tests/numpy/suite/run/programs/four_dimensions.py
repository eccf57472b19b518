a = table((5, 4, 3, 6), lambda i, j, k, l: i + 10 * j + 100 * k + 1000 * l)
a = np.roll(a, (-1, 1, -1, 2), (0, 1, 2, 3)) - a
print(a.sum((1, 2)))
print(np.array([a[k, k, k, k] for k in range(3)]), a[4, 3, 2, 5], a.max())
