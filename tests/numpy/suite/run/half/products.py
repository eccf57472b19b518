H, F = np.float16, np.float32
a = table((37, 50), lambda i, k: ((i * 31 + k * 17) % 64 - 31) / 64, float)
b = table((50, 29), lambda k, j: ((k * 11 + j * 23) % 128 - 63) / 128, float)
# Every sum is a whole multiple of 2^-13 below 64: exact in f32.
print((a @ b).astype(H))
shifted = (b.astype(H) + H(1)).astype(float)
print(H(2) * (a @ shifted).astype(H) - H(1))
x = (np.arange(50) - 25) / 64
print(bf16(bf16(a).astype(float) @ x))
p = table((40, 40), lambda i, j: ((i * 7 + j * 3) % 32 - 15) / 16, float)
print((p @ p).astype(F))
g = x
rest = (a @ g).astype(H) - H(0.25)
by = []
for k in range(50):
    # d mean(r^2) / dx = sum of (1 / m * 2 r) * a
    one = H(1 / 37)
    by.append(H(sum(float(H(H(H(2) * r) * one)) * v for r, v in zip(rest, a[:, k]))))
print(np.array(by))
true = 2 / 37 * (a @ g - 0.25) @ a
print(f"{abs(np.array(by, float) - true).max():.0e}", str(bool((abs(true) > 0.002).any())).lower())
x = g.astype(H)
grown = np.exp(x.astype(F)).astype(H)
print(grown * x + grown)
