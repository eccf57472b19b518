n = 29
q = np.where((np.arange(n) >= 5) & (np.arange(n) < 10), 1.0, 0.0)
flow = np.where(np.arange(n) < n // 2, 1.0, -0.5) * 0.5
for _ in range(8):
    q = np.where(flow > 0, q - flow * (q - np.roll(q, 1)), q - flow * (np.roll(q, -1) - q))
print(q)
