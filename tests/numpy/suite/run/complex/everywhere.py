n = 23
i = np.arange(n)
z = (i % 7 - 3) + (i * i % 11) / 4 * 1j
text = lambda v: str(complex(v))


def formatted(a, spec):
    words = [f"{v:{spec}}" for v in a]
    width = max(map(len, words))
    return np.array2string(np.arange(len(words)), formatter={"int": lambda k: words[k].rjust(width)})


read = reader(z, "odd")
print(np.array([read(q - 2) + read(q + 4) for q in range(n)]))
read = reader(z, "mirror")
m = np.array([read(q - 3) - read(q + 2) for q in range(n)]).astype(np.complex64)
print(m)
read = reader(z, ("constant", 0))
k = np.array([read(q - 3) - read(q + 2) + 1 for q in range(n)]).astype(np.complex64)
print(k)
print(z * 1j + np.where(i > 3, np.roll(z, 3), 1))
print(formatted(abs(z), ".6f"), f"{(z * 1j).sum():.3f}")
print(text(1.5))
print(np.append(z, 1j))
print(np.where(i < 5, (2 + 1j) * z, z))
p = z
for t in range(3):
    p = p * z / 10
clean = lambda a: a
print(formatted(p, ".4f"), f"{p.sum():.4f}")
at = (i * 5 + 2) % n
print(z[at] * 2)
h = np.zeros(5, np.complex64)
np.add.at(h, at % 5, m)
print(h)
np.subtract.at(h, at % 5, k * np.complex64(2))
print(h)
h = np.ones(5, complex)
np.add.at(h, at % 5, z)
print(h)
a = table((9, 31), lambda i, j: complex(i - j % 5, i * j % 7) / 4, complex)
b = table((31, 7), lambda i, j: complex(i % 3, j - 2) / 2, complex)
print((a @ b).astype(np.complex64))
l = np.arange(20000)
print(np.array([(l % 10).sum() + 1j * q * 20000 for q in range(3)]))
t = l % 3 + 1j
print(formatted(np.array([t.mean() * q for q in range(3)]), ".6f"))
print(formatted(np.array([np.prod(t[q : q + 40] / 1.5) for q in range(3)]), ".6f"))
print(np.array([np.prod(t[q : q + 3]) for q in range(3)]))
print(text(z[:3].sum()), text(z[::2].sum()), f"{z.mean():.6f}", text(t.sum()))
for r in range(3, 6):
    print(text(z[:r].sum()))
v = m.astype(complex) + 0.25 - 1j
print(v)
d = np.zeros(n, complex)
d[3:9:2] = z[3:9:2]
d[20] = 5 + 6j
d[4:8] *= 2
print(d)
print(text(v[5]), text(z[5]), text(z[5]))
print(table((4, 3), lambda r, j: complex(j, r), np.complex64))
