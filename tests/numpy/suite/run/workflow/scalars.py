u = np.arange(6)/2; k = table((3, 3), lambda i, j: i-j)
a = u[2]+u[5]; b = u.sum()*2+a; print(a, b, -2, 2, 7, 2, 5)
u = u/u.sum(); print(u.sum(), u[5]); k = k+7; print("big", np.trace(k))
print(1, 2, 7, 2, 5, math.sqrt(np.trace(k)-2), np.float32(1)/np.float32(3), 3, -4, 2, 1024, 2.25); print(-0.0)
