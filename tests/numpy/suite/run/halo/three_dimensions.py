u = reader(table((4, 3, 5), lambda i, j, k: 100*i+10*j+k), "clamp", "periodic", "mirror")
print(table((4, 3, 5), lambda i, j, k: u(i-1,j,k)+u(i+1,j,k)+3*u(i,j-1,k)+5*u(i,j+1,k)-7*u(i,j,k-1)+9*u(i+1,j-1,k+1)))
