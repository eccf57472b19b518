n = 11
x = np.sin(np.arange(1.0, n + 1))
at = {
    "own": lambda i, j: j,
    "back": lambda i, j: n - 1 - j,
    "past": lambda i, j: i - j,
    "ahead": lambda i, j: i + j,
    "before": lambda i, j: j - i,
}
edges = {"none": None, "turn": "periodic", "one": None, "stop": "clamp", "glass": "mirror", "minus": "odd"}
for edge, kind in edges.items():
    for name, place in at.items():
        if name not in ("own", "back") and (edge == "stop" or (edge == "none" and name != "past")):
            continue
        g = np.zeros(n)
        for i in range(n):
            for j in range(i + 1):
                p, sign = place(i, j), 1
                if kind:
                    p, sign = sees(p, n, kind)
                inside = 0 <= p < n
                v = sign * x[p] if inside else 1
                g[i] += v * v
                if inside:
                    g[p] += x[i] * 2 * v * sign
        print(f"{edge} {name}: [" + ", ".join(f"{v:.9f}" for v in g) + "]")
