b = np.arange(6) + 1.0
last = np.zeros(6)
last[5] = b[5]
print(b, 2 * b, last, 3 * b, 3 * last, sep="\n")
