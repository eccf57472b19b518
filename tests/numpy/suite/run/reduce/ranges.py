a = np.arange(20)**2
print(a[3:17:4].sum(), a[::7].sum(), a[19], (a[1:20:3] > 40).sum())
print(0, 0, -2**63, 2**63-1, 1, "false true")
print(np.concatenate([[0], a.cumsum()[:-1]])); print(a.cumsum()); print(table((20,), lambda i: a[i::6].sum()))
print(table((20,), lambda i: a[:i].max() if i else -2**63))
print(sum(i*j for i in range(6) for j in (0, 2)), sum(j for i in range(6) for j in range(i)), 120)
print(np.where(a % 2 == 0, a, -a).sum(), a[::2].mean())
