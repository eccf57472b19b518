n = 15
s, i, r = np.ones((n, n)), np.zeros((n, n)), np.zeros((n, n))
s[7, 7] = i[7, 7] = 0.5
rows = []
for _ in range(10):
    p = np.pad(i, 1, "symmetric")
    new = np.minimum(s, 0.9 * s * ((p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]) / 4))
    s, i, r = s - new, i + new - 0.25 * i, r + 0.25 * i
    rows.append((s.sum(), i.sum(), r.sum()))
rows = np.array(rows)
print(np.array2string(rows, formatter={"float": lambda v: f"{v:7.3f}"}))
peak = rows[:, 1].argmax()
print(f"peak at {peak}: {rows[peak, 1]:.4f}")
