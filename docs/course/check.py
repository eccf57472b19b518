"""Checks an exercise of the course: python3 check.py 3 mine.mgpu

Runs the program as checks/03_….txt says, with numbers of ranks and parameters that the exercise does not name, and compares what it
prints. MGPU names the command where it is not on the PATH.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
MGPU = os.environ.get("MGPU", "mgpu")


def runs(check):
    """The arguments of each run and the lines that it is to print."""
    out = []
    for line in check.read_text().splitlines():
        if line.startswith("$ "):
            out.append((line[2:].split(), []))
        elif not line.startswith("wrong: "):
            out[-1][1].append(line)
    return out


def printed(program, args):
    """What a run prints; for `exchanges -n 4`, how many exchanges the plan has."""
    verb = ["run", program, "-q", "--executor", "vm"]
    if args[0] == "exchanges":
        verb, args = ["plan", program], args[1:]
    got = subprocess.run([MGPU, *verb, *args], capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    if got.returncode != 0:
        return got.stderr.splitlines()
    if verb[0] == "plan":
        return [str(sum(line.strip().startswith("exchange") for line in got.stdout.splitlines()))]
    return got.stdout.splitlines()


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__.strip())
    checks = sorted((FOLDER / "checks").glob(f"{int(sys.argv[1]):02d}_*.txt"))
    if not checks:
        sys.exit(f"there is no exercise {sys.argv[1]}")
    with tempfile.TemporaryDirectory() as folder:
        program = shutil.copy(sys.argv[2], folder)
        for args, wanted in runs(checks[0]):
            found = printed(program, args)
            if [line.rstrip() for line in found] != [line.rstrip() for line in wanted]:
                print(f"not yet: with {' '.join(args)} your program gives")
                print("\n".join(found))
                sys.exit(1)
    print("right")


main()
