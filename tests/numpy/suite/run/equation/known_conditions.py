f = np.float32
i = np.arange(6, dtype=f)
print(f(1) / f(3) + i)
print(i / f(7))
print(f(2) / f(3) + i)
print(np.full(6, 0.5))
print(np.full(6, 3))
print(np.zeros(6, f))
