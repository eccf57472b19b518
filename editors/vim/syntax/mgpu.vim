" Highlighting of mgpu programs. The word lists are checked against grammar/mgpu.pest by tests/editors.rs.
if exists("b:current_syntax")
  finish
endif

syn keyword mgpuReserved param let var array partition fn kernel workflow use test if else for while break true false and or not div mod
syn keyword mgpuSoft aligned animate assert auto bitand bitor bitxor block by clamp constant cyclic edge exclusive expect from grad in like load mirror none odd otherwise over periodic plot print reduce replicated save scan shl shr to with
syn keyword mgpuType bool i32 i64 u32 u64 f32 f64 f16 bf16 c64 c128
syn keyword mgpuBuiltin abs acos arg asin atan atan2 bits cbrt ceil complex conj cos cosh erf exp exp2 expm1 floor fma from_bits hypot im inf log log10 log1p log2 max min mulhi nan pi pow ranks re round select sin sinh sqrt tan tanh trunc
syn match mgpuReduction "\<\%(sum\|prod\|min\|max\|any\|all\|count\|mean\|argmin\|argmax\)\ze\["
syn match mgpuNumber "\<\%(0x[0-9a-fA-F_]\+\|\d[0-9_]*\%(\.\d[0-9_]*\)\?\%([eE][+-]\?\d\+\)\?\)\>"
syn match mgpuOperator "->\|\.\.\|[-+*/^=<>!]=\?"
syn match mgpuComment "//.*$" contains=mgpuTodo,@Spell
syn match mgpuDoc "///\%([^/].*\)\?$" contains=mgpuTodo,@Spell
syn keyword mgpuTodo contained TODO FIXME
syn match mgpuEscape contained "\\[nt\\\"]\|{{\|}}"
syn region mgpuHole contained matchgroup=Special start="{" end="}" oneline contains=mgpuReserved,mgpuSoft,mgpuType,mgpuBuiltin,mgpuReduction,mgpuNumber,mgpuOperator
syn region mgpuText start=+"+ skip=+\\.+ end=+"+ oneline contains=mgpuEscape,mgpuHole
syn match mgpuDeclared "\%(\<\%(fn\|kernel\|workflow\|partition\|param\)\s\+\)\@<=\h\w*"

hi def link mgpuReserved Keyword
hi def link mgpuSoft Statement
hi def link mgpuType Type
hi def link mgpuBuiltin Function
hi def link mgpuReduction Operator
hi def link mgpuNumber Number
hi def link mgpuOperator Operator
hi def link mgpuComment Comment
hi def link mgpuDoc SpecialComment
hi def link mgpuTodo Todo
hi def link mgpuEscape SpecialChar
hi def link mgpuText String
hi def link mgpuDeclared Identifier

let b:current_syntax = "mgpu"
