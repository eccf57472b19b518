a = table((5, 7), lambda i, j: i-2*j); b = table((7, 4), lambda i, j: 3*i+j); x = np.arange(7)**2
print(a@b); y = a@x; print(y)
c = table((37, 40), lambda i, j: (i-j)/4, float)@table((40, 35), lambda i, j: (i+2*j)/8, float)+0.5
print(c.sum(), c[0, 0], c[36, 34], c[17, 5])
print(a@x+2*y-1)
