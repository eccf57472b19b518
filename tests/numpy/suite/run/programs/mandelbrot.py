def rounds(i, j):
    c = complex(-2.0 + 3.0 * j / 24, -1.2 + 2.4 * i / 9)
    x = y = 0.0
    for k in range(50):
        x, y = x * x - y * y + c.real, 2 * x * y + c.imag
        if x * x + y * y > 4:
            return k
    return 50


print(table((9, 24), rounds))
