n = 7
i = np.arange(n)
z = (0.3 + 0.2 * i) + 1j * (0.9 - 0.35 * (i * 3 % n))
u = 0.4 + 0.1 * i
size = lambda z: z.real**2 + z.imag**2


def real(f, x, h=1e-6):
    """The derivative by every element of a real array."""
    out = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        a, b = x.copy(), x.copy()
        a[at] -= h
        b[at] += h
        out[at] = (f(b) - f(a)) / (2 * h)
    return out


def grad(f, z):
    """d/dx - i d/dy, by every element."""
    return real(lambda x: f(x + 1j * z.imag), z.real) - 1j * real(lambda y: f(z.real + 1j * y), z.imag)


def show(a, spec=".6f"):
    words = [f"{v:{spec}}" for v in a]
    width = max(map(len, words))
    print(np.array2string(np.arange(len(words)), formatter={"int": lambda k: words[k].rjust(width)}))


show(grad(lambda z: (abs(z) ** 2).sum(), z))
show(grad(lambda z: (z.real * 2 - z.imag**2 + np.angle(z)).sum(), z))
show(grad(lambda z: (z * z * z.conj() + 1j * z**3).real.sum(), z))
show(grad(lambda z: ((z + 1) / (z * 2 - 1j)).imag.sum(), z))
show(grad(lambda z: (size(np.exp(z / 2)) + np.log(z).real + (z * z).imag).sum(), z))
mixed = lambda z, u: abs(u * z + u**2 + 3j * u).sum()
show(grad(lambda z: mixed(z, u), z))
show(real(lambda u: mixed(z, u), u))


def stencil(edge):
    def f(z):
        read = reader(z, edge)
        return sum(size(read(k - 1) - 2 * z[k] * k + read(k + 1) * 1j) for k in range(n))

    return f


for edge in ("periodic", "clamp", "odd", ("constant", 0.5 - 1j)):
    show(grad(stencil(edge), z))
show(grad(lambda z: abs(np.where(z.real > 0, z, z.conj() * 1j)).sum(), z))
show(grad(lambda z: abs((z * (i + 1)).sum()) + abs((z**2).mean()) + z[:3].prod().real, z))
at = i * 5 % 4
show(grad(lambda z: size(z[at] * (1 + 1j * i)).sum(), z))
show(grad(lambda z: abs(z * z + 1j * z).sum(), z), ".3f")
a = table((n, n), lambda i, j: complex((i + 2 * j) % 5 / 4, i * j % 3 - 1), complex)
y = i + 1j
fit = lambda a, z: size(a @ z - y).mean()
show(grad(lambda z: fit(a, z), z))
ga = grad(lambda a: fit(a, z), a)
for k in range(0, n, 3):
    print(f"{ga[k, 2]:.6f}")
s = grad(lambda s: (abs(s[0] * u + 1j) ** 2).sum(), np.array([0.5 - 0.25j]))
print(f"{s[0]:.6f}")
for t in range(400):
    z = z - 0.05 * (2 * (a.T @ (a @ z - y).conj()) / n).conj()
assert fit(a, z) < 3.2, fit(a, z)
print("true")
