n = 37
i = np.arange(n)
x, p, u = i / 4, i.astype(float), i * i % 23
a = table((n, 11), lambda i, j: (3 * i + 5 * j) % 7)
z = (i % 3 - 1) + 0.5j
start = np.arange(n + 1) ** 2 // 2
w = [3, 1, 4, 1, 5, 9, 2, 6]
c = lambda v: str(complex(v))


def chained(terms):
    x, y = 1, 0
    for c, d in terms:
        x, y = x * c % 97, (y * c + d) % 97
    return f"{x} {y}"


def best(pairs, sign):
    """The first place of the greatest (sign 1) or least value."""
    return max(pairs, key=lambda q: (sign * q[1], [-v for v in q[0]]))[0]


k = 1
while k < 30:
    k = 3 * k + 2
    m = min(k, n)
    b = u[k % 11]
    print(f"{k} {m} {b}: {x[:m].sum()} {u[:m].sum()} {u[b:m].max()} {u[: b + 1].mean():.9f} {(u[b + 1 : m] > u[b : m - 1]).sum()}")
    print(x[m - 1] - x[0], c(z[m - 2 : m].prod()), "true", 0.0)
    print(u[b:m:3].sum(), a[:m, b % 11 :: 2].sum(), u[m - b % 5 :: 2].min() if m - b % 5 < n else 2**63 - 1)
    print(sum(w[: m % 8]), c(z[:m].sum()))
    print(str(sum(range(a[1, 1], a[2, 2])) >= 2).lower(), 2 + sum(range(min(b, 4))))
    print(u[min(b, 3) + 1 : max(b, 4) + 7].sum(), u[a[1, 1] : a[2, 2] + 9].sum())
    q = np.arange(k)
    print(p[q % n].sum(), (q * q).sum(), (q * 7 % 31).max(), q.mean())
    js = [np.arange(start[r], start[r + 1]) for r in range(9)]
    pairs = sum(a[r, start[r] % 11 :].sum() for r in range(m))
    flat = np.concatenate(js[:5])
    print(pairs, f"{flat.mean():.9f}", sum((u[j] > 11).sum() for j in js[:6]))
    print(sum((r - np.arange(r)).sum() for r in range(k)), c(np.concatenate([z[j] for j in js[:3]]).prod()))
    at = best([((r,), u[r]) for r in range(b, m)], 1)
    rc = best([((r, j), a[r, j]) for r in range(b % 7, m) for j in range(2, 11)], -1)
    st = best([((r, j), u[j]) for r in range(1, 8) for j in js[r]], 1)
    near = best([((r,), abs(r - 12.25)) for r in range(k)], -1)
    fours = best([((r,), u[r]) for r in range(b, m, 4)], 1)
    print(*at, *rc, *st, *near, *fours)
    print(
        chained((u[r] + 1, r) for r in range(b, m)),
        chained((a[r, j] + 1, j) for r in range(m) for j in range(r % 11)),
        chained((r + 1, r) for r in range(k)),
    )
for t in range(0, n, 9):
    print(f"{t}: {u[: t + 1].argmax()} {t} {u[t::4].sum()}")
    print(chained((a[r, j] + 1, r) for r in range(t, n) for j in range(4)))
