-- The language server, for Neovim 0.11 and later: `vim.lsp.enable("mgpu")`.
return {
  cmd = { "mgpu", "lsp" },
  filetypes = { "mgpu" },
  root_markers = { ".git" },
  init_options = { ranks = 4 },
}
