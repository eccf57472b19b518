def others(z):
    """The product of all but each."""
    return np.array([math.prod(x for j, x in enumerate(z) if j != i) for i in range(len(z))]) + 0.0


u = np.arange(6.0) - 2
positive = np.where(u > 0, u, 1)
print(np.where(u > 0, 0.5 / np.sqrt(positive), 0))
some = np.where(u == 0, 1, u)
print(np.where(u == 0, 0, (some * np.cos(some) - np.sin(some)) / some**2))
print(np.where(u > 0, 1 / positive, 1))
u = np.arange(6.0)
# x sqrt(x) is more than x from 2 on.
print(np.where(u > 1, 1.5 * np.sqrt(u), 1))
print(np.where(u > 0, 1.0, 0.0))
print(others(np.arange(7.0) + 1))
print(others(np.arange(7.0) - 1))
print(others((np.arange(7.0) - 1) * (np.arange(7.0) - 3)))
m = np.add.outer(np.arange(3.0), np.arange(4.0)) - 2
print(np.array([2 * np.prod(row) * others(row) for row in m]) + 0.0)
