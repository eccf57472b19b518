# By the table of the language page: `or and not`, comparisons, `bitor bitxor bitand`, `shl shr`, `+ -`, `* / div mod`, minus, `^`.
b = 5
print(2**9, 2**9, -4, -4, 16, 4, 2, 1, -4)
print(b << 3, (1+b) << 1, 1 | (2 & 3), 6 ^ (3 & 2), 6 | (1 ^ 3))
print(1+6-((4//2) % 3), "true" if (10-6 > 3 and b == 5) or False else "false", "true", "false")
print("true", "true", 6+1, 6+3, 2.0)
