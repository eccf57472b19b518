u = np.arange(7); rows = np.zeros((5, 7), int); h = np.zeros(5, int)
for t in range(5):
    rows[t] = u+t; h[t] = (u*u).sum(); u = np.roll(u, 1)+rows[t] % 5
print(h); print(rows); print(u)
for t in range(4): print(rows[t+1]-rows[t])
