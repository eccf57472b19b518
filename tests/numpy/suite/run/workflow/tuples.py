a, b = 0, 1
for _ in range(10):
    a, b = b, a + b
print(a, b, a + b, a - b)
a, b = b, a
a, b = b, a + b
print(a, b)
u, v = 10 * np.arange(6), np.arange(6)
print(u, v)
for _ in range(3):
    u, v = v.copy(), u.copy()
    u += 1
print(u, v)
w = u.copy()
w, u, v = v, w, u
print(w, u, v, (np.roll(w, 1) * np.arange(6)).sum())
