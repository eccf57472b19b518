n = 1500
i = np.arange(n)
x = ((i * 37 + 60) % 101) / 16
low = np.minimum.accumulate(x)
print(f"{low.sum()} {low[-1]}")
low = np.minimum.accumulate(np.concatenate([[100.0], x]))[:-1]
print(f"{low.sum()} {low[0]} {low[1]}")
y = [0.0]
for v in x:
    y.append(y[-1] / 2 + v)
print(f"{sum(y):.9f} {y[4]} {y[-1]:.12f}")


def later(values, start):
    out = []
    for v in values:
        start = v if v != 0 else start
        out.append(start)
    return np.array(out)


marks = np.where(i % 7 == 3, i, 0)
last = later(marks, 0)
print((i * last).sum())
last[10:700] = 2 * later(np.concatenate([[0], marks[10:699]]), -5)
print((i * last).sum())
p, q, r = np.meshgrid(np.arange(13), np.arange(40), np.arange(7), indexing="ij")
w = p + 2 * q + 3 * r
u = (p * 31 + q * 17 + r * 5) % 23
print((np.maximum.accumulate(u, 0) * w).sum())
before = np.concatenate([np.full((13, 1, 7), -1), u[:, :-1]], 1)
print((np.maximum.accumulate(before, 1) * w).sum())
line = np.apply_along_axis(later, 2, u * (r % 2), 0) + 1
print((line * w).sum())
print("[5] []")
