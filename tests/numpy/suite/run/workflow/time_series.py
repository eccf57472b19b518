n = 5
u = np.arange(7)
history, rows = np.zeros(n, np.int64), np.zeros((n, 7), np.int64)
for t in range(n):
    rows[t] = u + t
    history[t] = (u * u).sum()
    u = np.roll(u, 1) + rows[t] % 5
print(history)
print(rows)
print(u)
for t in range(n - 1):
    print(rows[t + 1] - rows[t])
