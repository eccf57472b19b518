w = [1, -2, 4, -8, 16]
u = table((20,), lambda i: w[i % 5] + w[min(i, 4)] + w[abs(2 - i % 3)] + w[4 if i > 10 else i % 2])
print(u)
print(table((20,), lambda i: sum(u[k] * w[(i - k) % 5] for k in range(i)) + u[0] + u[1]))
near = lambda i: sum(u[i + k] * (k + 4) for k in range(-3, 4) if 0 <= i + k < 20)
print(table((20,), lambda i: sum(u[k] - u[i - k] for k in range(min(i, 7))) + near(i)))
kind = lambda i: 1 if i > 0 and u[i - 1] > 0 else 2 if not (i < 19 and u[i + 1] < 0) else 3
print(table((20,), kind), sum(i == 0 or u[i - 1] != u[i] for i in range(20)))
v = np.concatenate([[0], u, [0]])
print(0.25 * v[:-2] + 0.5 * v[1:-1] + 0.25 * v[2:])
print(table((20,), lambda i: w[3 * i % 5] - 3 * i % 5))
