def both(a, b): return np.roll(a, 1)+b, a-np.roll(b, -1)
u = np.arange(7); v = u*u
u, v = both(u, v); print(u, v)
u, v = both(v, u); print(u, v)
u, v = v, u; print(u, v)
v, u = v, u; print(u, v)
for t in range(3): u, v = both(u, v)
print(u, v); u = np.roll(u, -1); print(u); u = u[::-1].copy(); print(u); u = u+np.roll(u, 1); print(u)
u[2:5] -= 2*u[2:5]; print(u); u[::2] *= np.arange(0, 7, 2); print(u); print(2, 3)
