folder = SUITE / "run/cyclic"
a = table((9, 4), lambda i, j: (7 * i + 3 * j) % 11 / 4, float)
np.save(folder / "files.in.a.npy", a)
print(a)
b = a + a[::-1]
np.save(folder / "files.want.b.npy", b)
np.save(folder / "files.want.s.npy", b.sum(axis=1))
print(b.sum(axis=1))
