//! What the language itself has to offer, in the words of `docs/language.md`: for hover, completion and signature help.

/// A built-in function, value or word: name, how it is written, what it means.
pub type Entry = (&'static str, &'static str, &'static str);

/// Functions and values that every program has and that are not in the library.
pub const FUNCTIONS: &[Entry] = &[
    ("abs", "abs(x)", "The size of a number."),
    ("min", "min(a, b, …)", "The least of two or more numbers; NaN if one is NaN. `min[i] x[i]` is a reduction."),
    ("max", "max(a, b, …)", "The greatest of two or more numbers; NaN if one is NaN. `max[i] x[i]` is a reduction."),
    ("sqrt", "sqrt(x)", "The square root, rounded correctly. Integers widen to `f64`."),
    ("floor", "floor(x)", "The greatest whole number not above `x`."),
    ("ceil", "ceil(x)", "The least whole number not below `x`."),
    ("round", "round(x)", "The nearest whole number; halves go to the even one."),
    ("trunc", "trunc(x)", "`x` without its fraction."),
    ("fma", "fma(a, b, c)", "`a * b + c`, rounded once."),
    ("select", "select(c, a, b)", "`a` if `c` holds, else `b`; both are computed."),
    ("mulhi", "mulhi(a, b)", "The high half of the product of two `u32` or `u64`."),
    ("bits", "bits(x)", "The bits of a float as an integer of its size."),
    ("from_bits", "from_bits(k)", "The float with the bits of an integer."),
    ("complex", "complex(re, im)", "A complex number of its parts."),
    ("re", "re(z)", "The real part of a complex number."),
    ("im", "im(z)", "The imaginary part of a complex number."),
    ("conj", "conj(z)", "The conjugate of a complex number."),
    ("arg", "arg(z)", "The angle of a complex number, from -pi to pi."),
];

/// Values that every program has.
pub const VALUES: &[Entry] = &[
    ("pi", "pi", "3.14159…"),
    ("inf", "inf", "Infinity."),
    ("nan", "nan", "Not a number."),
    (
        "ranks",
        "ranks: i64",
        "The number of ranks. A program whose values depend on it may give other results on other numbers of ranks.",
    ),
];

/// Reductions.
pub const REDUCTIONS: &[Entry] = &[
    ("sum", "sum[i, j in a..b] TERM", "The sum. Float sums have the same bits on any number of ranks."),
    ("prod", "prod[i] TERM", "The product."),
    ("min", "min[i] TERM", "The least term."),
    ("max", "max[i] TERM", "The greatest term."),
    ("mean", "mean[i] TERM", "The sum divided by the number of terms; of integers `f64`."),
    ("count", "count[i] CONDITION", "How often the condition holds, `i64`."),
    ("any", "any[i] CONDITION", "Whether the condition holds for some index."),
    ("all", "all[i] CONDITION", "Whether the condition holds for every index."),
    ("argmin", "argmin[i] TERM", "Not executed yet."),
    ("argmax", "argmax[i] TERM", "Not executed yet."),
];

/// Words with a meaning in their place.
pub const WORDS: &[Entry] = &[
    ("param", "param n: i64 = 64", "A value that `-p n=128` sets. Known before the run."),
    (
        "let",
        "let x = …",
        "A name for a value. In a kernel, `let f[i] = …` is an intermediate, evaluated where it is read.",
    ),
    ("var", "var x = …", "A variable of a workflow or of a block."),
    (
        "array",
        "array u: f32[n, m] in (block, *) edge clamp",
        "An array, starting as zeros, divided over the ranks by its partition.",
    ),
    ("partition", "partition rows = (block, *)", "A name for a way to divide arrays over the ranks."),
    ("fn", "fn f(x: f64) -> f64 = …", "A function of single values, put in place where it is called."),
    ("kernel", "kernel k(u: f32[n]) -> next: f32[n] { … }", "Computes whole arrays from its arguments, by equations."),
    (
        "workflow",
        "workflow main { … }",
        "Statements carried out in order, by all ranks together. A run carries out `main`.",
    ),
    ("use", "use std.random: uniform", "Brings names of the library, or of another file, into this one."),
    ("test", "test \"title\" with n = 4 { … }", "A test; checked for errors, not run yet."),
    ("block", "block", "Divides the dimension into contiguous parts of nearly equal size."),
    ("cyclic", "cyclic(16)", "Deals tiles of so many indices (1 if not said) to the ranks in turn."),
    ("replicated", "in replicated", "A full copy on every rank."),
    ("over", "over (2, auto)", "Fixes extents of the mesh of ranks."),
    ("aligned", "aligned OTHER", "Cut where another array is cut, although its extents differ a little."),
    ("edge", "edge clamp", "What a read past the end gives: `clamp periodic mirror odd constant(x) none`."),
    ("clamp", "edge clamp", "Past the end: the nearest element."),
    ("periodic", "edge periodic", "Past the end: the array again, from its other end."),
    ("mirror", "edge mirror", "Past the end: mirrored about the face, `u[-1]` is `u[0]`."),
    ("odd", "edge odd", "Past the end: mirrored with the sign turned, `u[-1]` is `-u[0]`."),
    ("constant", "edge constant(0)", "Past the end: this value."),
    ("none", "edge none", "Past the end: an error, before the run."),
    ("like", "array v like u", "Type, shape, partition and edge of another array."),
    ("otherwise", "… otherwise", "The equation holds for all elements that the earlier ones leave."),
    ("print", "print \"t = {t:.2f}\"", "Prints a line, once for all ranks; `{…}` holds an expression and a format."),
    ("assert", "assert cond, \"why\"", "Ends the run on all ranks when the condition is false."),
    ("expect", "expect cond", "A condition of a test."),
    ("load", "load u from \"u.npy\"", "Reads a NumPy file; every rank its own part."),
    ("save", "save u to \"u.npy\"", "Writes a NumPy file; every rank its own part."),
    ("plot", "plot u to \"u.png\"", "Draws a curve, or a field of colours."),
    ("animate", "animate u to \"u.png\"", "Adds a frame to an animated picture, which is written when the run ends."),
    (
        "for",
        "for t in 0..n by 2 { … }",
        "A loop; or behind an equation, the ranges of its indices. The end is left out.",
    ),
    ("while", "while cond { … }", "A loop of a workflow."),
    ("if", "if c { a } else { b }", "A choice: a statement, or an expression."),
    ("div", "a div b", "The floor of the quotient of integers; 0 for `b = 0`."),
    ("mod", "a mod b", "The rest of `div`; it has the sign of `b`."),
];

/// The element types.
pub const TYPES: &[Entry] = &[
    ("bool", "bool", "`true` or `false`."),
    ("i32", "i32", "Integers from -2^31 to 2^31 - 1; arithmetic wraps."),
    ("i64", "i64", "Integers from -2^63 to 2^63 - 1; arithmetic wraps. Literals without a context are `i64`."),
    ("u32", "u32", "Integers from 0 to 2^32 - 1; arithmetic wraps."),
    ("u64", "u64", "Integers from 0 to 2^64 - 1; arithmetic wraps."),
    ("f16", "f16", "IEEE 754 half precision, two bytes: operations are those of `f32`, rounded."),
    ("bf16", "bf16", "The upper half of an `f32`, two bytes: operations are those of `f32`, rounded."),
    ("f32", "f32", "IEEE 754 single precision."),
    ("f64", "f64", "IEEE 754 double precision."),
    ("c64", "c64", "Complex numbers of two `f32`."),
    ("c128", "c128", "Complex numbers of two `f64`."),
];

/// The entry of a name, reductions before functions where `[` follows it.
pub fn find(name: &str, subscripted: bool) -> Option<&'static Entry> {
    let first = if subscripted { [REDUCTIONS, FUNCTIONS] } else { [FUNCTIONS, REDUCTIONS] };
    first.into_iter().chain([VALUES, WORDS, TYPES]).flatten().find(|e| e.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_has_an_entry_or_stands_in_the_library() {
        let known = |n: &str| find(n, false).is_some() || !super::super::library::elementary(n).is_empty();
        let all = crate::check::BUILTIN_FUNCTIONS.iter().map(|s| s.to_string());
        let missing: Vec<String> = all.chain(crate::syntax::words::builtins()).filter(|n| !known(n)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for n in crate::syntax::words::reductions() {
            assert!(REDUCTIONS.iter().any(|e| e.0 == n), "{n}");
        }
    }

    #[test]
    fn every_word_is_a_word_of_the_language() {
        let mut words = crate::syntax::words::reserved();
        words.extend(crate::syntax::words::soft());
        let lost: Vec<&str> = WORDS.iter().map(|e| e.0).filter(|w| !words.iter().any(|k| k == w)).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}
