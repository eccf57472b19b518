p = reader(np.arange(1, 6), "periodic"); c = reader(np.arange(1, 6), "clamp"); k = reader(table((4, 3), lambda i, j: i+j, float), ("constant", 0.5))
print(sum(p(i) for i in range(-2, 8)), sum(c(i) for i in range(-2, 8)), sum(c(i+4) for i in range(3, 9)), max(p(i) for i in range(-20, 0)))
print(sum(k(i, j) for i in range(-1, 5) for j in range(-1, 4)), sum(k(i, j) for i in range(4, 7) for j in range(3)))
