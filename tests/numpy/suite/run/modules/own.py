width, depth = 4, 5
area, tag = depth + 2, 10 * depth
three = lambda x: 3 * x
blend = lambda x, k: np.where(x > 4, x * k, -x)
inner = lambda x: three(x) + tag
i, j = np.mgrid[:area, :width]
u = width * i + j


def relax(u, k):
    right = np.hstack([u[:, 1:], u[:, -1:]])
    return k * (np.roll(u, 1, 0) + right) - inner(u) * 2


print(relax(u, 2))
print(u.sum(1) * width, (u - 7 * (i % 2)).max(0))
at = np.arange(width)
store = three(4) * at + three(-1) * at - 3 + three(100) * at
print(store, store, tag, 2000, inner(2) + 2)
r = np.arange(9.0)
print(np.array([0.5, -1.5, 2.5, 0.25])[np.arange(9) % 4] + blend(r, 2), 15)
t = u
for k in range(3):
    t = relax(t, k)
print(t, store + blend(t[:4, 0], 1))
