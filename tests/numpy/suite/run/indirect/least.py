def shown(a, digits):
    width = max(len(f"{x:.{digits}f}") for x in a.flat)
    return np.array2string(a, formatter={"float_kind": lambda x: f"{x:{width}.{digits}f}"})


n, nodes = 600, 50
i = np.arange(n)
b = (i * i + 3) % 13
w = (i * 37) % 101 / 8 - 6
low, high, top = np.full(13, 2.0), np.full(13, -2.0), np.full(13, -np.inf)
np.minimum.at(low, b, w)
np.maximum.at(high, b, w)
np.maximum.at(top, b, w)
print(shown(low, 3), shown(high, 3))
print(shown(top, 3))
few = np.zeros(4, np.int32)
for t in range(3):
    np.maximum.at(few, (b + t) % 4, ((i * 7 + t) % 97 - 50).astype(np.int32))
    np.minimum.at(few, (b + t) % 4, np.int32(40))
print(few)
unsigned = np.full(300, 4000000000, np.uint32)
np.minimum.at(unsigned, i * 5 % 300, (i * 7000000 % 2**32).astype(np.uint32))
print(unsigned.astype(np.int64).sum())
corner, half = np.zeros((5, 4), np.float32), np.zeros(7, np.float16)
np.maximum.at(corner, (b % 5, i % 4), w.astype(np.float32))
np.minimum.at(half, b % 7, w.astype(np.float16))
print(shown(corner, 3), shown(half, 3))
w = np.maximum(w, 0.5)
w = np.minimum(w, w[::-1])
w[::3] = np.minimum(w[::3], 2)
least = min([9.0] + [w[t * 10] + 0.25 for t in range(4)])
inner = np.maximum.reduce([np.zeros(n)] + [w - k for k in range(3)])
print(f"{w.sum():.6f} {least:.3f} {inner.sum():.6f}")
start, end, length = (i * 7 + 1) % nodes, (i * 13 + i // 9) % nodes, (i * 31 % 17 + 1) / 4
way, rounds = np.full(nodes, np.inf), 0
way[0] = 0
while True:
    rounds += 1
    after = way.copy()
    np.minimum.at(after, end, way[start] + length)
    done = (after == way).all()
    way = after
    if done:
        break
print(f"{rounds} rounds:", shown(way, 2))
