out = []
for i in range(6):
    w = complex(i, 2)
    a, b, c = w.real, w.imag, 100.0
    for k in range(30):
        a = w.real + 1
        w = complex(w.imag, a)
        b += w.imag
        if b > 1e6:
            break
        c += 1
        a = w.imag
    out.append(a + b + c + w.real * 1e-3)
print(np.array(out))
out = []
for i in range(6):
    w = complex(i, 2)
    q = complex(w.real, w.real)
    for k in range(40):
        q, w = w, q + 1
        if w.real > 50:
            break
    out.append(w.conjugate() + 2 * w + q)
print(np.array(out))
e = out[2]
for t in range(4):
    f = e.imag
    e += complex(f, 1)
    f += e.real
print(e, f)
