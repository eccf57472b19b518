for e in ["clamp", "periodic", "mirror", "odd", ("constant", -5)]:
    r = reader(np.arange(1, 4), e)
    print(table((17,), lambda i: r(i-7)))
