i = np.arange(50)
c = (i*80000001 % 2**32).astype(np.uint32); d = np.array([x*300000000000000007 % 2**64 for x in range(50)], np.uint64)
print(float(sum(map(int, c))/50), float(sum(map(int, d))/50))
q = (np.arange(210)*37 % 211).astype(float).reshape(5, 6, 7)
print(*np.unravel_index(q.argmax(), q.shape), *np.unravel_index(abs(q-100).argmin(), q.shape))
a, b = np.arange(9000)[:, None], np.arange(3)
x = (a*7919+b*13) % 9001/90
show = lambda v: "[" + " ".join(v) + "]"
print(x.argmax(0), show([(" True" if t else "False") for t in (x > 99.9).any(0)]), show([(" True" if t else "False") for t in (x >= 0.01).all(0)]), np.array2string((1+x*1e-6).prod(0), formatter={"float": lambda v: f"{v:.9f}"}))
s, out = 1, []
for t in c:
    s = s*(int(t)+1) % 2**32
    out.append(s)
print(np.array(out, np.uint32))
