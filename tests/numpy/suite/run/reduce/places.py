def first(a, pick):
    return np.unravel_index(pick(a), a.shape)


a = table((5, 8), lambda i, j: (7 * i + 5 * j) % 11, float)
k = np.arange(40) * 17 % 13
f = (np.arange(40) * 7 % 10 - 4.5).astype(np.float32)
y, x = first(a, np.argmax)
p, q = first(a[1:5:2, 2:8:3], np.argmin)
p, q = 1 + 2 * p, 2 + 3 * q
print(y, x, p, q, a[y, x], a[p, q])
print(k.argmax(), k.argmin(), 1 + k[1:].argmin(), 30 + (-k[30:]).argmax(), k.argmax())
print(f.argmax(), f.argmin(), abs(f).argmax(), 0)
place = a.argmax(1)
print(place, np.array([a[i, i:].argmin() + i for i in range(5)]) + np.arange(5))
f[[7, 21]] = np.nan
a[3, 2] = np.nan
r, c = first(a, np.argmin)
print(place, a.argmin(1), f.argmax(), f.argmin(), r, c)
print(0, 0)
top = k.argmax()
k[top] *= -1
print(k[top], k.argmax())
