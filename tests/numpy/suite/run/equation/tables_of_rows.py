blur = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
cube = np.arange(1, 13).reshape(2, 2, 3)
u = table((9, 7), lambda i, j: (i * 5 + j * j) % 11, float)
at = reader(u, "mirror")
v = table((9, 7), lambda i, j: sum(blur[k, l] * at(i + k - 1, j + l - 1) / 16 for k in range(3) for l in range(3)), float)
print(v)
print(cube + cube[::-1, :, ::-1], cube.sum(), cube[1, 1, 2])
pick = np.arange(9) % 3
h = [blur[p, 2 - p] + cube[i % 2, 2 * i % 2, 3 * i % 3] for i, p in enumerate(pick)]
print(np.array(h, np.float32))
turn = np.array([[0, -1], [1, 0]], np.int32)
print(turn @ np.array([[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]], np.int32))
unit = np.array([1, 1j, -1j, -1])
print(unit * -1j + 0, 2)
