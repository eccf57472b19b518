i = np.arange(12)
u, v = i % 5 - 2.0, i % 3 - 1.0
k = i + 1
sign = np.sign
print(u, v)
print("first", (k * (u >= 0)).astype(float))
print("second", (k * (u > 0)).astype(float))
print("branches", np.where(u > 0, 1, 0.125) + 16 * np.where(u >= 0, 1, 0.125))
# clip: both bounds count for the inner value at equality. hat: 1 - |x| is the first at its ends, and 0 has no slope.
clip = (abs(u) <= 1) * 1.0
print("pieces", clip - 10 * sign(u) * (abs(u) <= 1) + 100 * np.where(abs(u) <= 1, u, sign(u)))
print("sizes", sign(u) + 10 * sign(u - 1) + np.where(u == 0, 5, 7) + np.floor(u))
# Three arguments from the left: min(v, u) is v at a tie, and that is the first beside 1.
low = np.where(v <= u, 0, 1)
both = np.minimum(u, v) <= 1
print("pair", k * (u >= v) + 100.0 * (low == 1) * both, k * (u < v) + 100.0 * (low == 0) * both)
print("same", np.where(2 * u >= u, 2, 1) + np.where(3 * u <= u**2, 3, 2 * u))
print("extremes", 3.0 * (u == 2) - 5 * (u == -2) + 7 * sign(u) * (abs(u) == 2))
g = np.zeros(12)
for a in i:
    near = [max(a - 1, 0), a, min(a + 1, 11)]
    g[near[int(np.argmax(u[near]))]] += 1
print("beside", g)
m = table((4, 5), lambda i, j: (i * j + i) % 3, float)
a, b = np.mgrid[1:5, 1:6]
print("rows", a * (m == m.max(1, keepdims=True)) + 10.0 * b * (m == m.min(0)))
r = reader(m, "periodic", "odd")
g = np.zeros((4, 5))
for a, b in np.ndindex(4, 5):
    if r(a - 1, b) >= r(a, b - 1):
        g[a - 1, b] += 1
    else:
        g[a, max(b - 1, 0)] += 1 if b else -1
print("past", g)
low, slope = np.minimum(u, 1), np.where(u - 1 >= -u, 1, -1)
print("nested", k * np.where(low >= np.maximum(u - 1, -u), u <= 1, slope).astype(float))
g = np.zeros(12)
for a in range(12):
    g[: a + 1] += (a + 1) * (u[: a + 1] == u[: a + 1].max())
print("running", g)
print("factor", u.max() + u.sum() * (u == u.max()) + 5 * (np.maximum(u, 0) == 0) * (u >= 0))
print("distance", k * sign(u - 1) + 0, -(k * sign(u - 1)).sum())
