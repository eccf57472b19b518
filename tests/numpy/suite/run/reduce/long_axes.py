a = table((40, 50), lambda i, j: (7*i+3*j) % 101); t = a.T
print(a.sum(1)); print(t.max(0)); print(table((40,), lambda i: a[i, :i].sum())); print(table((40,), lambda i: t[i:40:3, i].sum()))
f = table((70, 3), lambda i, j: i/8+j, np.float32); print(f.sum(0, dtype=float).astype(np.float32)); print(f.mean(0, dtype=float).astype(np.float32))
