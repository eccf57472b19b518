s = np.arange(16384)
x = np.sin(np.add.outer(s, 3 * np.arange(6)).astype(float))
y = np.outer(x[:, 0], np.arange(4))
w, b = np.zeros((4, 6)), np.zeros(4)
for step in range(4):
    r = 2 * (x @ w.T + b - y) / y.size
    w, b = w - 0.1 * r.T @ x, b - 0.1 * r.sum(0)
show = lambda a: np.array2string(a, formatter={"float_kind": lambda v: f"{v:{width}.6f}"})
width = max(len(f"{v:.6f}") for v in w.flat)
text = show(w)
width = max(len(f"{v:.6f}") for v in b.flat)
print(text, show(b))
