//! `mgpu lsp`

use crate::runtime::failure::exit;
use clap::Args;

#[derive(Args, Clone)]
pub struct LspArgs {
    /// Speak on the standard streams; the only way there is, so that editors may say it
    #[arg(long)]
    stdio: bool,
}

/// Serves an editor until it says goodbye; gives the exit code.
pub fn lsp(_: &LspArgs) -> u8 {
    if crate::lsp::serve() { exit::OK } else { exit::REJECTED }
}
