u = table((7, 9), lambda i, j: 17*i+j)
for t in range(9):
    r = reader(u, "periodic", "clamp")
    u = table((7, 9), lambda i, j: (r(i-1,j)+2*r(i+1,j)+3*r(i,j-1)+5*r(i,j+1)+r(i,j)) % 1009)
print(u)
