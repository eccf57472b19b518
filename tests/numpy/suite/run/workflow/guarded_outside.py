w = [1.0, 2.0, 4.0]
print(7.0, 0.0)
print(w[0], 0.0)
print(w[2], w[1])
