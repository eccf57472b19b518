x = np.arange(4)+1; m = table((4, 6), lambda i, j: x[i]*10+j); k = table((6, 4, 3), lambda a, b, c: m[b,a]+100*c+x[b])
q = table((3, 4, 6), lambda a, b, c: k[c,b,a]-m[b,c]*x[b]); h = table((2, 3, 4, 5), lambda a, b, c, d: q[b,c,d]+x[c]*a)
print(k); print(q); print(h)
