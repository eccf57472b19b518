inf, top = np.inf, np.iinfo
print(0.0, 1.0, inf, -inf, "nan", 0, "false true")
print(0, 1, top(np.int32).max, top(np.int32).min, "nan", top(np.uint64).max, 0, 0.0, inf, -inf)
print("false true", 0, "0j", 1 + 0j, 0.0, top(np.int64).min, top(np.uint32).max)
print(np.zeros(3), np.full(3, inf), np.ones(3), np.ones(6, int), np.zeros(4), sep="\n")
n = range(6)
v = np.arange(6) - 2


def each(f, lo, hi, v, none):
    """f of the terms from lo(i) to hi(i); `none` where there are none."""
    return np.array([f(v[lo(i) : hi(i)]) if lo(i) < hi(i) else none for i in n])


zero, to = (lambda i: 0), (lambda i: i)
at = lambda k: lambda i: i + k
end = lambda k: lambda i: k
print(each(np.sum, zero, to, v * 1.0, 0))
print(each(np.min, zero, to, v * 1.0, inf))
print(each(np.max, to, end(3), v, top(np.int64).min))
low = [top(np.int64).max] + [-2] * 5
print(np.array([(x - 2 + 2**63) % 2**64 - 2**63 for x in low]))
print(each(np.min, zero, to, v, top(np.int32).max))
print(each(np.prod, end(2), to, v, 1))
print(each(np.min, to, end(4), v + 3, top(np.uint32).max))
print(each(np.max, at(1), end(4), v + 3, 0))
print(each(np.max, zero, to, v.astype(np.float16), -inf))
print(each(np.min, at(1), end(6), v.astype(np.float32), inf))
s = each(np.mean, zero, to, np.arange(6.0), np.nan).astype(np.float32)
print(s)
print(each(np.prod, end(3), to, s, 1))
print(each(np.any, zero, to, v == 0, False))
print(each(np.all, to, end(6), v > 1, True))
print(each(np.sum, at(1), end(4), (v + 2 + 1j).astype(np.complex64), 0))
x = np.arange(6) + 1
yes = lambda b: "true" if b else "false"
for q in range(3):
    part = x[2 * q : 4]
    least, most = (part.min(), part.max()) if len(part) else (top(np.int64).max, top(np.int64).min)
    mean = x[2 * q : 3].mean() if 2 * q < 3 else math.nan
    print(float(x[q:1].sum()), most, least, x[q:2].prod(), yes(len(x[q:1])), yes(all(x[q:2] > 1)), (x[3 * q : 5] > 2).sum(), mean)
start = np.arange(7) ** 2 // 6
lo, hi = (lambda i: start[i]), (lambda i: start[i + 1])
j = np.arange(7)
print(each(np.max, lo, hi, j / 2, -inf))
print(each(np.min, lo, hi, j, top(np.int64).max))
print(each(np.all, lo, hi, j > 2, True))
print(np.zeros(4))
print(np.full(4, float(top(np.int64).min) + float(top(np.int64).max)))
