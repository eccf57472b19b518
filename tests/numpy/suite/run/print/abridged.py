np.seterr(all="ignore")
G = np.indices
a = (np.arange(1500) - 700) / 3
q = np.arange(1001, dtype=np.float32)
b = q * q * q / np.float32(7)
i, j = G((1001, 2))
c = np.where(i < 500, i / 4 - j, 1e9 + i * j)
i, j = G((3, 400))
d = (1000 * i - j).astype(np.int32)
i, j, k = G((7, 8, 40))
e = 10000 * i + 100 * j + k
i, j, k, l = G((7, 2, 9, 8))
f = (i + j) / 2 - k * l
g = np.arange(2000) % 3 == 1
h = (np.arange(1200) % 11).astype(np.float16) / np.float16(7)
i, j = G((40, 30))
z = i / 2 - 1j * j
y = (np.arange(1100, dtype=np.float32) / np.float32(3) + 1j).astype(np.complex64)
i, j = G((4, 250))
k, l = G((3, 30))
small = k / 7 + l
far = np.arange(2000.0) % 7
far[3:1997] = 1e-12
print(a, b, c, sep="\n")
print(d, e, f, sep="\n")
print(g, h, z, y, sep="\n")
print(np.arange(1000) ** 2, i - j, small, sep="\n")
print(np.zeros(0), np.zeros((3, 0), int), np.full((1, 1, 1), -0.0), far)


def array(a, form):
    # Widths are those of what is shown.
    shown = a
    if a.size > 1000:
        for axis, n in enumerate(a.shape):
            if n > 6:
                shown = np.take(shown, [0, 1, 2, n - 3, n - 2, n - 1], axis)
    width = max(len(format(v, form)) for v in shown.ravel())
    kind = {"c": "complex_kind", "i": "int_kind", "f": "float_kind"}[a.dtype.kind]
    return np.array2string(a, formatter={kind: lambda v: format(v, form).rjust(width)}, max_line_width=75)


print(array(a, ".2f"), array(c, ".1e"), array(d, "6d"), array(z, ".1f"), array(small, "8.3f"), sep="\n")
far[1], far[1998] = np.nan, -np.inf
print(far)
far[0], far[1999] = 1e10, -1e-10
print(far)
