np.seterr(all="ignore")
I = np.indices((9, 4))
i, j = I


def mixed(x):
    with np.errstate(all="ignore"):
        return x[::-1] * x.dtype.type(2) - x[:, ::-1] + (i * j % 5).astype(x.dtype)


def through(x):
    seen = [x]
    for _ in range(11):
        seen.append(mixed(seen[-1]))
    return seen[11] + (seen[8] - seen[10] + seen[9])


h = mixed(((i + j) % 3 - 1).astype(np.float16) / np.float16(2))
b = mixed((i % 2).astype(np.float32))
print(h)
for x in (
    ((i - 2 * j) / 8).astype(np.float32),
    (i * j).astype(np.int32),
    (i + 10 * j).astype(np.uint32),
    (i * j).astype(np.uint64) * np.uint64(1_000_000_007),
    (i - 1j * j).astype(np.complex64),
    j / 4 + 1j * i,
):
    print(through(x))
print(b)
print(through(h))
flip = lambda t: t[:, ::-1] != (i % 3 == j % 2)
t = flip(flip(flip(flip(i * j % 3 == 1))))
print(flip(t), t, 0)

n = np.arange(11)
l2, l1 = n * n, 3 * n - 7
print(l1, l2)
l1, l2, l3, l5 = l2, l1, l2, l1
print(l1, l2, l3, l5)


def two(p, ep, q, eq):
    rp, rq = reader(p, ep), reader(q, eq)
    return np.array([rp(k - 1) for k in n]) + q, np.array([rq(k + 1) for k in n]) - p


l1, l2 = two(l1, "periodic", l2, "clamp")
print(l1, l2)
l2, l1 = two(l2, "clamp", l1, "periodic")
print(l1, l2)
l3, l5 = two(l3, "odd", l5, ("constant", 9))
print(l3, l5)
l5, l3 = two(l1, "periodic", l5, ("constant", 9))
print(l3, l5)
for q in range(5):
    l1, l5 = l5.copy(), l1
    l1[q] += 1
print(l1, l5)
