np.seterr(all="ignore")
n = 12
i = np.arange(n)
z = i + (1 - 0.5 * i) * 1j


def columns(words):
    """Words as arrays print them, padded on the left."""
    width = max(map(len, words))
    return np.array2string(np.arange(len(words)), formatter={"int": lambda k: words[k].rjust(width)})


def formatted(a, spec):
    return columns([f"{v:{spec}}" for v in a])


def text(v):
    return str(complex(v))


print(z)
w = np.roll(z, 1) + np.roll(z, -1) * 1j
print(w)
w = -z * w - 2
print(w)
w = z / w
print(w)
w = w / 4 + z.conj()
print(w)
print((z * z.conj()).real - w.imag)
print(formatted(z * np.exp(1j * np.pi / 2), ".3f"))
print(formatted(z * z * z + 1 / (z * z), ".6f"))
w = np.log(z + 5) + abs(z) + np.angle(z)
print(formatted(w, ".6f"))
print((z == w) | (z != z.conj()))
print(np.where(i % 2 == 0, z, z.conj()) + np.where(i > 3, np.roll(z, 3), 1))
f = table((5, 6), lambda i, j: np.complex64(complex(i, j)), np.complex64)
f = (f.real / np.float32(3) + 1j * (f.imag / np.float32(3))).astype(np.complex64)
print(f)
g = table((5, 6), lambda i, j: f[i, j] * f[j % 5, i] + np.complex64(0.5), np.complex64)
print(g)


def orbit(c):
    s = 0j
    for k in range(20):
        s = s * s + c * 0.1
        if abs(s) > 4:
            break
    return s


print(formatted(np.array([orbit(c) for c in z]), ".6e"))
print(formatted(np.fft.fft(z), ".6f"))
print(text(z.sum()), text(z.mean()), f"{(abs(z) ** 2).sum():.6f}", (z.real > 4).sum())
a = (z * z).sum()
b = a * 2
for t in range(3):
    b = b / (1 + 1j) + a
    b += 1
print(text(a), text(b), "false", text(1 / (1 - 2j)), text(z[3]), text(z[3].conj()), f"{abs(z[6]):.6f}", f"{np.angle(z[3]):.6f}")
q, r = 1 + 2j, 2 - 1j
print(text(q), text(r), "false true", text(q + 0.5), text(2 * r), text(q * r), "-1j", text(q + 1 / 3))
print("[" + ", ".join(text(v) for v in z[:4]) + "]", "1j", f"{z[2]:.3e}")
print(1 / (i - 2 + 0j))
w = np.empty(n, complex)
w.real, w.imag = (i - 1) / (2.0 - i), np.nan
print(w)
