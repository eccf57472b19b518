"""A Pygments lexer for mgpu, a language for array programs on many GPUs over MPI."""

from pygments.lexer import RegexLexer, bygroups, include
from pygments.lexer import words as any_of
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from .words import BUILTIN, REDUCTION, RESERVED, SOFT, TYPE

__all__ = ["MgpuLexer"]


class MgpuLexer(RegexLexer):
    """Programs that end in ``.mgpu``."""

    name = "mgpu"
    aliases = ["mgpu"]
    filenames = ["*.mgpu"]
    mimetypes = ["text/x-mgpu"]

    tokens = {
        "root": [
            (r"\s+", Whitespace),
            (r"///(?!/)[^\n]*", String.Doc),
            (r"//[^\n]*", Comment.Single),
            (r'"', String.Double, "text"),
            (r"\b(fn|kernel|workflow)(\s+)([A-Za-z_]\w*)", bygroups(Keyword.Declaration, Whitespace, Name.Function)),
            (r"\b(param|partition|array)(\s+)([A-Za-z_]\w*)", bygroups(Keyword.Declaration, Whitespace, Name.Variable)),
            include("code"),
            (r"[{}]", Punctuation),
        ],
        # What may also stand in a hole of a text.
        "code": [
            (r"0x[0-9a-fA-F_]+", Number.Hex),
            (r"\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)", Number.Float),
            (r"\d[\d_]*", Number.Integer),
            (any_of(REDUCTION, prefix=r"\b", suffix=r"(?=\[)"), Operator.Word),
            (r"\b(and|or|not|div|mod|bitand|bitor|bitxor|shl|shr)\b", Operator.Word),
            (r"\b(true|false)\b", Keyword.Constant),
            (any_of(RESERVED, prefix=r"\b", suffix=r"\b"), Keyword),
            (any_of(TYPE, prefix=r"\b", suffix=r"\b"), Keyword.Type),
            (any_of(SOFT, prefix=r"\b", suffix=r"\b"), Keyword),
            (any_of(BUILTIN, prefix=r"\b", suffix=r"\b"), Name.Builtin),
            (r"[A-Za-z_]\w*(?=\()", Name.Function),
            (r"[A-Za-z_]\w*", Name),
            (r"->|\.\.|[-+*/=!<>]=|[-+*/^=<>]", Operator),
            (r"[()\[\],:;.]", Punctuation),
        ],
        "text": [
            (r'\\.|\{\{|\}\}', String.Escape),
            (r"\{", String.Interpol, "hole"),
            (r'"', String.Double, "#pop"),
            (r'[^"\\{}\n]+', String.Double),
            (r"\n", Whitespace, "#pop"),
        ],
        "hole": [
            (r'(:[^}"\n]*)?\}', String.Interpol, "#pop"),
            (r'(?=["\n])', String.Interpol, "#pop"),
            (r"\{", Punctuation, "block"),
            (r"[ \t]+", Whitespace),
            include("code"),
        ],
        "block": [
            (r"\}", Punctuation, "#pop"),
            (r"\{", Punctuation, "#push"),
            (r'(?=["\n])', String.Interpol, "#pop"),
            (r"[ \t]+", Whitespace),
            include("code"),
        ],
    }
