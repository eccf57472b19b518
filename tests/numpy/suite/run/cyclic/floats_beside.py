u = (np.arange(37)*11 % 17)-5.5
r = reader(u, "odd")
v = np.array([r(i-2)-2*r(i)+3*r(i+4) for i in range(37)])
print(v); print("true", v.sum())
p, q = np.logical_or.accumulate(u > 9), np.logical_and.accumulate(u > -5)
print(p.sum(), q.sum(), str(bool(p[3])).lower(), str(bool(q[3])).lower())
h = np.array([(u[k::7]/4).sum() for k in range(7)])
print(h); print(h)
