u = reader(table((9, 8), lambda i, j: 10*i+j), "periodic"); x = reader(table((4, 3, 6), lambda i, j, k: 100*i+10*j+k), "clamp")
print(table((9, 8), lambda i, j: u(i-1,j-1)-u(i+1,j))); print(table((4, 3, 6), lambda i, j, k: x(i-1,j+1,k-1)+x(i,j,k)))
