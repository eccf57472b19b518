c = 0.285 + 0.01j


def steps(i, j):
    z = complex(j / 4 - 1.375, i / 4 - 1.375)
    for t in range(100):
        z = z * z + c
        if (z * z.conjugate()).real > 4:
            return t
    return 100


print(table((12, 12), steps, np.int32))
shift = np.complex64(-0.1j)
print((np.arange(4, dtype=np.float32) + shift).astype(np.complex64), c, "-0.1j", 2 * c)
