n, cells = 9000, 70001
i = np.arange(n)
many, few, whole, table_ = np.zeros(cells), np.zeros(40, np.float32), np.zeros(300), np.zeros((90, 7))
least, most, wrap = np.full(500, 1000, np.float32), np.zeros(200, int), np.zeros(200, int)
ladder = np.zeros(400)
half, scaled = np.zeros(64, np.float16), np.ones(1000)
for t in range(3):
    x = ((i * 37 + t * 11) % 101) / 64 - 0.5
    place = (i * 7919 + t * 104729) % cells
    np.add.at(many, place, x)
    np.add.at(few, np.where(i % 3 == 0, 17, (i * i + t) % 40), x.astype(np.float32) / np.float32(3))
    np.subtract.at(whole, (i * 13 + t) % 300, x / 7)
    np.add.at(table_, ((i * 11 + t) % 90, i % 7), x)
    np.minimum.at(least, (i * 5 + t) % 450, x.astype(np.float32) * np.float32(1 + t))
    np.maximum.at(most, (i + 3 * t) % 199, i * (t + 1))
    with np.errstate(over="ignore"):
        np.multiply.at(wrap, (i * i + t) % 200, 3 + i)
    np.add.at(wrap, (i + t) % 200, i)
    # Two bytes: the sum in f32, rounded at every step.
    for k, v in zip((i // 5 + t) % 64, np.float16(x / 256)):
        half[k] = np.float16(np.float32(half[k]) + np.float32(v))
    np.multiply.at(scaled, (i * 3 + t) % 1000, 1 + x / 1024)
    rungs = np.add.outer(np.arange(3), np.arange(60000))
    np.add.at(ladder, ((rungs + t) % 400).ravel(), np.tile((np.arange(60000) % 9) / 7, 3))
    scaled = scaled + np.roll(scaled, 1) / 1024


def some(a, lo, hi):
    return "[" + ", ".join(str(v) for v in a[lo:hi].tolist()) + "]"


def short(a, lo, hi):
    return "[" + ", ".join(str(v) for v in a[lo:hi]) + "]"


k = np.arange(cells)
total = math.fsum(many)
print(f"{total:.12f} {many[7919]} {many[104729 % cells]} {math.fsum(many * (k % 97)):.9f}")
print(short(few, 10, 20))
weights = np.add.outer(np.arange(90), np.arange(7))
print(f"{some(whole, 0, 5)} {math.fsum((table_ * weights).flat):.9f}")
print(f"{short(least, 0, 5)} {some(most, 0, 5)} {some(wrap, 0, 5)}")
print(f"{short(half, 0, 8)} {some(scaled, 0, 4)} {some(ladder, 396, 400)}")
