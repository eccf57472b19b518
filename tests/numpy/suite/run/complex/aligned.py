i, j = np.mgrid[0:15, 0:10].astype(float)
a = (i + 1j * j)[:14, :9]
b = (j + 1j * i)[:14, :9]
c = (i - j) + 1j * (i + j)


def moved(z, di, dj):
    """z[i + di, j + dj] with clamped rows and periodic columns."""
    rows = np.clip(np.arange(z.shape[0]) + di, 0, z.shape[0] - 1)
    return np.roll(z, -dj, axis=1)[rows]


a = moved(a, -1, 2) + b + moved(c, 1, 0)[:14, :9]
b = moved(b, 1, -1) * 2
c = moved(c, -1, -1) - b[0, 0]
back = a.real + b.imag
columns = np.minimum(np.arange(10), 8)
more = back[:, columns] + moved(c, 1, 0)[:14].imag
listed = lambda v: "[" + ", ".join(str(float(x)) for x in v) + "]"
print(listed(a[:, 3].real), listed(a[:, 4].imag))
print(complex(a.sum()), complex(b.sum()), complex(c.sum()))
print(back)
print(float((more * (i + 2 * j)[:14]).sum()))
