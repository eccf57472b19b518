print("0.0 1.0 inf -inf 0 false true")
print(0, 2**63-1, -2**63)
print(np.zeros(0), np.zeros((3, 0), int), np.zeros((0, 4), int))
