i, j = np.mgrid[:5, :3]
a = (i * i - 3 * j).astype(np.int32)
r = reader(a, "odd")
print(5, 3, a, table((5, 3), lambda i, j: r(i - 1, j) + 10 * r(i, j + 2), np.int32))
print(a, a.mean(0), 1.5)
