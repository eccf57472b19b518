i = np.arange(9)
z = i + 1j * (i * i % 5)
turn = lambda a, u: a * np.roll(u, 1) + 2 * np.roll(u, -1)
for t in range(3):
    z = turn(1j, z)
x = turn(3.0, i.astype(np.float32))
show = lambda v: str(complex(v))
print(show(z[0]), show(z[4]), show(z[8]), show(2 * z[3]))
print(x)
