//! What people write who come from NumPy, CuPy, JAX, Python, C or Fortran, and what to write here: for the help of reports.

/// A function that other languages have and this one writes differently.
pub fn function(name: &str) -> Option<String> {
    let help = match name {
        "zeros" | "zeros_like" | "empty" | "empty_like" | "calloc" => {
            "arrays begin with zeros; later `u[i] = 0` sets all"
        }
        "ones" | "ones_like" => "set every element: `u[i] = 1`",
        "full" | "full_like" | "fill" => "set every element: `u[i] = x`",
        "arange" | "iota" => "set every element from its index: `u[i] = f64(i)`",
        "linspace" => "set every element from its index: `u[i] = a + (b - a) * f64(i) / f64(n - 1)`",
        "eye" | "identity" => "write `a[i, j] = if i == j { 1 } else { 0 }`",
        "meshgrid" | "indices" | "mgrid" => "indices are values: `u[i, j] = f(f64(i), f64(j))`",
        "len" | "size" | "shape" | "ndim" => {
            "extents are names: those of the array's declaration, in kernels those of the parameter's type `u: f64[n]`"
        }
        "range" | "xrange" | "prange" => "a range is `0..n`: `for i in 0..n { … }`",
        "dot" | "vdot" | "inner" => "write `sum[i] x[i] * y[i]`, or `use std.stats: dot`",
        "matmul" | "mm" | "gemm" | "einsum" | "tensordot" => "write `c[i, j] = sum[k] a[i, k] * b[k, j]`",
        "transpose" | "swapaxes" | "permute" => "write `b[i, j] = a[j, i]`",
        "reshape" | "ravel" | "flatten" => "write the index arithmetic: `b[k] = a[k div m, k mod m]`",
        "roll" | "shift" | "circshift" => "write the offset: `v[i] = u[i-1]`, with `edge periodic` on `u`",
        "flip" | "reverse" => "write `v[i] = u[n-1-i]`",
        "concatenate" | "stack" | "hstack" | "vstack" | "append" => {
            "set each part: `c[i] = a[i] for i in 0..n`, then the rest"
        }
        "copy" | "clone" => "`v = u` copies, and so does `let v = u`",
        "where" => "write `if c { a } else { b }` for each element",
        "cumsum" | "cumprod" => "write `s[i] = scan(+)[i] x[i]`, or `scan(*)`",
        "bincount" | "histogram" => "write `h[bin[i]] += 1`",
        "float" | "double" => "types are functions too: `f64(x)`, `f32(x)`",
        "int" | "long" => "types are functions too: `i64(x)`, `i32(x)`",
        "astype" => "types are functions too: `f32(x)`",
        "pow" | "power" => "write `x^y`",
        "square" => "write `x^2`",
        "ln" => "write `log(x)`",
        "maximum" | "fmax" => "write `max(x, y)`; over an array, `max[i] u[i]`",
        "minimum" | "fmin" => "write `min(x, y)`; over an array, `min[i] u[i]`",
        "fabs" | "absolute" => "write `abs(x)`",
        "sign" | "sgn" | "signum" => "write `if x > 0 { 1 } else if x < 0 { -1 } else { 0 }`",
        "clip" => "write `min(max(x, a), b)`",
        "fmod" | "remainder" => "write `x mod y`",
        "arcsin" | "arccos" | "arctan" | "arctan2" => "they are `asin`, `acos`, `atan` and `atan2`",
        "rand" | "random" | "randn" | "randint" | "rand_normal" | "default_rng" => {
            "random numbers follow from a seed and an index: `use std.random: uniform`, `uniform(seed, i, 0)`"
        }
        "seed" => "the seed is the first argument: `uniform(seed, i, 0)`",
        "norm" => "write `sqrt(sum[i] x[i]^2)`, or `use std.stats: norm2`",
        "std" | "stddev" | "var" => "`use std.stats: variance, deviation`",
        "print" | "println" | "printf" | "echo" | "puts" | "write" => "write `print \"{x}\"`",
        "input" | "argv" | "getenv" => "a value from outside is a `param`, set with `-p name=value`",
        "open" | "loadtxt" | "fromfile" | "imread" => {
            "write `load u from \"u.npy\"`, or declare `array u: f64[n] from \"u.npy\"`"
        }
        "time" | "perf_counter" | "clock" | "tic" | "toc" => "`mgpu run --stats` measures every step",
        "jit" | "vmap" | "pmap" | "njit" | "vectorize" => "kernels are compiled and parallel as they are",
        "Send" | "Recv" | "send" | "recv" | "Isend" | "Irecv" | "Bcast" | "bcast" | "Scatter" | "Gather"
        | "Allgather" | "Allreduce" | "allreduce" | "barrier" | "Barrier" | "syncthreads" | "synchronize" => {
            "the compiler sends what a rank lacks: write the equation, and `mgpu plan` shows the messages"
        }
        "exit" | "quit" => "a program ends with its workflow; `assert c, \"why\"` ends it early",
        _ => return None,
    };
    Some(help.to_string())
}

/// A reduction under the name that other languages have for it.
pub fn reduction(name: &str) -> Option<&'static str> {
    Some(match name {
        "average" | "avg" => "mean",
        "product" | "multiply" => "prod",
        "minimum" | "amin" | "fmin" => "min",
        "maximum" | "amax" | "fmax" => "max",
        "count_nonzero" => "count",
        "exists" => "any",
        "forall" => "all",
        _ => return None,
    })
}

/// A value or a word that other languages have, where a value is wanted.
pub fn value(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    Some(match lower.as_str() {
        "true" | "false" | "pi" | "inf" | "nan" | "ranks" => format!("write `{lower}`"),
        "infinity" | "huge_val" => "write `inf`".into(),
        "m_pi" => "write `pi`".into(),
        "none" | "null" | "nil" | "nullptr" => {
            format!("there is no `{name}`: every value is a number, or `true` or `false`")
        }
        _ => return statement(name),
    })
}

/// A word that is a statement of other languages.
pub fn statement(name: &str) -> Option<String> {
    Some(match name {
        "continue" | "cycle" => format!("there is no `{name}`: put what it skips into `if not c {{ … }}`"),
        "pass" => "there is no `pass`: an empty block is `{ }`".into(),
        "return" => "there is no `return`: a block's last expression is its value, and results have names".into(),
        _ => return None,
    })
}

/// A module of Python in front of a `.`.
pub fn module(name: &str) -> bool {
    matches!(name, "np" | "numpy" | "cp" | "cupy" | "jnp" | "jax" | "math" | "torch" | "mpi" | "MPI" | "comm" | "scipy")
}

/// What is asked of an array behind a `.`.
pub fn attribute(array: &str, name: &str) -> Option<String> {
    Some(match name {
        "T" => format!("write `c[i, j] = {array}[j, i]`"),
        "sum" | "mean" | "max" | "min" | "prod" | "any" | "all" | "argmax" | "argmin" => {
            format!("a reduction names its indices: `{name}[i] {array}[i]`")
        }
        "real" | "imag" | "conj" => {
            let f = if name == "conj" { name } else { &name[..2] };
            format!("write `{f}({array}[i])`")
        }
        _ => return function(name),
    })
}
