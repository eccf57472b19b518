a = np.arange(10)*7 % 10-3
print(100*(a//3)+a % 3); print(abs(4-2*a)); print(4*a+a.sum())
print(sum(c*np.roll(a, -d) for c, d in zip([1, -8, 0, 8, -1], range(-2, 3)))); print(np.arange(4, dtype=np.float32)/2)
print(a.min(), a.max(), a.sum(), float(a.std()), 8); print(2, 9)
