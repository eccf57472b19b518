b = reader(np.arange(4) + 1, "odd"); c = reader(10 * np.arange(3) + 10, "periodic")
print(table((5,), b)); print(table((5,), lambda i: b(i - 2) + c(i + 1)))
print(sum(b(i) for i in range(5)), b(4), c(-4), b(5)**4)
