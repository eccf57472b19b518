u = np.arange(10) * 3 + 1
print(np.roll(u, 7)); print(np.roll(u, -25)); print(u - u)
