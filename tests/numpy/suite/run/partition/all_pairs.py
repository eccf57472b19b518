r = table((5, 7), lambda i, j: 10*i+j); c = r; t = c + 100; w = t + 100; r2 = w + t
print(c); print(t); print(w); print(r2); print("true true 0")
print(r + c*t - w)
