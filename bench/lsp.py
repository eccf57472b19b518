#!/usr/bin/env python3
"""Latency of `mgpu lsp` on a program of 1,000 lines: from a keystroke to its diagnostics, and of every request behind it.

    bench/lsp.py [target/release/mgpu] [lines]

Prints the median and the worst of 20 rounds in milliseconds; exits with 1 when a keystroke takes 100 ms or more (median).
"""
import json, statistics, subprocess, sys, tempfile, time
from pathlib import Path

MGPU = sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent.parent / "target/release/mgpu")
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
ROUNDS = 20


def program(lines):
    """Stencils, reductions, functions and prints, over and over: what a long simulation looks like."""
    out = ["/// A long program.", "", "param n: i64 = 256", "partition tiles = (block, block)", ""]
    body = []
    k = 0
    while len(out) + len(body) + 2 < lines:
        out += [
            f"array layer{k}: f32[n, n] in tiles edge clamp",
            "",
            f"/// The speed of layer {k}.",
            f"fn speed{k}(x: f64) -> f64 = 0.1 + 0.05 * exp(-x^2) * sin({k}.0 + x)",
            "",
            f"/// One step of layer {k}.",
            f"kernel step{k}(u: f32[n, m], alpha: f32) -> next: f32[n, m] {{",
            "    let flux[i, j] = u[i, j] - u[i-1, j]      // on faces",
            "    next[i, j] = u[i, j] + alpha * (flux[i+1, j] - flux[i, j] + u[i, j-1] + u[i, j+1] - 2 * u[i, j])",
            "}",
            "",
        ]
        body += [
            f"    layer{k}[i, j] = f32(i + j) / 512",
            f"    for t in 0..10 {{ layer{k} = step{k}(layer{k}, f32(speed{k}(0.5))) }}",
            f"    let total{k} = sum[i, j] layer{k}[i, j]",
            f'    print "layer {k}: {{total{k}:.3f}}"',
        ]
        k += 1
    return "\n".join(out + ["workflow main {"] + body + ["}"]) + "\n"


class Server:
    def __init__(self):
        self.p = subprocess.Popen([MGPU, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id = 0

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.p.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.p.stdin.flush()

    def receive(self):
        length = 0
        while (line := self.p.stdout.readline().strip()):
            name, value = line.split(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return json.loads(self.p.stdout.read(length))

    def request(self, method, params):
        self.id += 1
        self.send({"id": self.id, "method": method, "params": params})
        while True:
            m = self.receive()
            if m.get("id") == self.id:
                return m["result"]

    def diagnostics(self, version):
        while True:
            m = self.receive()
            if m.get("method") == "textDocument/publishDiagnostics" and m["params"].get("version") == version:
                return m["params"]["diagnostics"]


def timed(f):
    start = time.perf_counter()
    f()
    return (time.perf_counter() - start) * 1000


def main():
    text = program(LINES)
    rows = text.split("\n")
    uri = (Path(tempfile.mkdtemp()) / "long.mgpu").as_uri()
    s = Server()
    s.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    s.send({"method": "initialized", "params": {}})
    s.send({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri, "languageId": "mgpu", "version": 0, "text": text}}})
    assert s.diagnostics(0) == [], "the program has errors"
    line = next(i for i, r in enumerate(rows) if "= step3(" in r)
    place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": rows[line].index("step3") + 2}}
    whole = {"textDocument": {"uri": uri}, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}}, "context": {"diagnostics": [], "includeDeclaration": True}}
    asked = {"keystroke to diagnostics": None, "keystroke with an error": None}
    asked |= {m: place for m in ["hover", "definition", "references", "completion", "signatureHelp", "documentHighlight", "prepareRename"]}
    asked |= {"rename": place | {"newName": "another"}}
    asked |= {m: whole for m in ["inlayHint", "documentSymbol", "foldingRange", "semanticTokens/full", "formatting", "codeAction"]}
    times = {name: [] for name in asked}
    version = 0

    def keystroke(new):
        nonlocal version
        version += 1
        change = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": new}]}
        s.send({"method": "textDocument/didChange", "params": change})
        s.diagnostics(version)

    for k in range(ROUNDS):
        times["keystroke with an error"].append(timed(lambda: keystroke(text.replace("* sin(3.0", f"* si{'x' * (k % 5)}(3.0"))))
        times["keystroke to diagnostics"].append(timed(lambda: keystroke(text + "\n" * k)))
        for name, params in asked.items():
            if params:
                times[name].append(timed(lambda: s.request("textDocument/" + name, params)))
    print(f"{len(rows) - 1} lines, {len(text)} bytes, {ROUNDS} rounds, milliseconds")
    print(f"{'':28}{'median':>8}{'worst':>8}")
    for name, t in times.items():
        print(f"{name:28}{statistics.median(t):8.1f}{max(t):8.1f}")
    s.request("shutdown", None)
    s.send({"method": "exit"})
    sys.exit(statistics.median(times["keystroke to diagnostics"]) >= 100)


main()
