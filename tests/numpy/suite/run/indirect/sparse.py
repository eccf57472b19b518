n = 60
a = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
x = (np.arange(n) * 7 % 11).astype(float)
print(a @ x)
print(0.0)
for t in range(3):
    x = a @ x
print(x)
