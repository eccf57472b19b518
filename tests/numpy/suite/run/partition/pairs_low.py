def through(u, last):
    # `last`: after how many steps each of the arrays was written last.
    add = sum(k * x for k, x in enumerate(np.indices(u.shape), 1))
    seen = [u]
    for k in range(max(last)):
        seen.append((3 * seen[-1] + add) % 997)
    return sum(w * seen[k] for w, k in enumerate(last, 1))


for n in (10, 1, 2, 5):
    print(through(np.arange(n) ** 2, [30, 29, 27, 23, 17, 9]))
for shape in ((7, 5), (1, 1), (1, 6), (3, 2)):
    print(through(table(shape, lambda i, j: 7 * i + j * j), [56, 55, 53, 49, 43, 35, 25, 13]))
