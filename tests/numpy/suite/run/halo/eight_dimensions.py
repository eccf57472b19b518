shape = (2, 3, 2, 2, 3, 2, 2, 3)
u = np.arange(math.prod(shape)).reshape(shape)
v = np.roll(u, (1, -1, 1, -1), (0, 2, 5, 7))-2*np.roll(u, (1, -1, -2, 1), (1, 3, 4, 6))
print((v**2).sum(), v.max())
for a in range(2):
    print(v[a, a+1, 1, 0, 2, 1-a, 1, 2], v[1-a, 0, a, 1, a, a, 0, 1])
print(*np.unravel_index(v.argmin(), shape))
