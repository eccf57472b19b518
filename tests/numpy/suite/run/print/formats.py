x = 1234.5678; n = -42
print(f"{x} {x:.2f} {x:.3e} {x:g} {x:10.1f}| {x:<10.1f}| {x:+.1f} {x:012.3f} {0.25:%} {0.256:.1%}")
print(f"{n} {n:5d}| {n:<5d}| {n:+d} {n:05d} {255:x} {255:b} {1234567:,}")
print("true false", 1e100, 1e-7, 0.1, np.float32(0.1), 1e16, 123456789012345680.0, 100000.0, "inf -inf", 0.1+0.2)
print("braces {} tab\tquote \" back \\ end")
u = np.arange(4)/3
print(np.array2string(u, formatter={"float": lambda v: f"{v:.2f}"}), f"{u[1]:.3f}")
print("[0, 1, 4]", "[" + ", ".join(repr(float(v)) for v in u[::2]) + "]", "[0, 1, 4, 9, 16]", "[" + ", ".join(f"{v:.1f}" for v in u) + "]")
print(""); print("two\nlines")
