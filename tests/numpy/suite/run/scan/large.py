i = np.arange(70000)
x = np.cumsum(((i * 37) % 101) / 7 - 6)
print(f"{x[1]:.8f} {x[35000]:.8f} {x[69999]:.8f} {np.sum(x * (i % 5)):.3f}")

i = np.arange(3000)
h = np.maximum.accumulate(((i * 37) % 2003).astype(np.float16)).astype(float)
t = np.cumsum(i % 3).astype(np.float32)
bits = t.view(np.uint32)
t = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).view(np.float32).astype(float)


def show(v):
    return f"{v:.1f}"


print(show(h[7]), show(h[2999]), show(t[10]), show(t[2999]), show(h.sum()), show(t.sum()))

i = np.arange(20000)
k = np.cumsum(i * i % 1000 * 400).astype(np.int32).astype(np.int64)
j = np.arange(9001)
w = np.multiply.accumulate((2 * (j % 50) + 1).astype(np.uint32), dtype=np.uint32).astype(np.int64)
print(np.sum(k * (i % 7)), np.sum(w * (j % 7)))

i, j = np.arange(3000), np.arange(5)
a = np.cumsum((np.add.outer(5 * i, j) % 17) / 3, 0)
print(f"{np.sum(a * (j + 1)):.6f} {a[2999, 4]:.9f}")
b = np.cumsum((np.add.outer(j, 5 * i) % 17) / 4, 1)
print(f"{np.sum(b * (j + 1)[:, None])} {b[4, 2999]}")

i = np.arange(66000)
c = np.minimum.accumulate(100000 - (i * 7) % 66013)
print(np.sum(c * (i % 3)))
d = np.cumsum(np.cumsum((np.add.outer(5 * i, np.arange(3)) % 17) / 3, 1), 0)
print(f"{np.sum(d * np.arange(1, 4)):.3f} {d[65999, 2]:.6f}")
q, j = np.arange(3)[:, None, None], np.arange(2)
e = np.maximum.accumulate(np.cumsum(((5 * i[:, None] + j + q) % 17) / 3, 1), 0)
e = np.cumsum(e, 2) - e
print(f"{np.sum(e * (q + 1)):.3f} {e[2, 65999, 1]:.6f}")

i, j, l = np.arange(700)[:, None, None], np.arange(40)[:, None], np.arange(3)
f = np.cumsum(np.cumsum(((5 * i + j + l) % 17) / 3, 1), 0)
print(f"{np.sum(f * (l + 1)):.4f} {f[699, 39, 2]:.6f}")
