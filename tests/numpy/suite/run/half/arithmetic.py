np.seterr(all="ignore")
H, F = np.float16, np.float32
i = np.arange(40)
table, scale = [0.1, 1000.4, -3.0, 65504.0], H(0.1)
h = ((i * 37) % 40 - 17).astype(H) / H(7)
g = ((i * 11) % 23 + 1).astype(H) * scale
x, y = h.astype(F), g.astype(F)
low = lambda a: a.astype(H)
print(h)
print(g)
print(h + g)
print(h - g)
print(h * g)
print(h / g)
print(np.sqrt(g) + -h)
print(abs(h) * H(1000))
print(np.minimum(h, g) + H(10) * np.maximum(h, H(-0.5)))
print(np.floor(h) + H(10) * np.ceil(h) + H(100) * np.rint(h))
print(np.trunc(h * H(1.7)))
print(low(x - np.floor(x / y) * y))
print(low((x.astype(float) * y + float(H(0.001))).astype(F)))
print(low(x * x * x) + h * h)
print(low(F(1) / (y * y * y)))
print(np.where(h > H(0.1), h, g))
print(np.where((h == g) | (h <= -2), H(1), h))
print(h < H(0.3))
t = np.floor(h) != 0
print(t)
print(t.astype(H) + i.astype(H) - H(20))
w = np.trunc(h * H(100)).astype(np.int32)
print(w)
print(np.maximum(w, 0).astype(np.uint64))
print((w * 97).astype(H))
print(low(x * F(H(1000.4))).astype(F))
print(x * F(1000.4))
print(h.astype(float))
d = h.astype(float) + g.astype(float) * 0.1
print(d)
print((d * 1e-5).astype(H))
print(np.array([H(table[k % 4]) for k in range(40)]) * h)
r = h * H(30000)
print(r)
print(r - r)


def grown(a):
    z = a
    for _ in range(9):
        z = z * a + H(0.5)
        if z > 100:
            break
    return z


print(np.array([grown(a) for a in h]))
a = b = h[3]
for k in range(5):
    b = b * H(1.5) + a
print(*(repr(float(str(q))) for q in (a, b, a + b)), f"{float(b):.4f}", repr(float(str(-a))), scale)
