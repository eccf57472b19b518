s = 0
for t in range(0, 10, 3): s += t; print("t", t, "s", s)
k, n = 27, 0
while k != 1: k = k//2 if k % 2 == 0 else 3*k+1; n += 1
print(s, n)
for a in range(4):
    for b in range(a, 4):
        if a*b == 2: break
        s += 10*a+b
    if a == 2: break
print(s)
while True:
    n -= 7
    if n < 0: break
    elif n == 6: print("six")
print(n)
u = np.arange(6); e = u.sum()
while e < 1000: u = np.roll(u, 1)+np.roll(u, -1); e = u.sum()
print(u, e); m = u.max()
for t in range(m % 5): u = u+t
print(u, m % 5)
for t in range(s-3, s): print(t)
x = np.float32(0.1)*np.float32(3)/np.float32(2); print(x, str(bool(x > 0.1 and not x > 0.2)).lower())
