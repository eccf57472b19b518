n = 37
u = np.arange(n) ** 2 % 23
a = table((n, n), lambda i, j: (3 * i + 5 * j) % 7 / 4, float)
below, above = np.tril(a, -1), np.triu(a)
print(below.sum(), above.sum(), below.sum(), (np.tril(a) > 1).sum())
triples = sum(u[j] + u[k] for i in range(n) for j in range(i) for k in range(j, i))
print(max(a[i, i - 2 : i].max() for i in range(2, n)), triples, f"{below.sum() / (n * (n - 1) // 2):.12f}")
print(np.array2string(below.sum(1), formatter={"float": lambda v: f"{v:5.2f}"}))
means = np.array([a[: i + 1, i].mean() for i in range(n)])
print(np.array2string(means, formatter={"float": lambda v: f"{v:.6f}"}))
s = [sum(a[j, k] for j in range(i) for k in range(j)) for i in range(n)]
print(float(s[0]), float(s[1]), s[-1])
for t in range(0, n, 9):
    every = str(bool((u[:t] < 22).all())).lower()
    print(f"{t}: {u[:t].sum()} {u[t:].max()} {1 + u[t] % 3} {every} {u[: t + 1].mean():.9f}")
m = 3 + u[5] % 4
print(m, u[:m].sum(), u[1:m:2].sum())
