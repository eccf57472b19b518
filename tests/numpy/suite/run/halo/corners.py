for e in [("periodic", "mirror"), ("clamp", "odd"), (("constant", 7), "periodic")]:
    u = reader(table((6, 5), lambda i, j: 10*i+j+1), *e)
    print(table((6, 5), lambda i, j: u(i-1, j-1) + 100*u(i+1, j+2) - u(i-2, j+1)))
