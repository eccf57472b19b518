a = table((6, 5), lambda i, j: 7 * i + 3 * j, np.int32)
b = table((7, 9), lambda i, j: 2 * i + 5 * j, np.float32)
c = table((3, 5, 7), lambda i, j, k: 9 * i + 4 * j + k, np.float64)
d = table((5, 11), lambda i, j: (3 * i + j) % 4 == 1, bool)
row = lambda i, n, edge: sees(i, n, edge)[0]
A = lambda i: a[row(i, 6, "periodic")]
B = lambda i: b[row(i, 7, "mirror")]
C = lambda i, j: c[row(i, 3, "periodic"), row(j, 5, "clamp")]
D = lambda i: d[row(i, 5, "clamp")]
show = lambda v: np.array2string(v, separator=" ")
print(A(-2) + A(7), A(8) - A(-5) + A(3))
for v in (B(-3) + B(9), B(8) * B(-1), C(-2, 8) + C(4, -1) + C(5, 2)):
    print(v)
print(D(9) | D(-2))
print(A(-1).sum(), repr(float(B(-2).max())), repr(float(C(4, 7).sum())), D(7).sum())
