H, F = np.float16, np.float32
n = 3000
i = np.arange(n)
# All terms are whole multiples of a power of two: sums are exact, whatever the order.
x = ((i % 64 - 20) / 16).astype(H)
y = ((i * 7) % 32 / 8).astype(H)
b = ((i * 5) % 128 - 60) / 32
X, Y = x.astype(float), y.astype(float)
show = lambda v: str(H(v)) if abs(v) < 1000 else repr(float(str(H(v))))
B = {}


def brief(v):
    """The fewest digits that bf16 tells apart."""
    v = float(bf16(v))
    for digits in range(1, 6):
        text = f"{v:.{digits - 1}e}"
        if float(bf16(float(text))) == v:
            return repr(float(text))


print(show(X.sum()), show(F(X.mean())), show(X.min()), show(Y.max()))
print(brief(b.sum()), brief(b.mean()), brief(b.min()), brief(b.max()))
z = (100 * Y[:40]).astype(H).astype(float) ** 2
assert z.sum() > 65520
print("inf", show(z.mean()), show((X * Y).sum()), F((X**2).sum()))
p = 1.0
for v in (1 + (x[:10] / H(64))).astype(H):
    p *= float(v)
print(show(F(p)), (x > y).sum(), "false", str(bool((b < 2).all())).lower())
print(X.argmax(), b.argmin(), Y.argmin())
a = table((30, 70), lambda i, j: ((i * 13 + j * 29) % 101 - 50) / 32, float)
print(a.sum(1).astype(H))
print((a * 2).max(1).astype(H))
print(a.mean(1).astype(F).astype(H))
print((a[:, 3] * np.where((np.arange(30) == 0) | (np.arange(30) == 29), 2, 3)).astype(H))
c = bf16((a * a[:, ::-1]).sum(0))
print(c)
print(a.argmin(1).astype(H))
l = table((9000, 3), lambda i, k: ((i * 7 + k) % 50 - 24) / 64, float)
print((l * l[:, ::-1]).sum(0).astype(H))
print((l.mean(0).astype(F).astype(H) + H(1)))
