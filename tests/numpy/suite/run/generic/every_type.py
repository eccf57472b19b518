np.seterr(all="ignore")
n = 10
i = np.arange(n)
h, b = ((3 * i % 7 - 3) / 4).astype(np.float16), (5 * i % 9 - 4).astype(np.float32)
k, w = (7 * i % 11 - 5).astype(np.int32), (i * i % 7).astype(np.uint32)
q, l = i.astype(np.uint64) * np.uint64(2 * 10**18), 3 - i * i
z = (i - 4 + 1j * ((2 * i) % 5 / 2)).astype(np.complex64)
edge = {"h": "periodic", "b": "clamp", "k": "odd", "w": "mirror", "q": ("constant", 7), "l": "periodic", "z": "odd"}


def wave(u, c, name):
    r, c = reader(u, edge[name]), u.dtype.type(c)
    return np.array([r(a - 1) + c * r(a) - r(a + 2) for a in range(n)], u.dtype)


def lift(u):
    return u * u * u + u.dtype.type(2) * u[::-1]


def total(u):
    return (u * u[::-1]).sum(dtype=u.dtype)


print(wave(h, 0.5, "h"), wave(b, 3, "b"), wave(k, -2, "k"), wave(w, 3, "w"), wave(q, 5, "q"), wave(l, 2, "l"), wave(z, 1j, "z"), sep="\n")
print(*map(lift, [h, b, k, w, q, l, z]), sep="\n")
print(*map(total, [h, b, k, w, q, l]), complex(total(z)))
print(h + k.astype(np.float16), k * np.int32(3) - np.trunc(h).astype(np.int32))
print(w + q.astype(np.uint32), q * np.uint64(3) - w)
print(l + b.astype(int), bf16(b * 3 - bf16(l)))
print(*(f"{u.argmax()} {u.min()} {max(u[0], u[-1])}" for u in (h, b, w, q)))
print(2.5, 7, 16, "4.0", 5.0, 21 * 10**9 % 2**32, 6 - 12j)


def again(u, c, name, times):
    e = u.dtype.type(1)
    for a in range(times):
        u = wave(u, c, name)
        e = u.dtype.type(e * u.dtype.type(2) + u[a])
    return u, e


(h2, fh), (w2, fw), (z2, fz) = again(h, 0.5, "h", 2), again(w, 3, "w", 3), again(z, 2, "z", 2)
print(h2, fh, w2, fw, z2, complex(fz))
print((1_500_000_000 * np.arange(4)[:, None] + np.arange(3)).astype(np.uint32) @ np.arange(1, 4, dtype=np.uint32))
