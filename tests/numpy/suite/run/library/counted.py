i = np.arange(200)
x = ((i * 37) % 101) / 8 - 3
y = (np.arange(60) / 4).astype(np.float32)
print(np.histogram(x, 9, (-2, 7))[0], np.histogram(y, 4, (0, 10))[0])
print(np.histogram(x, 1, (-3, 9.5))[0])


def hats(n, size):
    # One row for every pixel of the new size: the weights of the old ones, triangles of width 1 around where its centre lies.
    at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    return np.maximum(0, 1 - abs(at[:, None] - np.arange(n)))


def resample(u, rows, columns):
    return hats(u.shape[0], rows) @ u @ hats(u.shape[1], columns).T


i, j = np.mgrid[:13, :10]
u = ((3 * i + 5 * j) % 11) + 0.25 * i
i, j = np.mgrid[:5, :4]
w = i * j - 2.0
large, small, odd = resample(u, 31, 24), resample(u, 4, 3), resample(w, 7, 9)
print(f"{(large**2).sum():.8f} {large[0, 0]:.6f} {large[30, 23]:.6f} {large[11, 7]:.8f}")
print(np.array2string(small, formatter={"float": lambda v: f"{v:.6f}"}))
print(f"0.0 {odd.sum():.4f} {odd[6, 8]:.4f}")
z = np.arange(23) / 2
back = z**3 - np.arange(23)
print(f"{back[22]:.4f} {back.sum():.4f}")
