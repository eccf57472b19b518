b = table((5, 6), lambda i, j: 100+10*i+j); b[1:4, 0] = 3; b[0] = 1; b[4] = 2; print(b)
z = np.zeros(16, int); z[::2] = np.arange(8); z[1::2] = -np.arange(8); print(z)
lo = np.where(np.arange(8) < 4, np.arange(8), 0); print(lo); hi = np.arange(8)-lo; print(hi)
print(hi*0); print(hi)
