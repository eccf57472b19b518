x = (np.arange(9)-4)*0.61+0.07
def show(name, y, digits):
    wide = max(len(f"{v:.{digits}e}") for v in y)
    print(name, np.array2string(np.asarray(y), formatter={"float": lambda v: f"{v:.{digits}e}".rjust(wide)}))
erf = np.vectorize(math.erf); a = abs(x)
for name, y in [("exp", np.exp(x)), ("exp2", np.exp2(x)), ("expm1", np.expm1(x)), ("log", np.log(a)), ("log2", np.log2(a)), ("log10", np.log10(a)), ("log1p", np.log1p(a)),
                ("sin", np.sin(x)), ("cos", np.cos(x)), ("tan", np.tan(x)), ("asin", np.arcsin(x/3)), ("acos", np.arccos(x/3)), ("atan", np.arctan(x)), ("sinh", np.sinh(x)),
                ("cosh", np.cosh(x)), ("tanh", np.tanh(x)), ("erf", erf(x)), ("cbrt", np.cbrt(x)), ("hypot", np.hypot(x, 1.5)), ("atan2", np.arctan2(x, -0.5)), ("pow", a**1.7)]:
    show(name, y, 10)
# Exactly, from the values that `f32` has; rounded once.
s = x.astype(np.float32).astype(float)
for name, y in [("exp", np.exp(s)), ("log", np.log(abs(s))), ("sin", np.sin(s)), ("cos", np.cos(s)), ("tanh", np.tanh(s)), ("erf", erf(s)), ("atan", np.arctan(s)),
                ("pow", abs(s)**float(np.float32(1.7)))]:
    show(name, y.astype(np.float32), 4)
