b = (np.arange(9)-4)*7
print(b//4); print(b % 4); print(b//-4); print(b % -4)
w = lambda v, n, s=True: (v+2**(n-1)) % 2**n-2**(n-1) if s else v % 2**n
print(w(2**63, 64), w(2**63+7, 64)); print(np.array([w(int(x)*2**62, 64) for x in b])); print(np.array([w(int(x)*10**8, 32) for x in b], np.int32)); print(np.array([w(int(x)*10**9, 32) for x in b], np.int32))
d = np.array([int(x) % 2**32 for x in b], np.uint32); print(d); print(d >> np.uint32(3)); print(np.array([int(x) % 2**64 >> 60 for x in b], np.uint64))
print(b >> 1); print(b << 3); print((b & 12) | (np.arange(9) ^ 5)); print(np.trunc(b*0.3).astype(np.int32))
print(np.array([-2**31 if x < 0 else 2**31-1 if x > 0 else 0 for x in b], np.int32))
f = b-0.5; c = np.trunc(f).astype(int); c[3] = 0; print(c); print(np.array([max(0, int(x)) for x in c], np.uint32))
print(b != 0); print((b != 0).astype(int)+(np.arange(9) > 4)); print(abs(b)); print(np.maximum(b, 3)-np.minimum(b, -3)); print(b**3); print((1/(-21.0*-21.0)), "inf")
print(np.array([4000000000*(i*10**9 % 2**32) >> 32 for i in range(9)], np.uint32))
print(0, 0, -4, -4, 8, -1, 255, 1000, 1, 7, 6)
