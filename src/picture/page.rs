//! `mgpu plan --html`: one page that holds everything: the arrays, a slider through the steps with the source beside it, and all of
//! it in words too.

use super::figure::{STYLE, describe};
use super::frames::{Frame, frames};
use super::stage::Stage;
use super::{draw, escaped, palette};
use crate::ir::plan::Plan;
use crate::ir::plan::text::{bytes, totals_text};
use crate::source::{FileId, SourceMap};
use std::fmt::Write;

/// Messages that a step's table lists.
const LISTED: usize = 256;

/// The page.
pub fn page(plan: &Plan, sources: &SourceMap, title: &str) -> String {
    let stage = Stage::of(plan);
    let all = frames(plan, sources);
    let plural = if plan.ranks == 1 { "" } else { "s" };
    let heading = format!("{title} on {} rank{plural}", plan.ranks);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n\
         <style>\n{STYLE}{1}</style>\n</head>\n<body>\n<header><h1>{2} <span>on {3} rank{plural}</span></h1>{4}</header>\n<main>\n",
        escaped(&heading),
        include_str!("page.css"),
        escaped(title),
        plan.ranks,
        facts(plan)
    );
    out += &source(sources);
    out += &picture(plan, &stage, &all);
    out += &outline(&all);
    out += "</main>\n";
    out += &controls(all.len());
    let json = plan.json(sources).to_string().replace("</", "<\\/");
    let _ = write!(
        out,
        "<div id=\"tip\" role=\"tooltip\" hidden></div>\n<script type=\"application/json\" id=\"plan\">{json}</script>\n<script>\n{}</script>\n</body>\n</html>\n",
        include_str!("page.js")
    );
    out
}

/// The parameters, the memory, and what to know.
fn facts(plan: &Plan) -> String {
    let mut list: Vec<String> = plan.program.params.iter().map(|(n, v)| format!("{n} = {v}")).collect();
    let most = plan.sampled_ranks().iter().map(|&r| plan.memory(r)).max().unwrap_or(0);
    list.push(format!("at most {} a rank", bytes(most)));
    list.extend(plan.totals().map(|t| totals_text(&t)));
    if plan.program.depends_on_ranks {
        list.push("values depend on the number of ranks".into());
    }
    let items: String = list.iter().map(|t| format!("<li>{}</li>", escaped(t))).collect();
    format!("<ul class=\"facts\">{items}</ul>")
}

/// The program's text with numbered lines.
fn source(sources: &SourceMap) -> String {
    let mut out = String::from("<section class=\"source\" aria-label=\"Source\" tabindex=\"0\"><ol>");
    for (k, line) in sources.file(FileId(0)).text.lines().enumerate() {
        let (code, comment) = match line.find("//") {
            Some(at) if !line[..at].contains('"') => line.split_at(at),
            _ => (line, ""),
        };
        let comment = if comment.is_empty() { String::new() } else { format!("<i>{}</i>", escaped(comment)) };
        let _ = writeln!(out, "<li id=\"L{}\"><code>{}{comment}</code></li>", k + 1, escaped(code));
    }
    out + "</ol></section>\n"
}

/// The picture with one group a step, and the step in words beneath.
fn picture(plan: &Plan, stage: &Stage, all: &[Frame]) -> String {
    let (w, h) = (stage.w + 32.0, stage.h + 96.0);
    let mut out = format!(
        "<section class=\"stage\" aria-label=\"Arrays and messages\">\n{}\n{}<figure>\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" style=\"max-width:{w:.0}px\" role=\"img\" aria-labelledby=\"t d\">\
         <title id=\"t\">The arrays, coloured by owner</title><desc id=\"d\">{}</desc>{}<g transform=\"translate(16 14)\">{}",
        said(all),
        ranks(plan),
        escaped(&describe(plan)),
        palette::definitions(),
        draw::panels(stage)
    );
    for (k, f) in all.iter().enumerate() {
        let _ = write!(out, "<g class=\"frame\" data-k=\"{k}\">{}</g>", draw::overlay(plan, stage, f));
    }
    out += &draw::labels(stage);
    out += "</g></svg></figure>\n";
    out += LEGEND;
    out += "<div class=\"details\">\n";
    all.iter().enumerate().for_each(|(k, f)| out += &table(plan, k, f));
    let words = escaped(&describe(plan));
    out + "</div><details class=\"words\"><summary>The arrays in words</summary><p>"
        + &words
        + "</p></details></section>\n"
}

const LEGEND: &str = "<p class=\"legend\"><span><i class=\"own\"></i>owned, with the owner’s number</span>\
    <span><i class=\"copy\"></i>copies of a neighbour’s elements</span><span><i class=\"edge\"></i>past the edge</span>\
    <span><i class=\"comp\"></i>computed now</span><span><i class=\"rd\"></i>read</span></p>\n";

/// Every step in words: what it does and how often.
fn said(all: &[Frame]) -> String {
    let mut out = String::from("<div class=\"said\" aria-live=\"polite\">\n");
    for (k, f) in all.iter().enumerate() {
        let _ = write!(out, "<article class=\"detail\" data-k=\"{k}\"><h2>{}</h2>", escaped(&f.title));
        f.more.iter().for_each(|m| out += &format!("<p>{}</p>", escaped(m)));
        let times = f.times.filter(|n| *n > 1).map_or(String::new(), |n| format!(": {n} times in a run"));
        if !f.loops.is_empty() {
            let _ = write!(out, "<p class=\"loops\">inside {}{times}</p>", escaped(&f.loops.join(", ")));
        }
        if f.overlapped && !f.messages.is_empty() {
            out += "<p class=\"loops\">the messages travel while the interior is computed</p>";
        }
        out += "</article>\n";
    }
    out + "</div>"
}

/// Buttons that show one receiver's messages only.
fn ranks(plan: &Plan) -> String {
    let mut out = String::from(
        "<div class=\"ranks\" role=\"group\" aria-label=\"Messages to\"><b>messages to</b><button data-rank=\"all\" aria-pressed=\"true\">all</button>",
    );
    for r in 0..plan.ranks {
        let c = palette::of(r);
        let _ = write!(
            out,
            "<button data-rank=\"{r}\" aria-pressed=\"false\" aria-label=\"rank {r}\" style=\"--tint:{};--shade:{}\">{r}</button>",
            c.tint, c.shade
        );
    }
    out + "</div>"
}

/// A step's messages, as a table.
fn table(plan: &Plan, k: usize, f: &Frame) -> String {
    let mut out = format!("<div class=\"messages\" data-k=\"{k}\">");
    if f.messages.is_empty() {
        return out + "</div>\n";
    }
    let head = ["from", "to", "elements", "bytes"].map(|h| format!("<th scope=\"col\">{h}</th>")).concat();
    let _ = write!(out, "<table><thead><tr>{head}</tr></thead><tbody>");
    for m in f.messages.iter().take(LISTED) {
        let boxes = escaped(&m.boxes(plan).join(", "));
        let _ = write!(
            out,
            "<tr data-to=\"{0}\"><td>{1}</td><td>{0}</td><td>{boxes}</td><td>{2}</td></tr>",
            m.to, m.from, m.bytes
        );
    }
    out += "</tbody></table>";
    if f.messages.len() > LISTED {
        let _ = write!(out, "<p>… and {} more messages</p>", f.messages.len() - LISTED);
    }
    out + "</div>\n"
}

/// All steps, indented as they are nested.
fn outline(all: &[Frame]) -> String {
    let mut out = String::from("<nav class=\"steps\" aria-label=\"Steps\"><ol>");
    for (k, f) in all.iter().enumerate() {
        let line = f.line.map_or(String::new(), |l| format!("<small>{l}</small>"));
        let data = f.line.map_or(String::new(), |l| format!(" data-line=\"{l}\""));
        let sent: i64 = f.messages.iter().map(|m| m.bytes).sum();
        let sent = if sent > 0 { format!("<em>{}</em>", bytes(sent)) } else { String::new() };
        let _ = write!(
            out,
            "<li style=\"--depth:{}\"><button class=\"step {}\" data-k=\"{k}\"{data}><span>{}</span>{sent}{line}</button></li>",
            f.depth,
            f.kind,
            escaped(&f.title)
        );
    }
    out + "</ol></nav>\n"
}

fn controls(steps: usize) -> String {
    let last = steps.saturating_sub(1);
    format!(
        "<footer><button id=\"back\" aria-label=\"Step back\" title=\"←\">‹</button>\
         <button id=\"play\" aria-label=\"Play\" title=\"space\">▶</button>\
         <button id=\"next\" aria-label=\"Step forwards\" title=\"→\">›</button>\
         <input id=\"slider\" type=\"range\" min=\"0\" max=\"{last}\" value=\"0\" step=\"1\" aria-label=\"Step\">\
         <output id=\"count\" for=\"slider\">1 of {steps}</output></footer>\n"
    )
}
