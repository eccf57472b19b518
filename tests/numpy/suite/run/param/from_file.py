n, m, x, whole, kept = 5, 7, 0.1, 3.0, 0.125
values = [n, m, n * m, -(2**31), 2**64 - 1, 2**32 - 1, x, 0.001, 0.1, 3.14, whole, "true false", 1.5 - 2j, complex("-0.5j")]
assert bf16(3.14) == bf16(3.14159) and np.float16("0.1") == np.float16(0.1)
print(*values, kept, 0.001, x + whole)
print(np.array([x, whole, kept])[np.arange(m) % 3] * n)
