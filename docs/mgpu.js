// Colours for the book's programs, in mdBook's highlighter.
(function () {
  if (typeof hljs === "undefined") return;
  // words: begin
  const words = {
    reserved: [
      "param", "let", "var", "array", "partition", "fn", "kernel", "workflow", "use", "test", "if", "else", "for",
      "while", "break", "true", "false", "and", "or", "not", "div", "mod",
    ],
    soft: [
      "aligned", "animate", "assert", "auto", "bitand", "bitor", "bitxor", "block", "by", "clamp", "constant", "cyclic",
      "edge", "exclusive", "expect", "from", "grad", "in", "like", "load", "mirror", "none", "odd", "otherwise", "over",
      "periodic", "plot", "print", "reduce", "replicated", "save", "scan", "shl", "shr", "to", "with",
    ],
    type: [
      "bool", "i32", "i64", "u32", "u64", "f32", "f64", "f16", "bf16", "c64", "c128",
    ],
    reduction: [
      "sum", "prod", "min", "max", "any", "all", "count", "mean", "argmin", "argmax",
    ],
    builtin: [
      "abs", "acos", "arg", "asin", "atan", "atan2", "bits", "cbrt", "ceil", "complex", "conj", "cos", "cosh", "erf",
      "exp", "exp2", "expm1", "floor", "fma", "from_bits", "hypot", "im", "inf", "log", "log10", "log1p", "log2", "max",
      "min", "mulhi", "nan", "pi", "pow", "ranks", "re", "round", "select", "sin", "sinh", "sqrt", "tan", "tanh",
      "trunc",
    ],
  };
  // words: end
  hljs.registerLanguage("mgpu", function (hljs) {
    return {
      keywords: {
        keyword: [...words.reserved, ...words.soft].join(" "),
        literal: "true false",
        type: words.type.join(" "),
        built_in: [...words.reduction, ...words.builtin].join(" "),
      },
      contains: [hljs.COMMENT("//", "$"), { className: "string", begin: '"', end: '"' }, { className: "number", begin: /\b(0x[0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?)\b/ }],
    };
  });
  document.querySelectorAll("code.language-mgpu").forEach(function (block) {
    block.removeAttribute("data-highlighted");
    (hljs.highlightElement || hljs.highlightBlock)(block);
  });
})();
