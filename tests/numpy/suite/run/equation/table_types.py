i, d = np.arange(9), np.arange(3)
w, v = np.array([1, 2, 1]), np.array([0.5, 0.1])
a = w[i % 3]
# Types of two bytes compute in f32 and round every result.
half = lambda x: np.float16(np.float32(x))
h = half(half(np.float32(half(v[i % 2])) * np.float32(3)).astype(np.float32) + w[i % 3].astype(np.float32))
at = np.add.outer(i, d)
# A sum of products whose factors both change: in f64, as both tables have no other type there; else in f32.
f = np.float32
chain = np.zeros(9, f)
for k in range(3):
    wk, vk = w[at[:, k] % 3].astype(f), v[at[:, k] % 2].astype(f)
    chain = (wk.astype(float) * vk.astype(float) + chain.astype(float)).astype(f)
u = (chain + v[i % 2].astype(f)).astype(f)
print(a, a, np.array2string(h))
print(np.array2string(u, formatter={"float_kind": lambda x: f"{x:.9f}"}))
big = np.array([300, -1])
print((big[i % 2] * a).sum(), f"{np.sum(v[i % 2] * w[i % 3]):.15f}")
