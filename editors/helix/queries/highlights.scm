; Written from tree-sitter-mgpu/queries/highlights.scm by tests/editors.rs.
; What is what in a program, for colours. No two patterns name the same node, so their order does not matter.

(comment) @comment
(doc_comment) @comment.line.documentation
(number) @constant.numeric
(boolean) @constant.builtin.boolean
(string) @string
(text) @string
(escape) @constant.character.escape
(format) @string.special
(hole "{" @punctuation.special "}" @punctuation.special)

["param" "let" "var" "array" "partition" "fn" "kernel" "workflow" "use" "test"] @keyword
["if" "else"] @keyword.control.conditional
["for" "while" (break_statement)] @keyword.control.repeat
["and" "or" "not" "div" "mod" "bitand" "bitor" "bitxor" "shl" "shr"] @keyword.operator
["in" "by" "to" "from" "like" "aligned" "edge" "over" "auto" "with" "constant" (replicated) (otherwise)] @keyword
(distribution ["block" "cyclic" "*"] @keyword)
(edge ["clamp" "periodic" "mirror" "odd" "none"] @keyword)
(print_statement "print" @keyword)
(assert_statement "assert" @keyword)
(expect_statement "expect" @keyword)
(load_statement "load" @keyword)
(save_statement "save" @keyword)
(plot_statement "plot" @keyword)
(animate_statement "animate" @keyword)
(gradient "grad" @keyword)
(scan "scan" @keyword)
(combination "reduce" @keyword)
(reduction operator: _ @function.builtin)

(type_name) @type.builtin

(fn_declaration name: (identifier) @function)
(kernel_declaration name: (identifier) @function)
(workflow_declaration name: (identifier) @function)
(partition_declaration name: (identifier) @type)
(in_clause (identifier) @type)
(param_declaration name: (identifier) @constant)
(let_declaration name: (identifier) @constant)
(array_declaration name: (identifier) @variable)
(parameter name: (identifier) @variable.parameter)
(result name: (identifier) @variable.parameter)
(index name: (identifier) @variable)
; Names in expressions, also in the holes of a text, which would else have the text's colour.
(expression/identifier) @variable
(element array: (identifier) @variable)
(for_statement index: (identifier) @variable)
([(load_statement array: (identifier) @variable)
  (save_statement array: (identifier) @variable)
  (plot_statement array: (identifier) @variable)
  (animate_statement array: (identifier) @variable)])
(binder index: (identifier) @variable)
(use_declaration (module_path (identifier) @namespace))
(use_declaration name: (identifier) @function)

; Conversions, the functions that every program has, and other functions.
; types: begin
((call function: (identifier) @type.builtin)
  (#any-of? @type.builtin
    "bool" "i32" "i64" "u32" "u64" "f32" "f64" "f16" "bf16" "c64" "c128"))
; types: end
; builtins: begin
((call function: (identifier) @function.builtin)
  (#any-of? @function.builtin
    "abs" "acos" "arg" "asin" "atan" "atan2" "bits" "cbrt" "ceil" "complex" "conj" "cos" "cosh" "erf" "exp" "exp2"
    "expm1" "floor" "fma" "from_bits" "hypot" "im" "inf" "log" "log10" "log1p" "log2" "max" "min" "mulhi" "nan" "pi"
    "pow" "ranks" "re" "round" "select" "sin" "sinh" "sqrt" "tan" "tanh" "trunc"))
; builtins: end
; others: begin
((call function: (identifier) @function)
  (#not-any-of? @function
    "bool" "i32" "i64" "u32" "u64" "f32" "f64" "f16" "bf16" "c64" "c128" "abs" "acos" "arg" "asin" "atan" "atan2" "bits"
    "cbrt" "ceil" "complex" "conj" "cos" "cosh" "erf" "exp" "exp2" "expm1" "floor" "fma" "from_bits" "hypot" "im" "inf"
    "log" "log10" "log1p" "log2" "max" "min" "mulhi" "nan" "pi" "pow" "ranks" "re" "round" "select" "sin" "sinh" "sqrt"
    "tan" "tanh" "trunc"))
; others: end

(binary operator: ["+" "-" "*" "/" "^" "==" "!=" "<=" ">=" "<" ">"] @operator)
(unary operator: "-" @operator)
(equation operator: _ @operator)
["->" ".."] @operator
["(" ")" "[" "]"] @punctuation.bracket
(block ["{" "}"] @punctuation.bracket)
["," ":" ";"] @punctuation.delimiter
