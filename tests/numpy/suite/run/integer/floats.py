f = np.arange(7)-2.5; F = np.float32
print(np.floor(f)+10*np.ceil(f)+100*np.round(f)); print(f-np.floor(f/2)*2); print(np.trunc(f*1.7)); print(abs(f)+np.sqrt(np.arange(7))); print(np.minimum(f, .5)*np.maximum(f, -.5))
print(f*f*f-f*f+1/f); print(f*f-6.25)
s = np.arange(7, dtype=F)/F(10); print(s); print(s+F(.1)); print(s*F(3)); print(s.astype(float)); print((s.astype(float)+1e-9).astype(F)); print(np.where(s > F(.25), F(1), s)); print(np.arange(7, dtype=F)-F(3))
with np.errstate(divide="ignore"): g = 1/(np.arange(7)-3.0)
print(g); g[3] = 0; print(g); print(2*np.pi*np.arange(7))
