n = 20000
x = np.sin(np.add.outer(4 * np.arange(n), np.arange(4)).astype(float))
y = 1 + x[:, 0] * x[:, 2]
w1 = np.sin(np.add.outer(np.arange(4), 3 * np.arange(6)).astype(float))
b1, w2, b2 = np.zeros(6), np.cos(np.arange(6.0)), np.zeros(1)


def forward():
    z = np.tanh(x @ w1 + b1)
    return z, z @ w2 + b2[0] - y


for t in range(3):
    z, r = forward()
    o_bar = 2 * r / n
    z_bar = np.outer(o_bar, w2) * (1 - z**2)
    w1, b1, w2, b2 = w1 - 0.1 * x.T @ z_bar, b1 - 0.1 * z_bar.sum(0), w2 - 0.1 * z.T @ o_bar, b2 - 0.1 * o_bar.sum()


def show(a):
    width = max(len(f"{v:.12f}") for v in a.flat)
    return np.array2string(a, formatter={"float_kind": lambda v: f"{v:{width}.12f}"})


print(f"{np.mean(forward()[1] ** 2):.12f} {show(b2)}")
print(show(w2))
print(show(b1))
print("[" + ", ".join(f"{v:.12f}" for v in w1[1]) + "]")
