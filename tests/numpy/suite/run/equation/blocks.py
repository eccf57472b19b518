def collatz(k):
    n = 0
    while k != 1: k = k//2 if k % 2 == 0 else 3*k+1; n += 1
    return n
print(table((12,), lambda i: collatz(i+1)))
def mandel(i, j):
    x, y, a, b = j/4-1.5, i/3-1, 0.0, 0.0
    for k in range(50):
        if a*a+b*b > 4: return k
        a, b = a*a-b*b+x, 2*a*b+y
    return 50
print(table((6, 9), mandel))
u = np.arange(30)**2
print(table((12,), lambda i: sum(k+l for k in range(i) for l in range(k, i) if k*l % 7 == 3)))
print(table((12,), lambda i: max(u[u <= 10*i])))
r = reader(u, "clamp"); print(table((12,), lambda i: i+sum(k*r(i+k) for k in range(-2, 3))))
print(table((12,), lambda i: 508))
print(table((12,), lambda i: 4*min(i, 20))); print(table((12,), lambda i: (2*i+1)**2))
z = table((12,), lambda i: sum(range(0, i, 3))); print(np.where(z > 9, -z, z+1))
