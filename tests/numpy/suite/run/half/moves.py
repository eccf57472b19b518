H, F = np.float16, np.float32
n = 23
i = np.arange(n)
c = ((i * 7) % n).astype(H) / H(3)
m = bf16(c)
for name, edge in [("c", "clamp"), ("p", "periodic"), ("m", "mirror"), ("o", "odd"), ("k", ("constant", -0.1))]:
    a = m if name == "m" else c
    get = reader(a, edge)
    low = (lambda v: F(bf16(v))) if name == "m" else H
    print(np.array([low(get(q - 2) + low(low(2) * get(q + 3))) for q in range(n)]))
u = table((11, 14), lambda i, j: i * 14 + j, H) / H(9)
for step in range(3):
    get = reader(u, "periodic", "odd")
    around = lambda a, b: H(H(H(get(a - 1, b) + get(a + 1, b)) + get(a, b - 1)) + get(a, b + 1))
    u = table((11, 14), lambda a, b: H(around(a, b) * H(0.25)) - u[a, b], H)
print(u)
print(u.T + H(1))
print(u - u[::-1, ::-1])
b = bf16(u)
print(bf16(b + b[::-1]))
at = (i * i + 5) % n
print(c[at] * H(2))
h = np.full(5, H(0.5))
for q in range(n):
    h[at[q] % 5] += c[q]
print(h)
for q in range(n):
    h[at[q] % 5] *= H(1.001)
print(h)
print(np.cumsum(c.astype(float)).astype(H))
print(np.maximum.accumulate(c))
d = (c * H(100)).astype(float)
print((np.cumsum(d) - d).astype(H))
near = bf16(np.append(c, H(-1)))
print(bf16(near[1:] - near[:-1]))
print(repr(float(str(c[3]))), repr(float(str(u[4, 5]))), "-1.0", [float(str(c[q])) for q in range(0, n, 5)])
c[4] = 7.77
c[5:9] = -c[5:9]
print(c)
