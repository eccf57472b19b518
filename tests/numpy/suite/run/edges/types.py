a = reader(np.zeros(3, bool), ("constant", True)); b = reader(np.arange(3, dtype=np.int32) - np.int32(5), "odd")
c = reader(np.arange(3, dtype=np.uint32), ("constant", 4000000000)); d = reader(np.arange(3, dtype=np.uint64) + np.uint64(18446744073709551600), "mirror")
e = reader(np.arange(3, dtype=np.float32), ("constant", 0.1)); f = reader(np.arange(3) + 0.5, "odd"); g = reader(np.arange(3.0), ("constant", np.inf))
out = [table((3,), lambda i: a(i+1), bool), table((3,), lambda i: b(i-2), np.int32), table((3,), lambda i: c(i-1), np.uint32),
       table((3,), lambda i: d(i+2), np.uint64), table((3,), lambda i: e(i+2), np.float32), table((3,), lambda i: f(i+2), float), table((3,), lambda i: g(i-1), float)]
print(" ".join(map(str, out)))
