a = table((2, 3), lambda i, j: np.float32(i)-np.float32(j)*np.float32(1.5), np.float32); print(a); print(np.eye(2, dtype=bool))
print(1e6*np.arange(5.0)**3+0.001); print(np.arange(1001)**2); print(table((40, 30), lambda i, j: 1000*i+j))
print(table((7, 200), lambda i, j: i/7+j, float)); print(table((2, 3, 2, 2), lambda i, j, k, l: 1000*i+100*j+10*k+l))
print(np.array([np.inf, -np.inf, np.nan, 1e-20])); print(np.array([0, 2**64-1], np.uint64))
