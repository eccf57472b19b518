g = (np.arange(35).reshape(5, 7)*37 % 19).astype(np.float32)
np.save(SUITE/"run/io/extents_from_file.in.ground.npy", g)
p = np.pad(g, 1, "edge"); print("5 x 7, mean", repr(float(g.mean(dtype=float)))); print(p[:-2, 1:-1]+p[2:, 1:-1]-2*g); print(g.T)
