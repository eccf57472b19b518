//! `mgpu plan --svg`: the arrays, and the messages of the exchange that carries most in the whole run, as one figure.

use super::frames::{Frame, frames};
use super::stage::Stage;
use super::{draw, escaped, palette};
use crate::ir::plan::Plan;
use crate::ir::plan::text::bytes;
use crate::source::SourceMap;

/// What both the figure and the page say about lines and letters.
pub const STYLE: &str = include_str!("figure.css");

/// How often a step is taken to run where that is decided during the run.
const ASSUMED: i64 = 100;

/// The figure.
pub fn figure(plan: &Plan, sources: &SourceMap, title: &str) -> String {
    let stage = Stage::of(plan);
    let all = frames(plan, sources);
    let size = |f: &Frame| f.messages.iter().map(|m| m.bytes).sum::<i64>();
    let run = |f: &Frame| size(f).saturating_mul(f.times.unwrap_or(ASSUMED));
    let most = all.iter().filter(|f| !f.messages.is_empty()).max_by_key(|f| run(f));
    let plural = if plan.ranks == 1 { "" } else { "s" };
    let caption = match most {
        None => format!("{title} on {} rank{plural}: no messages", plan.ranks),
        Some(f) => {
            let line = f.line.map_or(String::new(), |l| format!(", line {l}"));
            let n = f.messages.len();
            format!(
                "{title} on {} ranks{line}: {n} message{}, {}",
                plan.ranks,
                if n == 1 { "" } else { "s" },
                bytes(size(f))
            )
        }
    };
    let drawn = most.map_or(String::new(), |f| f.messages.iter().map(|m| draw::message(plan, &stage, m)).collect());
    let (w, h) = (stage.w.max(7.2 * caption.chars().count() as f64) + 48.0, stage.h + 92.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" role=\"img\" aria-label=\"{0}\">\
         <title>{0}</title><desc>{1}</desc><style>{STYLE}</style>{2}<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text class=\"caption\" x=\"24\" y=\"34\">{0}</text><g transform=\"translate(24 66)\">{3}{drawn}{4}</g></svg>\n",
        escaped(&caption),
        escaped(&describe(plan)),
        palette::definitions(),
        draw::panels(&stage),
        draw::labels(&stage),
    )
}

/// The owners in words.
pub fn describe(plan: &Plan) -> String {
    let mut out = vec![];
    for a in plan.arrays.iter().filter(|a| a.used) {
        let (layout, place) = a.layout_text();
        if a.layout.is_replicated() {
            out.push(format!("{}, {layout}, is whole {place}.", a.array.name));
            continue;
        }
        let parts: Vec<String> = (0..plan.ranks.min(16)).map(|r| format!("rank {r} {}", a.owned_text(r))).collect();
        let more = if plan.ranks > 16 { ", …" } else { "" };
        out.push(format!("{}, {layout}, {place}: {}{more}.", a.array.name, parts.join(", ")));
    }
    out.join(" ")
}
