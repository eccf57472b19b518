//! Panels, messages and results as SVG.

use super::frames::Frame;
use super::stage::{Panel, Rect, Stage, Tile};
use super::{escaped, palette};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::Plan;
use crate::ir::plan::message::{Carried, Message};
use std::fmt::Write;

/// Arrays with their owners and copies.
pub fn panels(stage: &Stage) -> String {
    stage.panels.iter().map(panel).collect()
}

fn panel(p: &Panel) -> String {
    let mut out = format!("<g class=\"panel\" data-array=\"{}\">", p.arrays[0].0);
    let _ = write!(
        out,
        "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"layout\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        p.x,
        p.y + 14.0,
        escaped(&p.title),
        p.x,
        p.y + 31.0,
        escaped(&p.layout)
    );
    p.tiles.iter().for_each(|t| out += &tile(p, t));
    out + "</g>"
}

fn tile(p: &Panel, t: &Tile) -> String {
    let mut out = String::new();
    let who: Vec<String> = t.ranks.iter().map(i64::to_string).collect();
    let owner = if p.everywhere { "every rank".to_string() } else { format!("rank {}", who.join(", ")) };
    let _ = write!(out, "<g class=\"tile\"><title>{owner} owns {}</title>", t.part);
    for (r, from) in &t.bands {
        let fill = from.map_or("url(#hatchedge)".to_string(), palette::hatch);
        let _ = write!(out, "<rect class=\"copy\" {} fill=\"{fill}\"/>", place(r));
    }
    let c = palette::of(t.ranks[0]);
    let (fill, stroke) = if p.everywhere { ("#eef0f3", "#8a929e") } else { (c.tint, c.shade) };
    let dashed = if t.empty { " stroke-dasharray=\"4 3\"" } else { "" };
    let _ = write!(out, "<rect class=\"own\" {} rx=\"2\" fill=\"{fill}\" stroke=\"{stroke}\"{dashed}/>", place(&t.own));
    out + "</g>"
}

/// The owners' numbers, above everything else.
pub fn labels(stage: &Stage) -> String {
    let mut out = String::from("<g class=\"labels\">");
    for (p, t) in stage.panels.iter().flat_map(|p| p.tiles.iter().map(move |t| (p, t))) {
        let label = match t.ranks[..] {
            _ if p.everywhere => "all".to_string(),
            [a] => a.to_string(),
            [a, b] => format!("{a},{b}"),
            _ => format!("{}…", t.ranks[0]),
        };
        let (x, y) = t.own.centre();
        let size = if t.own.w < 34.0 || t.own.h < 34.0 { 12.0 } else { 17.0 };
        let base = y + size * 0.36;
        let _ = write!(out, "<text class=\"owner\" x=\"{x:.1}\" y=\"{base:.1}\" font-size=\"{size}\">{label}</text>");
    }
    out + "</g>"
}

fn place(r: &Rect) -> String {
    format!("x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"", r.x, r.y, r.w, r.h)
}

/// What happens in a step, over the panels.
pub fn overlay(plan: &Plan, stage: &Stage, f: &Frame) -> String {
    let mut out = String::new();
    if let Some(n) = f.nest {
        out += &computed(plan, stage, n);
    }
    for id in &f.touched {
        out += &stage.panel(*id).map_or(String::new(), |p| frame_around(p, "touched"));
    }
    if f.reduces {
        out += &reduction(plan, stage);
    }
    f.messages.iter().for_each(|m| out += &message(plan, stage, m));
    out
}

/// A frame around a whole panel.
fn frame_around(p: &Panel, class: &str) -> String {
    p.tiles.iter().map(|t| format!("<rect class=\"{class}\" {} rx=\"3\"/>", place(&grown(&t.own, 1.5)))).collect()
}

fn grown(r: &Rect, by: f64) -> Rect {
    Rect { x: r.x - by, y: r.y - by, w: r.w + 2.0 * by, h: r.h + 2.0 * by }
}

/// The elements that each rank computes, and the arrays that it reads.
fn computed(plan: &Plan, stage: &Stage, id: crate::ir::plan::PlanNestId) -> String {
    let n = plan.nest(id);
    let mut out = String::new();
    let mut written: Vec<ArrayId> = vec![];
    for s in &n.nest.stores {
        let array = n.nest.operands[s.operand.0 as usize].array;
        written.push(array);
        let Some(p) = stage.panel(array) else { continue };
        for t in &p.tiles {
            let Some(part) = n.part(t.ranks[0]) else { continue };
            let dims: Option<Vec<_>> = s
                .index
                .iter()
                .map(|a| {
                    a.image(&|s| if let crate::ir::kernel::Sym::Dim(d) = s { part.dims.get(d).copied() } else { None })
                })
                .collect();
            // The part of a nest over dealt tiles is one of positions.
            let rect = if p.dealt { Some(t.own) } else { dims.and_then(|d| p.rect(t, &IndexBox::new(d))) };
            let Some(rect) = rect else { continue };
            let _ = write!(out, "<rect class=\"computed\" {} rx=\"2\"/>", place(&rect));
        }
    }
    let mut seen = written;
    for o in &n.nest.operands {
        if !seen.contains(&o.array) {
            seen.push(o.array);
            out += &stage.panel(o.array).map_or(String::new(), |p| frame_around(p, "read"));
        }
    }
    out
}

/// Every rank's partial result joins the others: a row of ranks under the panels.
fn reduction(plan: &Plan, stage: &Stage) -> String {
    let (shown, y) = (plan.ranks.min(16), stage.h + 58.0);
    let step = (stage.w / shown as f64).min(64.0);
    let left = (stage.w - step * shown as f64) / 2.0 + step / 2.0;
    let middle = (stage.w / 2.0, stage.h + 16.0);
    let mut out = String::from("<g class=\"reduction\">");
    for r in 0..shown {
        let (x, c) = (left + step * r as f64, palette::of(r));
        let _ = write!(
            out,
            "<path d=\"M{x:.1} {:.1} Q{x:.1} {:.1} {:.1} {:.1}\" stroke=\"{}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"12\" fill=\"{}\" stroke=\"{}\"/><text class=\"owner\" x=\"{x:.1}\" y=\"{:.1}\" font-size=\"12\">{r}</text>",
            y - 12.0,
            middle.1 + 14.0,
            middle.0,
            middle.1 + 11.0,
            c.shade,
            c.tint,
            c.shade,
            y + 4.3
        );
    }
    let _ = write!(
        out,
        "<circle class=\"hub\" cx=\"{0:.1}\" cy=\"{1:.1}\" r=\"13\"/><text class=\"owner hubtext\" x=\"{0:.1}\" y=\"{2:.1}\" font-size=\"13\">all</text></g>",
        middle.0,
        middle.1,
        middle.1 + 4.5
    );
    out
}

/// A message: its elements marked where they leave and arrive, and an arrow.
pub fn message(plan: &Plan, stage: &Stage, m: &Message) -> String {
    let mut out = String::new();
    let text = escaped(&m.text(plan));
    let mut first = true;
    for c in &m.carried {
        let Some((from, to, arrives)) = ends(stage, m, c) else { continue };
        let colour = palette::of(m.from);
        let head = m.from.rem_euclid(8);
        let opacity = if from.w.min(from.h) < 16.0 { 1.0 } else { 0.3 };
        let _ = write!(
            out,
            "<rect class=\"leaves\" {} fill=\"{}\" fill-opacity=\"{opacity}\"/>",
            place(&from),
            colour.strong
        );
        if arrives {
            let _ = write!(
                out,
                "<rect class=\"arrives\" {} fill=\"{}\" stroke=\"{}\"/>",
                place(&to),
                colour.strong,
                colour.shade
            );
        }
        let path = curve(from.centre(), to.centre());
        let _ = write!(
            out,
            "<path class=\"line\" d=\"{path}\" stroke=\"{}\" marker-end=\"url(#head{head})\"/><path class=\"reach\" d=\"{path}\"/>",
            colour.shade
        );
        first = false;
    }
    if first {
        return out;
    }
    format!(
        "<g class=\"message\" data-from=\"{}\" data-to=\"{}\" data-text=\"{text}\"><title>{text}</title>{out}</g>",
        m.from, m.to
    )
}

/// Where elements leave and arrive, and whether they arrive in the array's own storage.
fn ends(stage: &Stage, m: &Message, c: &Carried) -> Option<(Rect, Rect, bool)> {
    let p = stage.panel(c.array)?;
    let sender = p.tile(m.from)?;
    let from = p.rect(sender, &c.source).unwrap_or(sender.own);
    let receiver = p.tile(m.to)?;
    if let Some(to) = Some(&c.target).filter(|_| c.in_place).and_then(|t| p.rect(receiver, t)) {
        return Some((from, to, true));
    }
    // A copy of its own: the arrow ends beside the middle of the receiver's part.
    let (x, y) = receiver.own.centre();
    let (dx, dy) = (from.centre().0 - x, from.centre().1 - y);
    let far = (dx * dx + dy * dy).sqrt().max(1.0);
    let near = 13.0f64.min(far / 3.0);
    Some((from, Rect { x: x + dx / far * near, y: y + dy / far * near, w: 0.0, h: 0.0 }, false))
}

/// A bent line, so that there and back do not coincide.
fn curve((x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> String {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let far = (dx * dx + dy * dy).sqrt().max(1.0);
    let bend = (far * 0.18).clamp(7.0, 46.0);
    let (mx, my) = ((x0 + x1) / 2.0 - dy / far * bend, (y0 + y1) / 2.0 + dx / far * bend);
    format!("M{x0:.1} {y0:.1} Q{mx:.1} {my:.1} {x1:.1} {y1:.1}")
}
