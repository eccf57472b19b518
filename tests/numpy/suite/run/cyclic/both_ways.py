def shown(a):
    width = max(len(f"{x:.1f}") for x in a.flat)
    return np.array2string(a, formatter={"float_kind": lambda x: f"{x:{width}.1f}"})


n = 9
i, j = np.indices((n, n))
a = (i * 10 + j * j).astype(float)
b = a + a.T + 2 * np.diag(a)[:, None] + 3 * np.diag(a)[None, :]
print(shown(b))
c = b[(j + 1) % n, (i - 1) % n] - a[j, (j + 2) % n]
print(shown(c))
i, j, k = np.indices((n, n, n))
d = a[k, i] * j
d = d + (d[k, j, i] + d[i, k, j])
print(f"{(d * (i + 2 * j + 3 * k)).sum():.1f}")
