#!/usr/bin/env bash
# Runs Helix on mgpu's files as a user would: builds the grammar, asks its health, then types in a terminal of tmux and reads the screen.
# MGPU names the command, HX the editor, HELIX_RUNTIME its themes where it does not find them itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
root="$PWD" hx="${HX:-hx}"
scratch=$(mktemp -d)
terminal() { tmux -L "mgpu-$$" "$@"; }
trap 'terminal kill-server 2>/dev/null || true; rm -rf "$scratch"' EXIT
mkdir -p "$scratch/config/helix/runtime/queries" "$scratch/config/helix/runtime/grammars" "$scratch/bin"
export XDG_CONFIG_HOME="$scratch/config" XDG_CACHE_HOME="$scratch/cache" MGPU_CACHE="$scratch/mgpu"
ln -s "$MGPU" "$scratch/bin/mgpu"
export PATH="$scratch/bin:$PATH"
sed "s|/path/to/mgpu|$root|" editors/helix/languages.toml >"$XDG_CONFIG_HOME/helix/languages.toml"
# Only this grammar is built: the others would be fetched.
sed -i '1i use-grammars = { only = ["mgpu"] }' "$XDG_CONFIG_HOME/helix/languages.toml"
printf 'theme = "base16_terminal"\n[editor.lsp]\ndisplay-inlay-hints = true\n' >"$XDG_CONFIG_HOME/helix/config.toml"
cp -r editors/tree-sitter-mgpu/queries "$XDG_CONFIG_HOME/helix/runtime/queries/mgpu"
cp editors/helix/queries/*.scm "$XDG_CONFIG_HOME/helix/runtime/queries/mgpu"
"$hx" --grammar build >/dev/null
health=$("$hx" --health mgpu | sed 's/\x1b\[[0-9;]*m//g')
for part in "✓ mgpu:" "Tree-sitter parser: ✓" "Highlight queries: ✓" "Textobject queries: ✓" "Indent queries: ✓"; do
    grep -qF "$part" <<<"$health" || { echo "helix: no '$part' in:"$'\n'"$health" >&2; exit 1; }
done

cp docs/programs/heat.mgpu "$scratch/heat.mgpu"
sed 's/ edge clamp//' docs/programs/heat.mgpu >"$scratch/wrong.mgpu"
printf 'fn twice(x: f64) -> f64 = 2*x\nworkflow main {\nprint "{twice(exp(1.0))}"\n}\n' >"$scratch/rough.mgpu"
cd "$scratch"
screen=""
# Waits until the screen shows a text.
shows() {
    for _ in $(seq 100); do
        screen=$(terminal capture-pane -p -t hx)
        if grep -qF -- "$1" <<<"$screen"; then return 0; fi
        sleep 0.2
    done
    echo "helix: '$1' is not shown:"$'\n'"$screen" >&2
    exit 1
}
type_keys() { terminal send-keys -t hx "$@"; }
terminal new-session -d -s hx -x 140 -y 40 "$hx" heat.mgpu
shows "f32[n, n] in (block, block) edge clamp"
# Colours, of the terminal's sixteen: keywords have one, and operators the text's.
terminal capture-pane -e -p -t hx >coloured
grep -qE $'\x1b\\[(3|9)[1-6]m(\x1b\\[49m)?kernel' coloured || { echo "helix: no colours" >&2; cat -v coloured >&2; exit 1; }
shows "for i in 0..256, j in 0..256"   # an inlay hint
type_keys "/diffuse" Enter "n" " k"    # hover over the call
shows "on 4 ranks"
type_keys Escape
sleep 1                                # or it would be Alt and the next key
type_keys ":open wrong.mgpu" Enter
shows "of \`u\` reaches 256"              # a diagnostic
type_keys ":open rough.mgpu" Enter
shows 'print "{twice'
type_keys "/exp" Enter "gd"            # the definition, in the library
shows "fn exp_f64(x: f64)"
type_keys ":open rough.mgpu" Enter
shows 'print "{twice'
type_keys "/twice" Enter " r"           # rename
shows "rename-to:"
type_keys C-u "double" Enter
shows "double(exp(1.0))"
type_keys ":write" Enter               # formats
shows '    print "{double'
printf 'fn double(x: f64) -> f64 = 2 * x\nworkflow main {\n    print "{double(exp(1.0))}"\n}\n' >wanted.mgpu
# The file is replaced a moment after the screen shows its text.
for _ in $(seq 50); do
    if cmp -s wanted.mgpu rough.mgpu; then break; fi
    sleep 0.2
done
diff wanted.mgpu rough.mgpu
type_keys ":quit-all!" Enter
echo "helix: grammar, queries, diagnostics, hints, hover, definition, rename and formatting work"
