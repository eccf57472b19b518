//! Programs that use every form of the language, for the tests of parser and printer.

/// Name and text of each program.
pub(super) const PROGRAMS: &[(&str, &str)] = &[("heat", HEAT), ("guide", GUIDE), ("train", TRAIN), ("forms", FORMS)];

pub(super) const HEAT: &str = r#"/// Heat spreading over a square plate, split into tiles over all ranks.

param n: i64 = 4096              /// cells on a side            (mgpu run heat.mgpu -p n=16384)
param steps: i64 = 1000
param alpha: f32 = 0.2           /// stable below 0.25

partition tiles = (block, block)             // both dimensions, over a near-square mesh of all ranks

array u: f32[n, n] in tiles edge clamp       // reads past the edge see the nearest cell

kernel bump(n: i64) -> u: f32[n, n] {
    let r2[i, j] = f32((i - n div 2)^2 + (j - n div 2)^2)
    u[i, j] = exp(-r2[i, j] / 100)
}

kernel diffuse(u: f32[n, m], alpha: f32) -> next: f32[n, m] {
    next[i, j] = u[i, j] + alpha * (u[i-1, j] + u[i+1, j] + u[i, j-1] + u[i, j+1] - 4 * u[i, j])
}

kernel energy(u: f32[n, m]) -> f64 = sum[i, j] f64(u[i, j])^2

workflow main {
    u = bump(n)
    for t in 0..steps {
        u = diffuse(u, alpha)                // the second buffer is the compiler's business
        if t mod 100 == 0 { print "step {t}: energy {energy(u):.6e}" }
    }
    save u to "heat.npy"
    plot u to "heat.png"
}

test "energy never grows" with n = 64 {     // mgpu test heat.mgpu runs it on 1, 2, 3 and 4 ranks and wants the same bits from each
    u = bump(n)
    let before = energy(u)
    for t in 0..10 { u = diffuse(u, 0.2) }
    expect energy(u) <= before
}
"#;

pub(super) const GUIDE: &str = r#"// sum of squares over all ranks
use std.random: uniform, normal
param n: i64 = 1_000
param m: i64 = 0xff
array x: f32[n] in (block)
array a, b, c: f64[n, n]

// pass a message around the ring of ranks: a rank-indexed array, shifted by one
array box: f32[ranks, m] in (block, *) edge periodic

// Monte Carlo pi: no array at all; the index range is divided
kernel hits(n: i64, seed: u64) -> i64 = count[s in 0..n] (uniform(seed, s, 0)^2 + uniform(seed, s, 1)^2 <= 1)

workflow main { x[i] = normal(1, i, 0); print "Total sum of squares: {sum[i] x[i]^2}" }

workflow more {
    // matrix product: rows of a and c divided, b whole on every rank (or divided too: nothing else changes)
    c[i, j] = sum[k] a[i, k] * b[k, j]
    box[r, i] = box[r-1, i]
}
"#;

pub(super) const TRAIN: &str = r#"// data-parallel training: the gradients' all-reduces travel as one message
param lr: f32 = 1e-3
kernel loss(w: f32[no, nf], b: f32[no], x: f32[ns, nf], y: f32[ns, no]) -> f32 {
    let pred[s, o] = sum[f] w[o, f] * x[s, f] + b[o]
    mean[s, o] (pred[s, o] - y[s, o])^2
}
workflow main {
    for step in 0..100 {
        let gw, gb = grad loss(w, b, x, y) for w, b
        w[o, f] = w[o, f] - lr * gw[o, f]
        b[o] = b[o] - lr * gb[o]
    }
}
"#;

pub(super) const FORMS: &str = r#"use "lib/flux.mgpu": flux, limit
let w = [1.0, -8.0, 0.0, 8.0, -1.0]
let h: f64 = 1 / f64(n)
partition mesh = (block, cyclic(2 * b), *) over (4, auto)
partition one = block
partition all = replicated
array u, v: f32[n + 1, m] from "data/u.npy" in mesh edge (periodic, constant(0.5))
array g: f32[h, w] from "china.npy" in tiles
array r, p like b
array s: c64[n] aligned u edge none
array q: bool[n] in cyclic edge mirror; array q2: u32[n] edge odd
array whole: f16[n] in (*)

fn square(x: f32) -> f32 = x * x
fn both(x: f32, y: f32) -> (f32, f32) = (x + y, x - y)
fn escape(cr: f64, ci: f64) -> i64 {
    var z = 0.0
    var count: i64 = 0
    for k in 0..256 by 2 {
        if z * z > 4.0 or not (z == z) { break } else if k > 3 { count += 1 } else { count -= 1 }
        while count < 3 { count = count + 1 }
    }
    if count > 3 { count } else if count < 0 { let y = 2; y } else { 0 }
}

kernel conduct(t: f64[n, n],
               kx: f64[n, n+1],
               ky: f64[n+1, n])
    -> out: f64[n, n], left: f64[n],
       f64 {
    let flux[k, i] = w[0] * t[k, i-1] +
        w[1] * t[k, i+1] -
        w[2]
    out[i, j] = -flux[i, j]^2^k * t[i, j] for i in 1..n-1, j in 0..m
    out[0, j] = 1
        for j in 0..n
    out[2*i, j] = sum[d in -2..3] w[d+2] * t[i+d, j] otherwise
    out[i, 0] = t[i, 0]
        otherwise
    left[i] = scan(+, exclusive)[i] t[i, i] + scan(max)[i] t[0, i]
    left[i] += scan(later, (0, -1), exclusive)[i] t[i, i] - reduce(later, 0.0)[j in 0..n by 2, k] t[j, k]
    h[b] = 0
    h[bin[i]] += 1
    sum[i in 0..n by 2, j] t[i, j]
}

kernel bits(a: i64[n]) -> b: i64[n] =
    a[0] bitand 255 shl 3 bitor 1 bitxor a[1] shr 2

kernel mandel(n: i64) -> it: i64[n, n] {
    it[i, j] = { var z = 0.0; for k in 0..256 { if z > 4.0 { break } }; z }
    it[i, j] = if i > 0 { it[i-1, j] } else { 0 }
    it[i, j] = select(i > 0 and j > 0, argmax[k] a[k], any[k] a[k] > 3)
    it[i, j] = (
        i
        + j
    )
}

workflow cg(apply: kernel, b: f64[n], tol: f64) -> x: f64[n] {
    array r, p: f64[n] in (block)
    var rr = dot(r, r); let e: f64 = 1.5
    while rr > tol * tol {
        rr = -rr
    }
    h, hu = step(h, hu)
    r *= 2
    r /= 3
    count = 1
    let sum = max(count, 3) + min
    sum = sum + 1
}

workflow other {
    x = cg(conduct(_, kx, ky), b, tol)
    load u from "in-{t}.npy"
    save u to "f.npy"
    assert e < 1.0, "energy {e} too \"large\""
    assert all[i] x[i] >= 0
    print "diag {p[k, k] for k in 0..m by 8:.3f} {{literal}} \\ \t"
    if e < 1 { }
    plot u to "a.png"
    animate u to "a.png"
    run()
}

test "plain" { expect energy(u) <= before; expect (a) == b }
"#;
