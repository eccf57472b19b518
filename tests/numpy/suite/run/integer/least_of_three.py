i = np.arange(40)
a, b, c = (i * 17) % 23 - 11, (i * 5) % 19 - 9, (i * 3) % 13 - 6
least, most = np.minimum(np.minimum(a, -b), c), np.maximum(np.maximum(-a, b), -c)
for x in (least, most, least, most):
    print(x)
print(np.minimum(a, (-a).min()))
print(np.array([max([a[k]] + [-a[j] for j in range(k)] + [-a[j * 7 % 40] for j in range(k)]) for k in i]))
