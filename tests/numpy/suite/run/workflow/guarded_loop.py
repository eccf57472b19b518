w = [1.0, 2.0, 4.0]
print(2, 0.0)
print(1, w[1] + w[2])
print(0, w[0] + w[1])
