//! Text to syntax tree, and back.

pub mod ast;
mod build;
mod build_expr;
mod build_item;
mod build_stmt;
mod climb;
mod expected;
mod explain;
mod grammar;
pub mod habits;
mod hints;
pub mod lex;
mod lines;
mod nearly;
pub mod parse;
pub mod print;
mod scan;
mod spacing;
mod template;
pub mod walk;
pub mod words;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod print_tests;
#[cfg(test)]
mod samples;
