def through(u, last):
    # `last`: after how many steps each of the arrays was written last.
    add = sum(k * x for k, x in enumerate(np.indices(u.shape), 1))
    seen = [u]
    for k in range(max(last)):
        seen.append((3 * seen[-1] + add) % 997)
    return sum(w * seen[k] for w, k in enumerate(last, 1))


few = [30, 29, 27, 23, 17, 9]
for shape in ((4, 3, 5), (1, 1, 1), (2, 1, 3)):
    print(through(table(shape, lambda i, j, k: 9 * i + 5 * j + k * k), [42, 41, 39, 35, 29, 21, 11]))
for shape in ((3, 2, 4, 2), (1, 1, 1, 2)):
    print(through(table(shape, lambda i, j, k, l: 30 * i + 9 * j + 5 * k + l), few))
for shape in ((2, 3, 2, 1, 3), (1, 1, 1, 1, 1)):
    print(through(table(shape, lambda i, j, k, l, m: 40 * i + 20 * j + 9 * k + 5 * l + m), few))
