M32, M64 = 2**32 - 1, 2**64 - 1
n = 24


def philox(counter, key):
    # Two 32-bit products a round, ten rounds; the key grows by one constant for each of its words.
    x, k = list(counter), list(key)
    for r in range(10):
        p, q = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(q >> 32) ^ x[1] ^ k[0], q & M32, (p >> 32) ^ x[3] ^ k[1], p & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return x


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0])[0] == 0xD16CFE09


def words(seed, index, stream):
    seed, index, stream = seed & M64, index & M64, stream & M64
    return philox([index & M32, index >> 32, stream & M32, stream >> 32], [seed & M32, seed >> 32])


def unit(high, low):
    return ((high << 32 | low) >> 11) / 2**53


def uniform2(*at):
    w = words(*at)
    return unit(w[0], w[1]), unit(w[2], w[3])


def uniform(*at):
    return uniform2(*at)[0]


def integer(seed, index, stream, below):
    w = words(seed, index, stream)
    return (w[0] << 32 | w[1]) * below >> 64


def normal(seed, index, stream):
    u, v = uniform2(seed, index, 0xFFFFFFFF00000000 + stream)
    # 1 - u is exact, and not 0.
    return math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)


def show(values, digits):
    print("[" + ", ".join(f"{v:.{digits}f}" for v in values) + "]")


for s, seed in enumerate([0, 1, 7, 2**32, 81985529216486895, 2**63 - 1]):
    show([uniform(seed, i, s) for i in range(0, n, 5)], 17)
show([uniform(M64, -1 - i, 2**32 + 1) for i in range(n)], 15)
print(*uniform2(11, 2**40, 3))
show([p - q for p, q in (uniform2(3, i * 1000003, 2) for i in range(n))], 14)
for q in range(4):
    print("[" + ", ".join(str(np.float32((words(5, i, q)[q] >> 8) / 2**24)) for i in range(n)) + "]")
print(np.array([words(9, i, 1) for i in range(n)], np.uint32))
print(table((6, 8), lambda i, j: integer(2, 8 * i + j, 0, 1000)))
print(table((6, 8), lambda i, j: integer(i, j, 5, 9 * 10**18)))
print(table((6, 8), lambda i, j: integer(3, j, i, i + 1)))
show([normal(7, i, 0) for i in range(n)], 12)
show([normal(i, 40, 2) for i in range(8)], 12)
show([uniform(12, i, 0) for i in range(n)], 15)
show([normal(12, i, 0) for i in range(n)], 12)
h = np.bincount([integer(4, i, 0, 6) for i in range(3000)])
few = sum(uniform(1, i, 0) < 0.3 for i in range(5000))
print(h, few, f"{math.fsum(normal(1, i, 0) for i in range(5000)):.9f} {max(uniform(8, i, 1) for i in range(5000)):.15f}")
print(*philox([1, 2, 3, 4], [5, 6]))
