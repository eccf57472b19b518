u = reader(np.array([1, 2]), "periodic"); v = table((2,), lambda i: u(i-1)*10+u(i+3))
a = reader(table((1, 3), lambda i, j: j), "clamp"); b = table((1, 3), lambda i, j: a(i-1,j-1)+10*a(i+1,j+1))
c = reader(table((3, 2), lambda i, j: 10*i+j), "mirror"); d = table((3, 2), lambda i, j: c(i-1,j-1)+100*c(i+2,j+1))
print(v, b); print(d); print(v.sum(), b.max(), d.min())
