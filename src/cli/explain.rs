//! `mgpu explain`: the page of a code, or the plan of one line in prose.

use super::by_hand;
use super::explain_line::{LineArgs, explain_line};
use crate::runtime::failure::exit;
use clap::Args;

#[derive(Args, Clone)]
pub struct ExplainArgs {
    /// The code of a diagnostic, such as E0302, or a line of a program, such as heat.mgpu:14; none: list the codes
    what: Option<String>,
    #[command(flatten)]
    line: LineArgs,
}

/// Prints the page of a code, or explains a line; gives the exit code.
pub fn explain(args: &ExplainArgs) -> u8 {
    let pages = crate::diag::pages::PAGES;
    let Some(what) = &args.what else {
        pages.iter().for_each(|(code, page)| {
            println!("{code}  {}", page.lines().next().unwrap_or("").trim_start_matches("# "))
        });
        return exit::OK;
    };
    if args.line.form.is_some() {
        return match what.rsplit_once(':').map(|(file, lines)| (file, by_hand::lines(lines))) {
            Some((file, Some(lines))) => by_hand::by_hand(&args.line.program(file), Some(lines), args.line.ranks()),
            _ => by_hand::by_hand(&args.line.program(what), None, args.line.ranks()),
        };
    }
    if let Some((_, page)) = pages.iter().find(|(c, _)| c.eq_ignore_ascii_case(what)) {
        print!("{}", shown(page));
        return exit::OK;
    }
    match what.rsplit_once(':').map(|(file, line)| (file, line.parse::<usize>())) {
        Some((file, Ok(line))) => explain_line(file, line, &args.line),
        _ if what.ends_with(".mgpu") => {
            eprintln!(
                "`mgpu explain {what}:14` explains line 14 of it, `mgpu plan {what}` shows what the whole program does"
            );
            exit::USAGE
        }
        _ => {
            eprintln!(
                "there is no code `{what}`; `mgpu explain` lists them, `mgpu explain prog.mgpu:14` explains a line"
            );
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
