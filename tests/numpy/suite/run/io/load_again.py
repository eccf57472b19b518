f = np.asfortranarray(np.arange(12.0).reshape(3, 4)); np.save(SUITE/"run/io/load_again.in.fortran.npy", f); print(f)
k = np.arange(6)
for t in range(3): k = 2*k+1
print(k)
