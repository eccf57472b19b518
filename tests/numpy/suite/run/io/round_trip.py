def want(name, a): np.save(SUITE/"run/io"/f"round_trip.want.{name}.npy", a)
want("a", np.arange(5) % 2 == 1); want("b", table((4, 3), lambda i, j: i-j, np.int32)); want("c", table((2, 3, 4), lambda i, j, k: 100*i+10*j+k)); want("d", np.arange(7, dtype=np.uint32)*np.uint32(7))
want("e", np.array([0, 2**62, 2**63], np.uint64)); want("f", table((6, 5), lambda i, j: np.float32(i)/np.float32(j+1), np.float32)); g = np.sqrt(np.arange(9.0)).reshape(1, 9); want("g", g)
print("true true"); print(g)
