def before(a, op, axis, start):
    """What `op` accumulates before each element."""
    rest = np.take(op.accumulate(a, axis), np.arange(a.shape[axis] - 1), axis)
    return np.concatenate([np.full_like(np.take(a, [0], axis), start), rest], axis)


n = 5000
x = 1 / np.arange(1.0, n + 1)
s = before(x, np.add, 0, 0)
print(f"0.0 1.0 {s[99]:.13f} {s[n-1]:.13f}")
f = np.concatenate([[0], np.cumsum(x.astype(np.float32).astype(float))])
print(f"0.0 1.0 {str(np.float32(f[n-1]))}")
print(before(np.arange(17) ** 2 % 7, np.add, 0, 0))
small = (np.arange(9) * 5 % 9).astype(np.int32)
top = before(small, np.maximum, 0, np.iinfo(np.int32).min)
print(top)
part = small[3:]
with np.errstate(over="ignore"):
    top[3:] = before(part + np.int32(1), np.multiply, 0, 1) - before(part, np.minimum, 0, np.iinfo(np.int32).max)
print(top)
low = before(np.roll(np.sin(np.arange(6.0)), 1), np.minimum, 0, np.inf)
width = max(len(f"{v:.9f}") for v in low)
print(np.array2string(low, formatter={"float_kind": lambda v: f"{v:{width}.9f}"}))
hit = np.arange(12) % 5 == 4
print(before(hit, np.logical_or, 0, False))
print(before(~hit, np.logical_and, 0, True))
i, j, k = np.ogrid[:13, :21, :9]
a, weight = (i * 5 + j * 3 + k * 7) % 10, i + 2 * j + 3 * k
print(np.sum(before(a, np.add, 0, 0) * weight))
print(np.sum(before(a, np.add, 1, 0) * weight))
b = before(a, np.maximum, 2, np.iinfo(np.int64).min) + 20
print(b[:, :, 0].max(), np.sum(b[:, :, 1:] * weight[:, :, 1:]))
u = np.sin(np.arange(40 * 64.0)).reshape(40, 64)
v = before(before(u, np.add, 0, 0), np.add, 1, 0)
print(f"{v[39, 63]:.11f} {v[7, 50]:.11f} {v[20, 0]:.11f} 0.0")
print(0)
