folder = SUITE / "run/complex"
z = table((5, 7), lambda i, j: complex(i * 37 % 19, j - 3) / 8, np.complex64)
np.save(folder / "files.in.z.npy", z)
f = np.asfortranarray(table((3, 4), lambda i, j: complex(10 * i + j, -j), complex))
np.save(folder / "files.in.f.npy", f)
print(z)
print(f)
np.save(folder / "files.want.d.npy", np.ascontiguousarray((z.conj() * np.complex64(2j)).astype(complex).T))
np.save(folder / "files.want.again.npy", z)
# A real factor acts on both parts.
s = np.empty(6, complex)
s.real, s.imag = f[1, 2].real * np.arange(6), f[1, 2].imag * np.arange(6)
np.save(folder / "files.want.s.npy", s)
