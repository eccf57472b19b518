u = np.arange(11)**2; v = np.arange(11)
for t in range(4):
    w = (np.roll(u, 1) + np.roll(v, -1)) % 97
    v = (np.roll(u, -1) - np.roll(w, 2)) % 97
    u = (w + np.roll(v, 1)) % 97
print(u); print(v); print(w)
