print(6, 12, 0.25, "true", 2**64-1, -5, 72); print(np.full(6, 2.75), np.array([6, 12, 72]), -3.0)
