def shown(a):
    width = max(len(f"{x:.12f}") for x in a.flat)
    return np.array2string(a, formatter={"float_kind": lambda x: f"{x:{width}.12f}"})


n = 1000
i = np.arange(n)
w = np.float32(1) / (i + 3).astype(np.float32)
v = 1 / (i + 3.0)
b = (i * i + 3) % 7
h = np.zeros(7, np.float32)
for k in i:
    h[b[k]] += w[k]
print(h)
print(3 * np.bincount(b, minlength=7) - 6 * np.bincount(b[::2], minlength=7))
many = np.zeros(400, np.uint32)
np.add.at(many, (i * i) % 400, i.astype(np.uint32))
np.multiply.at(many, i // 3, np.uint32(3))
print(sum(int(k) * int(x) for k, x in enumerate(many)))
g = np.zeros((4, 3))
for k in i:
    g[b[k] % 4, k % 3] -= v[k]
print(shown(g))
m = np.outer(np.arange(20), np.arange(30)).astype(np.float32) / np.float32(7)
rows = np.zeros(20, int)
for p, q in np.ndindex(20, 30):
    rows[(p + q) // 4] += int(m[p, q])
print(rows)
print(np.bincount(b, minlength=9))
print(np.bincount(b, minlength=7))
p = np.full(5, 100.0)
for k in i:
    p[b[k] % 5] /= 1 + v[k] * v[k]

print(shown(p))
p = p + p[::-1]
p[1:] *= 2
print(shown(p))
