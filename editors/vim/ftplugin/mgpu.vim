" Comments, indentation and the formatter for mgpu programs.
if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1

setlocal commentstring=//\ %s
setlocal comments=:///,://
setlocal expandtab shiftwidth=4 softtabstop=4
setlocal smartindent
setlocal suffixesadd=.mgpu

let b:undo_ftplugin = "setlocal commentstring< comments< expandtab< shiftwidth< softtabstop< smartindent< suffixesadd<"
