u = np.arange(5); v = u; u = np.roll(u, 1); print(u, v)
for t in range(3): x = u+t; u = np.roll(u, 1); v = v+x*u
print(u, v); w = np.roll(u, 1); k = u; u = np.roll(u, 2); print(w, u, k); print(np.roll(u, 3))
