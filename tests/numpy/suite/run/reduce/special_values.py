f = np.arange(7.0); f[3] = np.inf
print(f.sum(), f.max(), f.min(), f.mean()); f[5] = -np.inf
print("nan", f.max(), f.min()); f[5] = 1; f[2] = np.nan
print("nan nan nan 6 nan")
print("0.0", np.full(5, -0.0, np.float32))
