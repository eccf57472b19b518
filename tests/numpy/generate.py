"""Runs every lesson's script and writes expected.json and its arrays; with --check, compares them instead."""

import importlib.util
import io
import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "examples" / "data"


def npy_bytes(array):
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array))
    return out.getvalue()


def main():
    sys.path.insert(0, str(HERE))
    entries, files = {}, {}

    def array(name, values, max_abs, every=1, sum_rel=1e-6):
        """Notes the expected array `values` (in the program's own type) and returns its entry."""
        kept = values[::every, ::every] if every > 1 else values
        files[name] = npy_bytes(kept)
        return {
            "file": name,
            "every": every,
            "shape": list(values.shape),
            "max_abs": max_abs,
            "sum": float(values.sum(dtype=np.float64)),
            "sum_rel": sum_rel,
        }

    for script in sorted(HERE.glob("[0-9]*.py")):
        spec = importlib.util.spec_from_file_location("lesson", script)
        lesson = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(lesson)
        entries[script.stem] = lesson.expected(array, lambda name: np.load(DATA / name))
    files["expected.json"] = (json.dumps(entries, indent=1) + "\n").encode()

    if "--check" in sys.argv:
        stale = [n for n, b in files.items() if not (HERE / n).exists() or (HERE / n).read_bytes() != b]
        sys.exit(f"out of date: {stale}; run generate.py" if stale else 0)
    for name, content in files.items():
        (HERE / name).write_bytes(content)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")


main()
