i = np.arange(50)
h, b = (i * 37) % 50 - 60.0, (i * 23) % 50 + 3.0
print(h.max(), b.min())
print(-100.0, min(7.0, b[20:24].min()))
