//! `mgpu explain`

use crate::runtime::failure::exit;
use clap::Args;

#[derive(Args, Clone)]
pub struct ExplainArgs {
    /// The code of a diagnostic, such as E0302; none: list them all
    code: Option<String>,
}

/// Prints the page of a code; gives the exit code.
pub fn explain(args: &ExplainArgs) -> u8 {
    let pages = crate::diag::pages::PAGES;
    let Some(code) = &args.code else {
        pages.iter().for_each(|(code, page)| {
            println!("{code}  {}", page.lines().next().unwrap_or("").trim_start_matches("# "))
        });
        return exit::OK;
    };
    match pages.iter().find(|(c, _)| c.eq_ignore_ascii_case(code)) {
        Some((_, page)) => {
            print!("{}", shown(page));
            exit::OK
        }
        None => {
            eprintln!("there is no code `{code}`; `mgpu explain` lists them");
            exit::USAGE
        }
    }
}

/// A page for the terminal: code is indented, not fenced, and comments are left out.
fn shown(page: &str) -> String {
    let (mut out, mut code) = (String::new(), false);
    for line in page.lines().filter(|l| !l.starts_with("<!--")) {
        if line.starts_with("```") {
            code = !code;
            continue;
        }
        let indent = if code && !line.is_empty() { "    " } else { "" };
        out += &format!("{indent}{line}\n");
    }
    out
}
