n = 11
p = np.arange(n)**2; r = reader(p, "periodic")
flux = table((n+1,), lambda i: r(i)-r(i-1)); print(flux)
p = p + flux[1:] - flux[:-1]; print(p)
inner = p[1:] - p[:-1]; print(inner)
far = flux[:-1] + flux[1:] + p; f = reader(far, "clamp"); print(table((n,), lambda i: f(i-3)+f(i+3)))
cell = table((n, 4), lambda i, j: 10*i+j)
face = np.zeros((n+1, 4), int); face[1:] += cell; face[:-1] += cell
print(face.sum(), face[n, 2], face[0, 1])
