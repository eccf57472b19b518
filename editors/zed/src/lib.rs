//! Starts `mgpu lsp` for Zed.

use zed_extension_api::{self as zed, LanguageServerId, Result, Worktree, settings::LspSettings};

struct Mgpu;

impl zed::Extension for Mgpu {
    fn new() -> Self {
        Mgpu
    }

    fn language_server_command(&mut self, id: &LanguageServerId, worktree: &Worktree) -> Result<zed::Command> {
        let settings = LspSettings::for_worktree(id.as_ref(), worktree)?;
        let path = settings.binary.and_then(|b| b.path).or_else(|| worktree.which("mgpu"));
        let command = path.ok_or("mgpu is not on the PATH, and lsp.mgpu.binary.path does not name it")?;
        Ok(zed::Command { command, args: vec!["lsp".into()], env: worktree.shell_env() })
    }

    fn language_server_initialization_options(
        &mut self,
        id: &LanguageServerId,
        worktree: &Worktree,
    ) -> Result<Option<zed::serde_json::Value>> {
        Ok(LspSettings::for_worktree(id.as_ref(), worktree)?.initialization_options)
    }
}

zed::register_extension!(Mgpu);
