n = 40
v = ((np.arange(n) * 7) % 11).astype(float)
print(f"{v[0]} {v[-1]} {v[3] + v[4]} {np.sqrt(v.sum()):.9f} {v.max()}")
mean = v.sum() / n
print(f"{mean} {((v - mean) ** 2).sum():.9f}")
a = 0.0
for t in range(3):
    a = (a + v[t]) * v[n - 1 - t]
    v = v + a
print(a)
