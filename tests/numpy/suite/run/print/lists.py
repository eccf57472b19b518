n = 10
i = np.arange(n)
a, b = i * i % 7, 3 * i % n
u = table((6, 8), lambda i, j: i - j / 3, float)
w = table((3, 4, 5), lambda i, j, k: i + j / 4 - k * k, np.float32)
r = reader(u, "clamp", "odd")


def listed(values, form=None):
    def text(v):
        if isinstance(v, (bool, np.bool_)):
            return "true" if v else "false"
        return str(v) if form is None else format(v, form)

    return "[" + ", ".join(map(text, values)) + "]"


print(listed((a[::-1] - b)[::3]), listed(np.roll(a, 3)[::2]), listed(b[k // 2] for k in range(6)), listed(a[b]))
near = [k + abs(u[k, k:]).argmin() for k in (1, 2, 3)]
print(listed(a[:5].sum() * k for k in range(3)), listed(u.max(1)), listed((w[:, :, 2] > 0).sum(1)), listed(near))
print(listed((u[k, k + 1] for k in range(6)), ".3f"), listed((r(k + 2, k - 1) for k in range(6)), "+.2e"), end=" ")
print(listed(w[k, 3 - k, 2 * k] for k in range(3)), listed(w[1, 2], "6.2f"))
tent = [x if x < 2 else 4 - x for x in np.arange(9) / 2]
print(listed(np.where(a > 2, a, -1)[:5]), listed(np.maximum(a, 4)[2:7]), listed(tent), end=" ")
print(listed([0.5, -1.5, 2.5, 0.5, -1.5]), listed(((i % 4 == 1) & (a < 3))[:6]))
q = 3
for k in range(3):
    print(listed(a[q] + i[:3]), listed(u[k, :3], ".1f"), listed([0, q]), k)
    q = int(q + a[q]) % n
total = float(u.sum())
print(listed((total * k for k in range(3)), ".2f"), "[2, 5, 8]", listed(np.arange(1, 4, dtype=np.float32) / np.float32(3)), end=" ")
print(listed([complex(0, -1), complex(1, -1)]), listed(np.arange(4, dtype=np.float16) / np.float16(3)), "[0, 1] [0, -1, -2]")
print(listed(a[:1]), "[]", listed(a, "3d") + "{}" + listed(b[-1:]))
