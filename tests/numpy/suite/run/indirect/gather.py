n = 97
i = np.arange(n)
x = ((i * 37) % n).astype(float)
everything = x / 2
idx = (i * i + 5) % n
short = (i[:, None] + 11 * np.arange(3)) % n


def total(v):
    return repr(math.fsum(v))


print(total((x[idx] + everything[idx]) * i))
y = x[idx[idx]]
print(f"{float(y[3])!r} {float(y[n - 1])!r} {total(y * i)}")
print(total((x[short] * [1, 2, 3]).sum(1) * i))
for t in range(4):
    x = x[idx] - x
    new = x.copy()
    new[3 : n - 2] = x[idx[3 : n - 2]] / 2
    x = new
print(f"{total(x)} {float(x[5])!r} {float(x[idx[7]])!r}")
m = (np.arange(20)[:, None] * 100 + np.arange(30)).astype(np.float32)
at = (np.arange(20) * 7) % 30
k = np.arange(20)
print(m[k, at] + m[19 - k, at // 2])
print(f"{float(x.max())!r} {float(m[at[2], at[3] + 1])!r}")
print(total(np.where(i > 90, x[idx // 2], 0)))
