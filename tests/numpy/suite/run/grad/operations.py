start = 0.07 + 0.101 * ((4 * np.arange(9) + 2) % 9)
erf = np.vectorize(math.erf)


def show(name, f):
    g = []
    for k in range(9):
        h = np.zeros(9)
        h[k] = 1e-5
        g.append((8 * (f(start + h) - f(start - h)) - (f(start + 2 * h) - f(start - 2 * h))) / (12 * 1e-5))
    width = max(len(f"{x:.6f}") for x in g)
    print(name, np.array2string(np.array(g), formatter={"float_kind": lambda x: f"{x:{width}.6f}"}))


show("neg", lambda u: np.sum(-u*3))
show("power", lambda u: np.sum(u**3-2*u**2+1/u))
show("quotient", lambda u: np.sum((u+1)/(u*u+2)))
show("roots", lambda u: np.sum(np.sqrt(u)+np.cbrt(u)))
show("exponentials", lambda u: np.sum(np.exp(u)+np.exp2(u)+np.expm1(u)))
show("logarithms", lambda u: np.sum(np.log(u)+np.log2(u)+np.log10(u)+np.log1p(u)))
show("circle", lambda u: np.sum(np.sin(u)*np.cos(u)+np.tan(u)))
show("arcs", lambda u: np.sum(np.arcsin(u)+2*np.arccos(u)+3*np.arctan(u)))
show("hyperbolas", lambda u: np.sum(np.sinh(u)+np.cosh(u)+np.tanh(u)+erf(u)))
show("pairs", lambda u: np.sum(np.arctan2(u,2-u)+np.hypot(u,.5)+u**1.5+2**u+1.5**u))
show("pieces", lambda u: np.sum(abs(u-.5)+np.minimum(np.minimum(u,.3),1-u)+np.maximum(u,.6)+np.where(u>.4,u**2,3*u)))
show("choices", lambda u: np.sum(np.where((u>.35)&(np.arange(len(u))%2==0),u**2,5*u)))
show("steps", lambda u: np.sum(np.floor(4*u)*u+u%0.25+u*u+u+np.arange(len(u))*u+np.trunc(9*u)*u))
show("functions", lambda u: np.sum(u/(1+np.exp(-u))+4*u*u+2*u))
show("reductions", lambda u: np.sum(u*(np.add.outer(np.arange(len(u)),np.arange(len(u)))@u)+np.mean(u**2)*np.arange(len(u))))
show("product", lambda u: np.prod(u) + 0.5)
show("extremes", lambda u: 2 * np.max(u**2) - 3 * np.min(np.sin(u)))
show("quotient_of_sums", lambda u: np.log(u.sum()) * np.sum(u[2:-1] ** 2) + u[3] * u[-1])
