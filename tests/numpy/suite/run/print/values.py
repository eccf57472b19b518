np.seterr(all="ignore")
n = 41
i, j = np.mgrid[:n, :n]
p = i / 8 - j * j
k = np.arange(n) ** 3 - 500


def text(v):
    if isinstance(v, (bool, np.bool_)):
        return "true" if v else "false"
    return str(complex(v)) if isinstance(v, complex) else str(v)


def listed(values, form=None):
    return "[" + ", ".join(text(v) if form is None else format(v, form) for v in values) + "]"


def array(a, form):
    plain = [format(v, form) for v in a.ravel()]
    width = max(map(len, plain))
    kind = "complex_kind" if a.dtype.kind == "c" else "float_kind"
    return np.array2string(a, formatter={kind: lambda v: format(v, form).rjust(width)}, max_line_width=75)


diagonal = [p[q, q] for q in range(0, n - 4, 8)]
print(listed(diagonal), listed(p[q, n - 1 - q] for q in range(3, n, 9)), listed(p[0, 0:10:2] + 0))
print(listed(diagonal, ".3e"), listed(p[1, :4], "+.2f"), listed(k[::13], "6d"), listed(k[5::17], ","))
print(listed(k[5:12] > 0), "[true, false, false, true]", "[]", "[0.0]")
for q in range(1, 4):
    print(listed(p[q, :4]), listed(x * q for x in (2, 5, 8)), q)

d = (np.arange(12) - 8) / 4
d[:5] = [-0.0, np.inf, -np.inf, np.nan, 0.0]
print(d)
print(listed(d))
print(listed(d, ".3e"))
print(listed(d, "8.2f"))
d = [float(x) for x in d]
print(f"{d[0]} {d[0]:.2f} {d[0]:+.1e} {d[1]:.3f} {d[1]:>8} {d[2]:<8.1f}| {d[3]:.1e} {d[3]:^9}| {d[2]:+g} {d[4]:g} {d[0]:%} {-d[3]:+.2f} {d[1]:08.1f}")
d = np.array([x * 10.0 ** (3 * q) if math.isfinite(x) else 1 for q, x in enumerate(d)])
print(d)
print(array(d, ".3e"))
d = [float(x) for x in d]
print(f"{d[11]} {d[11]:.0f} {d[11]:,.1f} {d[5]:e} {d[6]:g} {d[7]:.10g} {d[11]:.4g} {1e22} {1e21:,.0f} {123456.789:_>14.2f} {2.5:.0f} {3.5:.0f} {0.5:.0%}")

q = np.arange(9)
s = (1 / np.float32(q)).astype(np.float32)
s[:5] = [-0.0, 3.4e38, 1e-45, np.nan, -np.inf]
print(s)
print(listed(s))
f = [float(x) for x in s]
print(f"{f[1]:.3e} {str(s[5])} {f[5]:.10f} {f[6]:.3e} {f[2]:g} {f[7]:8.3f}|")
h = q[:8].astype(np.float16) / np.float16(7)
h[:5] = [-0.0, 65504, 6e-8, np.nan, np.inf]
print(h)
f = [float(x) for x in h]
print(listed(float(str(x)) for x in h), f"{f[6]:.3e} {f[1]:,.1f} {f[5]:.6f} {f[1]:g}")
b = bf16([-0.0, 3.3e38, -np.inf, np.nan, 1, 1.25, 1.5, 1.75])
short = "3.3e+38"
assert bf16(float(short)) == b[1] and bf16(3e38) != b[1]
print(f"[-0.0, {short}, -inf, nan, 1.0, 1.25, 1.5, 1.75] {b[1]:.3e} {b[7]:.4f}")

z = np.array([complex(q - 2.5, -1e-3 * q if q % 2 == 0 else q / 3) for q in range(6)])
print(z)
z = [complex(x) for x in z]
print(z[1], listed(z[::2]), f"{z[5]:.3e} {z[3]:.2f}", listed(z[:3], ".1f"))
print(1j, complex(0.0, -1), complex(-1.5, 0), complex(1e20, 1e-20), complex("inf-infj"), complex(math.nan, 2), -1j, "(0.1+3j)")
y = np.array([[complex(np.float32(a) / np.float32(3), e - 0.5) for e in range(2)] for a in range(3)], np.complex64)
print(y)
print(array(y, ".2f"))

t = np.arange(7) % 3 > 0
print(t, "false true true", listed(t[::3]), "true false", f"{'true':>7}|")
u = np.array([2**32 - 1 >> 8 * (q % 4) for q in range(5)], np.uint32)
w = np.array([-(2**31) + q * 10**9 for q in range(4)], np.int32)
print(u, f"{u[0]:x} {u[1]:,} {u[4]:b}", w, f"{w[0]:d} {w[3]:+d} {w[1]:x} {w[2]:12,}| {w[3]:<12d}| {w[3]:^12d}| {w[0]:_>14}|")
print(f"[{1.5: .1f}] [{1.5: 8.2f}] [{255: x}] [{-1.5: .1f}]")
