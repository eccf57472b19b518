a = table((4, 6), lambda i, j: (7*i+3*j) % 11); k = table((3, 4, 5), lambda i, j, l: (100*i+10*j+l) % 17)
for v in [a.sum(1), a.sum(0), a.max(1), a.min(0), a[:, :3].prod(1), (a > 4).sum(0)]: print(v)
print(a.mean(1)); print((a == 10).any(1)); print((a < 10).all(1))
print(k.sum(1)); print(k.max(1)-k.min(1)); print(k.sum((0, 1))); print(k.sum(1).max(0))
