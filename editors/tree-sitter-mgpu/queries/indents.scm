; `@indent.begin` and its kin are Neovim's captures, `@indent` and `@outdent` Helix's.
[(block) (parameters) (arguments) (parenthesized) (subscripts) (table)] @indent.begin @indent
["}" ")" "]"] @indent.branch @indent.end @outdent
[(comment) (doc_comment)] @indent.ignore
