a = (np.arange(13)*37 % 23 - 11).astype(np.int32)
p = 1
for x in a: p = (p * int(x)) 
p = (p + 2**31) % 2**32 - 2**31
print(a.sum(), p, a.min(), a.max(), repr(float(a.sum()/13)))
b = table((4, 5), lambda i, j: (i*5+j)*(1 if (i+j) % 2 == 0 else -1))
q = 1
for x in b.flat: q *= 2*int(x)+1
q = (q + 2**63) % 2**64 - 2**63
print(b.sum(), q, b.min(), b.max(), float(b.mean()))
c = [i*4000000 for i in range(9)]
q = 1
for x in c: q = q*(x+3) % 2**32
print(sum(c) % 2**32, q, min(c), max(c))
print(21, 720, 1, 6)
e = np.arange(17)/4
print(e.sum(), e.min(), e.max(), e.mean(), np.float32(np.prod(e[1:9])))
f = table((3, 7), lambda i, j: i*0.5-j, float)
print(f.sum(), f.min(), f.max(), float(f.sum()/21))
g = np.arange(10) % 3 == 0
print(g.sum(), "true false true false", 10-g.sum())
