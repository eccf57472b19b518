" Run by scripts/editors.sh in Vim and Neovim: opens every example and asks for the highlighting of known places.
set nocompatible
let s:root = expand('<sfile>:p:h:h:h')
execute 'set runtimepath^=' . fnameescape(s:root . '/editors/vim')
filetype plugin on
syntax on

let s:wrong = []
function s:Expect(group, line, part)
  call cursor(a:line, 1)
  let column = match(getline(a:line), a:part) + 1
  let found = synIDattr(synID(a:line, column, 1), 'name')
  if found !=# a:group
    call add(s:wrong, printf('%s:%d: `%s` is %s, not %s', bufname('%'), a:line, a:part, found, a:group))
  endif
endfunction

for s:file in glob(s:root . '/examples/*.mgpu', 0, 1) + glob(s:root . '/stdlib/*.mgpu', 0, 1)
  execute 'edit ' . fnameescape(s:file)
  if &filetype !=# 'mgpu' || &shiftwidth != 4 || &commentstring !=# '// %s'
    call add(s:wrong, s:file . ': filetype ' . &filetype . ', shiftwidth ' . &shiftwidth)
  endif
endfor

enew!
set filetype=mgpu
call setline(1, [
      \ 'kernel energy(u: f32[n]) -> f64 = sum[i] sqrt(u[i] mod 2) // all',
      \ 'array u: f32[8] in (block) edge clamp',
      \ 'workflow main { print "for {u[i] div 2:.3f}" }',
      \ '/// documentation'])
call s:Expect('mgpuReserved', 1, 'kernel')
call s:Expect('mgpuDeclared', 1, 'energy')
call s:Expect('mgpuType', 1, 'f32')
call s:Expect('mgpuReduction', 1, 'sum')
call s:Expect('mgpuBuiltin', 1, 'sqrt')
call s:Expect('mgpuReserved', 1, 'mod')
call s:Expect('mgpuNumber', 1, '2)')
call s:Expect('mgpuComment', 1, 'all')
call s:Expect('mgpuSoft', 2, 'clamp')
call s:Expect('mgpuText', 3, 'for')
call s:Expect('mgpuReserved', 3, 'div')
call s:Expect('mgpuDoc', 4, 'documentation')

if !empty(s:wrong)
  call writefile(s:wrong, '/dev/stderr')
  cquit
endif
qall!
