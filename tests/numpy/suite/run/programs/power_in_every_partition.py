n = 18
a = 1 / (np.arange(n)[:, None] + np.arange(n) + 1)
x = np.ones(n)
for _ in range(12):
    x = a @ x
    x /= np.sqrt((x * x).sum())
print(f"{x @ a @ x:.9f} true")
