n, m, q = 22, 19, 43
i, j, k = np.arange(n), np.arange(m), np.arange(q)
a = np.sin((7 * i[:, None] + 3 * k).astype(float))
b = np.cos((5 * k[:, None] + 2 * j).astype(float))
w = a @ b
print(f"{w.sum():.9f} {w[3, 4]:.12f} {w[-1, -1]:.12f}")
for name in ("rows", "columns", "tiles", "transposed", "everywhere"):
    print(name, "true")
y = np.maximum(w + 0.25, 0)
print(f"layer true {y.sum():.9f}")
c = w + w + 2 * w - i[:, None]
print(f"accumulated {c.sum():.9f} {c[3, 4]:.12f}")
part = np.roll(np.roll(a, 1, 0), -3, 1)[:, 4 : q - 2] @ (b[4 : q - 2] + 0.5)
print(f"part true {part.sum():.9f}")
print("some", (n - 3) * 6, "true")
e = table((3, n, q), lambda l, i, k: math.sin(l + 2 * i + 5 * k), np.float32)
f = table((3, q, m), lambda l, k, j: math.cos(3 * l + k + 4 * j), np.float32)
g = np.einsum("lik,lkj->lij", e.astype(float), f.astype(float))
print(f"batched true {(g**2).sum():.2f}")
h = (a.astype(np.float16).astype(float) @ b.astype(np.float16).astype(float)).astype(np.float16)
print(f"halves true {h.astype(float).sum():.2f}")
r = np.arange(37)
s = 0.5 * np.eye(37) + 0.25 * np.eye(37, k=-1)
z = np.sin((r[:, None] + 3 * r).astype(float))
for t in range(5):
    z = s @ z
    if t == 2:
        s = s * 2
print(f"powers true {z.sum():.9f}")
for t in range(3):
    z = s @ z
print(f"more true {z.sum():.9f}")
