u = reader(table((3, 2, 4, 3), lambda i, j, k, l: 1000*i+100*j+10*k+l, np.int32), "periodic", "clamp", "mirror", ("constant", -1))
print(table((3, 2, 4, 3), lambda i, j, k, l: u(i-1,j+1,k-1,l+1) - u(i,j,k+2,l-1), np.int32))
