"""The lexer, installed, reads every example and library file, and knows what is what in a line. Run by scripts/editors.sh."""

import pathlib
import unittest

from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tokens(text):
    return [(kind, value) for kind, value in get_lexer_by_name("mgpu").get_tokens(text) if value.strip()]


class Lexer(unittest.TestCase):
    def test_every_program_is_read_without_an_error(self):
        files = [f for folder in ("examples", "stdlib", "docs") for f in sorted((ROOT / folder).rglob("*.mgpu"))]
        self.assertGreater(len(files), 12)
        for file in files:
            text = file.read_text()
            found = list(get_lexer_for_filename(file.name).get_tokens(text))
            self.assertEqual([t for t in found if t[0] is Error], [], file.name)
            self.assertEqual("".join(value for _, value in found).strip(), text.strip(), file.name)

    def test_a_line_of_each_kind(self):
        found = tokens('kernel energy(u: f32[n]) -> f64 = sum[i] sqrt(u[i-1] mod 0.5) // all\n')
        for wanted in [
            (Keyword.Declaration, "kernel"), (Name.Function, "energy"), (Keyword.Type, "f32"), (Operator, "->"),
            (Operator.Word, "sum"), (Name.Builtin, "sqrt"), (Operator.Word, "mod"), (Number.Float, "0.5"),
            (Comment.Single, "// all"),
        ]:
            self.assertIn(wanted, found)

    def test_texts_have_holes(self):
        found = tokens('print "a {{b}} {if x > 0 { 1 } else { 2 }:.3f} c"\n')
        for wanted in [
            (Keyword, "print"), (String.Escape, "{{"), (String.Interpol, ":.3f}"), (Keyword, "if"), (String.Double, " c"),
        ]:
            self.assertIn(wanted, found)
        self.assertFalse([t for t in found if t[0] is Error])


if __name__ == "__main__":
    unittest.main()
