r, c, k = 97, 17, 515
square = lambda v: float((np.asarray(v, float) ** 2).sum())
a = table((r, k), lambda i, l: (5 * i + 3 * l) % 7 - 3)
b = table((k, c), lambda l, j: (2 * l + 7 * j) % 5 - 2)
p = a @ b
print(square(p), float(p[96, 16]), float(p[0, 0]))
p = a[:, :512] @ b[:512]
print(square(p), float(p[96, 16]), float(p[95, 15]))
ta = table((k, 96), lambda l, i: (i + 2 * l) % 9 - 4)
tp = ta.T @ b[:, :16]
print(square(tp), float(tp[95, 15]))
tall = table((780, 33), lambda i, l: (i + l * l) % 11 - 5)
thin = table((33, 9), lambda l, j: (l * 3 + j) % 4 - 1)
tallp = tall @ thin / 2
print(square(tallp), tallp[779, 8], tallp[767, 0])
flat = table((7, 33), lambda i, l: (3 * i + l) % 5 - 2)
wide = table((33, 1041), lambda l, j: (l + j * 5) % 13 - 6)
widep = flat @ wide
print(square(widep), float(widep[6, 1040]), float(widep[5, 1023]))
print(0.0)
