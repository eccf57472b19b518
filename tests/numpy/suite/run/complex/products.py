n = 64
j = np.arange(n)


def times(a, b):
    """A product of complex numbers as two arrays each: every product is rounded, and then every sum."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def bits(z):
    kind = np.uint64 if z[0].dtype == np.float64 else np.uint32
    print(*(int(x.astype(x.dtype).view(kind).astype(np.uint64).sum()) for x in z))


z = (j * 37 % n / 7, j * 11 % n / 3)
e = (j * 5 % n / 13, j * 3 % n / 11)
w = times(z, e)
r = (w[0] * 0.1 - w[1] * 0.7, w[0] * 0.7 + w[1] * 0.1)
z = w
w = (np.zeros(n), np.zeros(n))
for k in range(n):
    term = times((z[0][k], z[1][k]), (e[0][j * k % n], e[1][j * k % n]))
    w = (w[0] + term[0], w[1] + term[1])
s = ((j * 37 % n).astype(np.float32) / np.float32(7), (j * 11 % n).astype(np.float32) / np.float32(3))
t = times(s, (s[0][::-1], s[1][::-1]))
bits(z)
bits(r)
bits(w)
bits(t)
