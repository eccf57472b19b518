# Multiples of 1/32 far below 2^24: all sums are exact, in float32 too.
a = table((37, 19), lambda i, j: (i * 19 + j) / 8, float)
b = a - np.roll(a, 1, axis=0)
m = table((19, 23), lambda k, j: (k - j) / 4, np.float32)
p = (a @ m.astype(float))
print(p[36, 22], p.sum(), p.max())
q = p[::-1] * 2
print(q[0, 0], q[36, 22], *np.unravel_index(np.argmax(q), q.shape))
print(b.sum(), a.mean())
t = np.maximum.accumulate(b.sum(axis=1))
print(t[0], t[36])
g = 2 * a + np.roll(a, 1, axis=0) + np.roll(a, -1, axis=0)
print((a * a + a * np.roll(a, -1, axis=0)).sum(), g[0, 0], g[36, 18], g.sum())
print("true")
