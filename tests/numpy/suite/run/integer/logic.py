i = np.arange(8); a = i % 2 == 0; b = i > 3
c = a & b; print(c); c = a | b; print(c); print((~a & ~b) | c); print(a == b); print(a != (i < 5)); print(np.where(a, b, ~b)); print(~((i < 2) | (i >= 6))); print(i != 3); print("true true true")
