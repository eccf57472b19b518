w, names, x = [1.0, 2.0, 4.0], [[10, 20], [30, 40]], [i * i * 1.0 for i in range(5)]
k, total = 0, 0.0
for t in range(5):
    y = w[k] * 10 if k < 3 else -w[k - 3] if k < 5 else x[4]
    z = names[k % 2][(k + t) // 7] if x[t] > 3 and k >= 0 else 0
    total += y
    print(k, y, z, 0.5 if k > 2 else w[2 - k])
    k += t
print(total)
