" Files that end in .mgpu are mgpu programs.
au BufRead,BufNewFile *.mgpu setfiletype mgpu
