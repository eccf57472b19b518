n = 10007; u = np.arange(n)**2 % 1009; v = np.roll(u, 1) + np.roll(u, -1000) - np.roll(u, 5003); w = v[::-1]
print(v.sum(), v.max(), v.min(), w[3], w[n-1], (np.arange(n)*v).sum(), u[5:n-5:7].sum())
