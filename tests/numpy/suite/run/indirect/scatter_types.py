np.seterr(over="ignore")
F, H = np.float32, np.float16
n, m = 700, 9
i = np.arange(n)
bins = np.where(i % 10 < 8, 0, i // 7 % (m - 1))
thirteen, seven = i % 13 - 6, i % 7 - 3


def go(values, start, ops, shape=()):
    """Every operation on its own row, value by value."""
    x = np.full((len(ops), m, *shape), start)
    for t in range(2):
        moved = (bins + t + i % 2) % (m - 1)
        for row, op in zip(x, ops):
            for k in i:
                row[bins[k]] = op(row[bins[k]], values[k])
        for row, op in zip(x, ops):
            for k in i:
                row[moved[k]] = op(row[moved[k]], values[k])
    return x


add, sub, mul, div = (lambda a, b: a + b), (lambda a, b: a - b), (lambda a, b: a * b), (lambda a, b: a / b)
whole = [add, sub, min, max, mul]
odd = i % 5 * 2
for dtype, first in (np.int32, -3), (np.int64, -3), (np.uint32, 1), (np.uint64, 1):
    print(go((odd + first).astype(dtype), dtype(1), whole))
half = lambda f: lambda a, b: H(f(F(a), F(b)))
print(go(H(1) + thirteen.astype(H) / H(256), H(1), [half(f) for f in [*whole, div]]))
brain = lambda f: lambda a, b: bf16(f(F(a), F(b)))
print(go(bf16(1 + thirteen / 128), F(1), [brain(f) for f in [*whole, div]]))
for dtype in F, np.float64:
    print(go(dtype(1) + thirteen.astype(dtype) / dtype(100), dtype(1), [*whole, div]))


def product(x, y):
    (a, b), (c, d) = x, y
    return a * c - b * d, a * d + b * c


def quotient(x, y):
    """Smith's formula."""
    (a, b), (c, d) = x, y
    one = type(c)(1)
    if abs(c) >= abs(d):
        r = d / c
        s = one / (c + d * r)
        return (a + b * r) * s, (b - a * r) * s
    r = c / d
    s = one / (d + c * r)
    return (b + a * r) * s, (b * r - a) * s


for dtype, both in (F, np.complex64), (np.float64, np.complex128):
    parts = np.stack([dtype(1) + thirteen.astype(dtype) / dtype(100), seven.astype(dtype) / dtype(10)], 1)
    x = go(parts, dtype(1), [add, sub, product, quotient], (2,))
    print(np.ascontiguousarray(x).view(both)[..., 0])
