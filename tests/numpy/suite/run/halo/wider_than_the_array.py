for e in ["periodic", "mirror", "odd", "clamp", ("constant", 100)]:
    u = reader(np.arange(1, 5), e)
    print(table((4,), lambda i: sum((w+10)*u(i+w) for w in range(-9, 10))))
