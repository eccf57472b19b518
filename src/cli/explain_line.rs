//! `mgpu explain prog.mgpu:14`: what each rank owns, what is exchanged and why, and what would remove it. The last part is
//! measured: the program is planned again with other partitions.

use super::by_hand::Form;
use super::compile::{Multiplier, Session, planning};
use super::{MessageFormat, ProgramArgs};
use crate::diag::Sink;
use crate::ir::index_box::Interval;
use crate::ir::kernel::ArrayId;
use crate::ir::layout::Dist;
use crate::ir::plan::text::bytes;
use crate::ir::plan::{Item, Plan, prose};
use crate::ir::program::{Placement, Program};
use crate::runtime::failure::exit;
use crate::source::{FileId, Span};
use crate::syntax::ast::{ItemKind, KernelBody, KernelDecl};
use crate::syntax::lex::{TokenKind, tokens};
use crate::syntax::walk;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone)]
pub struct LineArgs {
    /// Number of ranks to explain a line for
    #[arg(short = 'n', long, default_value_t = 4)]
    ranks: i64,
    /// Set a parameter of the program: `-p n=4096`
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Folder beneath which the program reads and writes [default: the program's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print the code that one would write by hand for a line, for lines (prog.mgpu:14-17) or for a program (prog.mgpu)
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub(super) form: Option<Form>,
}

impl LineArgs {
    /// The program that a line is of.
    pub(super) fn program(&self, file: &str) -> ProgramArgs {
        super::by_hand::program(file, &self.param, self.root.as_ref())
    }

    /// Ranks to explain for, as given.
    pub(super) fn ranks(&self) -> i64 {
        self.ranks
    }
}

/// Explains a line of a program; gives the exit code.
pub fn explain_line(file: &str, line: usize, args: &LineArgs) -> u8 {
    let ranks = args.ranks.clamp(1, 4096);
    let program = args.program(file);
    let mut session = Session::new(MessageFormat::Human);
    let both = session.on_deep_stack(|s| {
        let program = s.program(&program, ranks)?;
        let plan = crate::planner::plan_with(program.clone(), ranks, planning(Multiplier::Cpu), &mut s.sink)?;
        Some((program, plan))
    });
    let (rejected, refusal) = (session.sink.has_errors(), session.refusal());
    session.flush();
    let Some((program, plan)) = both.filter(|_| !rejected) else { return refusal };
    let text = session.sources.file(FileId(0)).text.clone();
    let Some(row) = text.lines().nth(line.wrapping_sub(1)) else {
        eprintln!("`{file}` has no line {line}: it ends with line {}", text.lines().count());
        return exit::USAGE;
    };
    println!("{line} | {}\n", row.trim());
    println!("On {ranks} rank{}:\n", if ranks == 1 { "" } else { "s" });
    let (own, shared) = places(&text, line, &session);
    let mut said = plan.prose(&session.sources, &|s| among(&own, s));
    let (mut places, mut shared) = (own, shared);
    if said.is_empty() {
        println!("Nothing is computed or sent for this line itself.");
        // What it is a part of.
        let around = around(&text, line, &session).into_iter().map(|(place, what)| (vec![place], what));
        let told = around.map(|(p, what)| (plan.prose(&session.sources, &|s| among(&p, s)), p, what));
        let Some((prose, place, what)) = told.into_iter().find(|(prose, ..)| !prose.is_empty()) else {
            return exit::OK;
        };
        println!("It belongs to {what}:\n");
        (said, places, shared) = (prose, place, vec![]);
    }
    let here = |s: Span| among(&places, s);
    for name in shared {
        println!("`{name}` is called elsewhere too; what its lines do is told for all calls.\n");
    }
    said.iter().for_each(|p| println!("{p}\n"));
    let advice = advice(&program, &plan, &here);
    if !advice.is_empty() {
        println!("What would remove messages here:");
        advice.iter().for_each(|a| println!("    {a}"));
    }
    exit::OK
}

/// Whether a place of the program begins in one of these.
fn among(places: &[Interval], s: Span) -> bool {
    let at = i64::from(s.start);
    s.end > 0 && s.file == FileId(0) && places.iter().any(|p| p.lo <= at && at < p.hi)
}

/// The statement of several lines that a line is in, then the kernel, in bytes and in words.
fn around(text: &str, line: usize, session: &Session) -> Vec<(Interval, String)> {
    let Some(ast) = crate::syntax::parse::parse(FileId(0), text, &mut Sink::default()) else { return vec![] };
    let lines = |s: Span| {
        let last = Span { start: s.end.saturating_sub(1), ..s };
        (session.sources.line_col(s).0, session.sources.line_col(last).0)
    };
    let mut found = vec![];
    let mut look = |span: Span, what: &dyn Fn((usize, usize)) -> String| {
        let (first, last) = lines(span);
        if first < last && (first..=last).contains(&line) {
            found.push((Interval::new(i64::from(span.start), i64::from(span.end)), what((first, last))));
        }
    };
    for item in &ast.items {
        let (body, kernel) = match &item.kind {
            ItemKind::Workflow(w) => (&w.body, None),
            ItemKind::Kernel(k @ KernelDecl { body: KernelBody::Block(b), .. }) => (b, Some(&k.name.name)),
            _ => continue,
        };
        walk::statements(body, &mut |s| {
            look(s.span, &|(first, last)| format!("the statement of lines {first} to {last}"))
        });
        if let Some(name) = kernel {
            look(item.span, &|_| format!("the kernel `{name}`"));
        }
    }
    found
}

/// The bytes that a line stands for: its own, and those of the kernels that it calls; those with more calls elsewhere by name.
fn places(text: &str, line: usize, session: &Session) -> (Vec<Interval>, Vec<String>) {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let row = text.get(start..).and_then(|t| t.lines().next()).unwrap_or("");
    let (mut out, mut shared) = (vec![Interval::new(start as i64, (start + row.len()) as i64 + 1)], vec![]);
    let Some(ast) = crate::syntax::parse::parse(FileId(0), text, &mut Sink::default()) else { return (out, shared) };
    let named = |text: &str, name: &str| {
        tokens(text).iter().filter(|t| t.kind == TokenKind::Word && &text[t.start..t.end] == name).count()
    };
    for item in &ast.items {
        let ItemKind::Kernel(k) = &item.kind else { continue };
        let here = named(row, &k.name.name);
        if here > 0 && session.sources.line_col(k.name.span).0 != line {
            out.push(Interval::new(i64::from(item.span.start), i64::from(item.span.end)));
            // Once where it is declared.
            if named(text, &k.name.name) > here + 1 {
                shared.push(k.name.name.clone());
            }
        }
    }
    (out, shared)
}

/// Other partitions of the arrays that a line exchanges, with what the line then costs, cheapest first.
fn advice(program: &Program, plan: &Plan, here: &dyn Fn(Span) -> bool) -> Vec<String> {
    let now = plan.traffic_at(here);
    if now.0 == 0 {
        return vec![];
    }
    let mut sent: Vec<ArrayId> = vec![];
    for e in plan.find(here).iter().filter_map(|f| prose::exchange_of(f.step)) {
        for item in &plan.exchanges[e.0 as usize].items {
            let id = match item {
                Item::Ghost { array, .. } => *array,
                Item::View(v) => plan.views[v.0 as usize].array,
            };
            let known = sent.iter().any(|s| plan.array(*s).array.name == plan.array(id).array.name);
            if !known {
                sent.push(id);
            }
        }
    }
    let mut found: Vec<((i64, i64), String)> = vec![];
    for id in sent {
        for (placement, words) in alternatives(program, id) {
            let other = changed(program, id, &placement);
            let Some(other) =
                crate::planner::plan_with(other, plan.ranks, planning(Multiplier::Cpu), &mut Sink::default())
            else {
                continue;
            };
            let then = other.traffic_at(here);
            if then.0 < now.0 || then.1 < now.1 {
                let more = other.memory(0) - plan.memory(0);
                let memory = if more > 0 { format!(", and rank 0 keeps {} more", bytes(more)) } else { String::new() };
                let cost = match then.0 {
                    0 => "no message here".to_string(),
                    n => format!("{n} messages with {} here, not {} with {}", bytes(then.1), now.0, bytes(now.1)),
                };
                found.push((then, format!("`{}` {words}: {cost}{memory}", declared(plan, id))));
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    found.into_iter().map(|f| f.1).take(4).collect()
}

/// The name under which the program declares an array.
fn declared(plan: &Plan, id: ArrayId) -> String {
    plan.array(id).array.name.trim_end_matches('\'').to_string()
}

/// Ways to keep more of an array whole, or in one block.
fn alternatives(program: &Program, id: ArrayId) -> Vec<(Placement, String)> {
    let a = &program.arrays[id.0 as usize];
    let Placement::Divided { dists, .. } = &a.placement else { return vec![] };
    let divided = dists.iter().filter(|d| **d != Dist::Whole).count();
    let words = |dists: &[Dist]| {
        let word = |d: &Dist| match d {
            Dist::Block => "block".to_string(),
            Dist::Whole => "*".into(),
            Dist::Cyclic(tile) => format!("cyclic({tile})"),
        };
        format!("in ({})", dists.iter().map(word).collect::<Vec<_>>().join(", "))
    };
    let mut out = vec![];
    let mut add = |dists: Vec<Dist>| {
        let words = words(&dists);
        out.push((Placement::Divided { dists, over: vec![] }, words));
    };
    for d in (0..dists.len()).filter(|d| dists[*d] != Dist::Whole && divided > 1) {
        let mut dists = dists.clone();
        dists[d] = Dist::Whole;
        add(dists);
    }
    // Neighbours of dealt tiles live elsewhere; those of blocks mostly do not.
    if dists.iter().any(|d| matches!(d, Dist::Cyclic(_))) {
        add(dists.iter().map(|d| if *d == Dist::Whole { *d } else { Dist::Block }).collect());
    }
    out.push((Placement::Replicated, "in replicated".into()));
    out
}

/// The program with another partition for an array and all that have its shape and partition.
fn changed(program: &Program, id: ArrayId, placement: &Placement) -> Program {
    let mut out = program.clone();
    let like = program.arrays[id.0 as usize].clone();
    for a in &mut out.arrays {
        if a.shape == like.shape && a.placement == like.placement {
            a.placement = placement.clone();
        }
    }
    out
}
