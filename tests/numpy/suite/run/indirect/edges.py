k = np.arange(40) - 15
a = np.arange(9) + 1.0
for edge in ["clamp", "periodic", "mirror", "odd", ("constant", -0.5)]:
    read = reader(a, edge)
    print(np.array([read(i) for i in k]))
f = (10 * np.arange(5)[:, None] + np.arange(6)).astype(np.int32)
read = reader(f, "periodic", ("constant", 7))
print(np.array([float(read(i, i // 2)) for i in k]))
