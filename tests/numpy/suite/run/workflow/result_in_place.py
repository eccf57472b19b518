u = np.arange(6); u = (u+2)*2; print(u)
x = u.copy()
for t in range(3): x = x+u+1
u = x; print(u); a = u; u = u+1; print(u, a); print(u)
y = u*10; x = u
for t in range(2): x = x+y; y = np.roll(y, -1)
u = x; print(u); print(u-1); print(u*0+100)
