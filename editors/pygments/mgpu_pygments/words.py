"""The words of the language. Written from grammar/mgpu.pest by tests/editors.rs."""

RESERVED = (
    "param", "let", "var", "array", "partition", "fn", "kernel", "workflow", "use", "test", "if", "else", "for",
    "while", "break", "true", "false", "and", "or", "not", "div", "mod",
)

SOFT = (
    "aligned", "animate", "assert", "auto", "bitand", "bitor", "bitxor", "block", "by", "clamp", "constant", "cyclic",
    "edge", "exclusive", "expect", "from", "grad", "in", "like", "load", "mirror", "none", "odd", "otherwise", "over",
    "periodic", "plot", "print", "reduce", "replicated", "save", "scan", "shl", "shr", "to", "with",
)

TYPE = (
    "bool", "i32", "i64", "u32", "u64", "f32", "f64", "f16", "bf16", "c64", "c128",
)

REDUCTION = (
    "sum", "prod", "min", "max", "any", "all", "count", "mean", "argmin", "argmax",
)

BUILTIN = (
    "abs", "acos", "arg", "asin", "atan", "atan2", "bits", "cbrt", "ceil", "complex", "conj", "cos", "cosh", "erf",
    "exp", "exp2", "expm1", "floor", "fma", "from_bits", "hypot", "im", "inf", "log", "log10", "log1p", "log2", "max",
    "min", "mulhi", "nan", "pi", "pow", "ranks", "re", "round", "select", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)
