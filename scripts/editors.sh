#!/usr/bin/env bash
# Runs every editor's support for mgpu in the editor itself: Vim, Neovim and Emacs without a screen, VS Code's grammar engine and its
# packager, tree-sitter's command, Pygments, and Helix where it is installed. Installs what is missing: system packages, npm packages beneath .cache, Python packages
# into .venv, and tree-sitter's command (from npm, or built by cargo, which takes some minutes once). MGPU_TREE_SITTER names another.
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD"
tools="$root/.cache/editors"
mkdir -p "$tools"
say() { echo "mgpu: $*"; }

missing=()
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
command -v vim >/dev/null || missing+=(vim)
command -v nvim >/dev/null || missing+=(neovim)
command -v emacs >/dev/null || missing+=(emacs-nox)
command -v npm >/dev/null || missing+=(npm)
command -v cc >/dev/null || missing+=(build-essential)
if [ ${#missing[@]} -gt 0 ]; then
    say "installing system packages: ${missing[*]}"
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

say "the word lists, and tree-sitter on every program"
tree_sitter="${MGPU_TREE_SITTER:-}"
for place in "$(command -v tree-sitter || true)" "$tools/node_modules/.bin/tree-sitter" "$tools/bin/tree-sitter"; do
    [ -n "$tree_sitter" ] || ! "$place" --version >/dev/null 2>&1 || tree_sitter="$place"
done
if [ -z "$tree_sitter" ]; then
    if npm install --silent --no-fund --no-audit --prefix "$tools" tree-sitter-cli@0.27 >/dev/null 2>&1; then
        tree_sitter="$tools/node_modules/.bin/tree-sitter"
    else
        say "building tree-sitter's command"
        # Without the optimiser: it builds in half the time and is fast enough. Node reads the grammar.
        env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
            cargo install --quiet --locked --no-default-features --version "^0.27" --root "$tools" tree-sitter-cli
        tree_sitter="$tools/bin/tree-sitter"
    fi
fi
export MGPU_TREE_SITTER="$tree_sitter" MGPU_REQUIRE_EDITORS=1 XDG_CACHE_HOME="$tools"
cargo test --quiet --test editors

say "tree-sitter: the parser is the grammar's, its tests, its queries"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -r editors/tree-sitter-mgpu "$scratch/grammar"
(
    cd "$scratch/grammar"
    "$tree_sitter" generate --abi 14
    # Other versions of the command write other texts.
    if ! cmp -s src/parser.c "$root/editors/tree-sitter-mgpu/src/parser.c"; then
        case "$("$tree_sitter" --version)" in
        *0.27.1*) say "editors/tree-sitter-mgpu/src/parser.c is out of date: run tree-sitter generate --abi 14 there" >&2 && exit 1 ;;
        esac
    fi
    "$tree_sitter" test
)
for query in "$scratch"/grammar/queries/*.scm editors/zed/languages/mgpu/*.scm; do
    found=$(cd "$scratch/grammar" && "$tree_sitter" query "$(cd "$root" && realpath "$query")" "$root/examples/05_heat.mgpu" 2>/dev/null | grep -c capture || true)
    [ "$found" -gt 0 ] || { say "$query finds nothing" >&2; exit 1; }
done

say "VS Code's grammar engine"
[ -x "$tools/node_modules/.bin/vscode-tmgrammar-test" ] ||
    npm install --silent --no-fund --no-audit --prefix "$tools" vscode-tmgrammar-test@0.1
"$tools/node_modules/.bin/vscode-tmgrammar-test" -g editors/vscode/syntaxes/mgpu.tmLanguage.json "editors/vscode/test/*.mgpu.test"

say "VS Code's extension, packaged"
mkdir -p "$tools/vscode"
cp -r editors/vscode/. "$tools/vscode"
(
    cd "$tools/vscode"
    npm ci --silent --no-fund --no-audit
    npx vsce package --no-dependencies --skip-license --allow-missing-repository --out "$scratch/mgpu.vsix" >"$scratch/vsce.log" 2>&1 ||
        { cat "$scratch/vsce.log" >&2 && exit 1; }
)
python3 - "$scratch/mgpu.vsix" <<'CHECK'
import json, sys, zipfile
package = zipfile.ZipFile(sys.argv[1])
manifest = json.loads(package.read("extension/package.json"))
needed = [manifest["main"], *(g["path"] for g in manifest["contributes"]["grammars"]), *(s["path"] for s in manifest["contributes"]["snippets"])]
needed += [l["configuration"] for l in manifest["contributes"]["languages"]]
missing = [n for n in needed if "extension/" + n.removeprefix("./") not in package.namelist()]
assert not missing, f"the package lacks {missing}"
code = package.read("extension/" + manifest["main"].removeprefix("./"))
assert b"mgpu.showPlan" in code and b"LanguageClient" in code, "the client is not bundled"
print(f"mgpu: {len(package.namelist())} files, {len(code)} bytes of code")
CHECK

say "Vim and Neovim"
vim -es -N -u NONE -i NONE -n -S editors/vim/test.vim </dev/null
nvim --headless -u NONE -i NONE -n -S editors/vim/test.vim </dev/null

say "Emacs"
emacs --batch -L editors/emacs -l editors/emacs/mgpu-mode-test.el -f ert-run-tests-batch-and-exit
packages='(progn (require (quote package)) (package-initialize))'
has_eglot() { emacs --batch --eval "$packages" --eval '(require (quote eglot))' 2>/dev/null; }
# Part of Emacs 29, and a package of its own before.
has_eglot || $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq elpa-eglot >/dev/null 2>&1 || true
if has_eglot; then
    cargo build --quiet
    MGPU="${CARGO_TARGET_DIR:-target}/debug/mgpu" emacs --batch --eval "$packages" -L editors/emacs \
        -l editors/emacs/mgpu-eglot-test.el -f ert-run-tests-batch-and-exit
else
    say "SKIPPED: this Emacs has no eglot, and the package elpa-eglot could not be installed"
fi

say "Zed's extension, type-checked (Zed itself builds it for WebAssembly)"
cp -r editors/zed "$scratch/zed"
env -u CARGO_TARGET_DIR cargo check --quiet --manifest-path "$scratch/zed/Cargo.toml" --target-dir "$tools/zed"

hx="${HX:-$(command -v hx || command -v helix || true)}"
if [ -n "$hx" ] && command -v tmux >/dev/null; then
    say "Helix"
    cargo build --quiet
    MGPU="$(realpath "${CARGO_TARGET_DIR:-target}/debug/mgpu")" HX="$hx" editors/helix/test.sh
else
    say "SKIPPED: Helix or tmux is not installed (HX names the editor)"
fi

say "Pygments"
scripts/venv.sh pygments
cp -r editors/pygments "$scratch/pygments"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$scratch/pygments"
PYTHONDONTWRITEBYTECODE=1 .venv/bin/python editors/pygments/test_lexer.py
say "every editor's support works"
