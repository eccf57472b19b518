//! A frame as lines of text with styles: the step, the messages, every array's parts side by side, the scalars.

use super::film::{Film, Frame, Take};
use super::record::{Held, element};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::ty::{Ty, Value};
use crate::runtime::io::plot;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Parts with at most so many cells each way show numbers; larger ones a picture.
const NUMBERS: usize = 10;
/// Cells of a picture, down and across.
const PICTURE: (usize, usize) = (12, 24);
/// Messages that are listed.
const LISTED: usize = 8;
/// From least to greatest, for terminals without colours.
const RAMP: &[u8] = b" .:-=+*#%@";

/// What a cell of a part is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Own,
    Ghost,
    Stale,
    /// Of its own part, and other than in the right run.
    Differs,
}

struct Cell {
    value: Option<Value>,
    kind: Kind,
}

/// The lines of a frame for a screen of some width; `only` names the arrays to show, or none.
pub fn lines(film: &Film, k: usize, width: usize, only: &[String]) -> Vec<Line<'static>> {
    let Some(frame) = film.frames.get(k) else { return vec![Line::from("nothing happens in this program")] };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let held = |rank: usize| frame.state.and_then(|s| film.take.record.ranks[rank].get(s));
    let counters: Vec<String> = frame
        .counters
        .iter()
        .map(|(id, name)| {
            format!("{name} = {}", scalar(&film.take, held(0).or(film.take.record.ranks[0].first()), *id))
        })
        .collect();
    let mut head = format!("{} of {}", k + 1, film.frames.len());
    if !counters.is_empty() {
        head += &format!(", {}", counters.join(", "));
    }
    let mut out = vec![Line::from(vec![Span::styled(head, bold), Span::raw("  "), Span::raw(frame.title.clone())])];
    if let Some((line, text)) = &frame.line {
        out.push(Line::from(format!("{line} | {text}")));
    }
    for m in frame.messages.iter().take(LISTED) {
        out.push(Line::styled(format!("    {m}"), Style::new().fg(Color::Cyan)));
    }
    if frame.messages.len() > LISTED {
        out.push(Line::from(format!("    … and {} more", frame.messages.len() - LISTED)));
    }
    printed(film, frame, &mut out);
    scalars(film, frame, &mut out);
    if k + 1 == film.frames.len() {
        for (take, who) in std::iter::once((&film.take, "")).chain(film.wrong.iter().map(|w| (&w.0, w.1.as_str()))) {
            if let Some(ending) = &take.record.ending {
                let who = if who.is_empty() { String::new() } else { format!("{who}: ") };
                out.push(Line::styled(format!("{who}{ending}"), bold));
            }
        }
    }
    for id in &film.order {
        if only.is_empty() || only.contains(&film.take.plan.array(*id).array.name) {
            array(film, frame, *id, width, &mut out);
        }
    }
    out
}

/// The last line that has been printed, and what the wrong run has printed in its place.
fn printed(film: &Film, frame: &Frame, out: &mut Vec<Line<'static>>) {
    let last = |take: &Take| {
        let printed = frame.state.and_then(|k| take.record.ranks[0].get(k)).map_or(0, |h| h.printed);
        take.record.printed.get(..printed).and_then(|said| said.lines().last()).map(str::to_string)
    };
    let right = last(&film.take);
    if let Some(said) = &right {
        out.push(Line::from(format!("printed: {said}")));
    }
    if let Some((wrong, lacks)) = &film.wrong {
        let other = last(wrong).filter(|said| Some(said) != right.as_ref());
        out.extend(other.map(|said| Line::from(format!("{lacks}: printed: {said}"))));
    }
}

/// One array: its layout, and the parts of the ranks; with a wrong run, both.
fn array(film: &Film, frame: &Frame, id: ArrayId, width: usize, out: &mut Vec<Line<'static>>) {
    let a = film.take.plan.array(id);
    let (layout, place) = a.layout_text();
    out.push(Line::from(""));
    let name = Span::styled(a.array.name.clone(), Style::new().add_modifier(Modifier::BOLD));
    out.push(Line::from(vec![name, Span::raw(format!("  {layout}, {place}"))]));
    let right = block(&film.take, frame, id, None, width);
    let Some((wrong, lacks)) = &film.wrong else {
        out.extend(right);
        return;
    };
    let other = block(wrong, frame, id, Some(&film.take), width);
    let count = frame.state.map_or(0, |k| film.differing(k, id));
    let note = if count == 0 { "no element differs".to_string() } else { format!("{count} elements differ") };
    let (w, v) = (widest(&right), widest(&other));
    if w.max("as planned".len()) + 3 + v <= width && right.len() == other.len() {
        let w = w.max("as planned".len());
        out.push(Line::from(format!("{:<w$} | {lacks}: {note}", "as planned")));
        for (x, y) in right.into_iter().zip(other) {
            let gap = " ".repeat(w - x.width());
            let mut spans = x.spans;
            spans.push(Span::raw(format!("{gap} | ")));
            spans.extend(y.spans);
            out.push(Line::from(spans));
        }
        return;
    }
    out.push(Line::from("as planned"));
    out.extend(right);
    out.push(Line::from(format!("{lacks}: {note}")));
    out.extend(other);
}

fn widest(lines: &[Line]) -> usize {
    lines.iter().map(Line::width).max().unwrap_or(0)
}

/// The parts of all ranks, arranged like the mesh.
fn block(take: &Take, frame: &Frame, id: ArrayId, right: Option<&Take>, width: usize) -> Vec<Line<'static>> {
    let a = take.plan.array(id);
    let everywhere = a.layout.is_replicated();
    let ranks: Vec<i64> = if everywhere { vec![0] } else { (0..take.plan.ranks).collect() };
    let parts: Vec<Vec<Vec<Cell>>> = ranks.iter().map(|r| cells(take, frame, id, *r, right)).collect();
    let all = || parts.iter().flatten().flatten();
    let own =
        all().filter(|c| c.kind == Kind::Own || c.kind == Kind::Differs).filter_map(|c| c.value).map(Value::as_f64);
    let (lo, hi) =
        own.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |m, v| (m.0.min(v), m.1.max(v)));
    let small = parts.iter().all(|p| p.len() <= NUMBERS && p.first().is_none_or(|r| r.len() <= NUMBERS));
    let wide = if small { all().map(|c| short(c.value).chars().count()).max().unwrap_or(1) } else { 0 };
    let label = |r: i64| match a.layout.is_dealt() {
        _ if everywhere && take.plan.ranks > 1 => "every rank".into(),
        // The elements stand tile after tile.
        true => format!("rank {r} {}", a.owned_text(r)),
        false => format!("rank {r}"),
    };
    let tiles: Vec<Vec<Line<'static>>> = ranks
        .iter()
        .zip(&parts)
        .map(|(r, rows)| {
            let mut out: Vec<Line<'static>> = rows
                .iter()
                .map(|row| Line::from(row.iter().map(|c| span(c, wide, (lo, hi))).collect::<Vec<_>>()))
                .collect();
            out.insert(0, Line::styled(label(*r), Style::new().add_modifier(Modifier::DIM)));
            out
        })
        .collect();
    // Ranks side by side along the last divided dimension that is drawn across.
    let dims = a.array.extents().len();
    let across = match a.layout.cuts[..dims].last() {
        Some(Some(_)) => *a.layout.mesh.last().unwrap_or(&1),
        _ if dims > 2 => take.plan.ranks,
        _ => 1,
    };
    let mut out = vec![];
    for row in tiles.chunks(across.max(1) as usize) {
        let mut at = 0;
        while at < row.len() {
            let mut used = widest(&row[at]);
            let mut end = at + 1;
            while end < row.len() && used + 2 + widest(&row[end]) <= width {
                used += 2 + widest(&row[end]);
                end += 1;
            }
            beside(&row[at..end], &mut out);
            at = end;
        }
    }
    out
}

/// Tiles next to each other.
fn beside(tiles: &[Vec<Line<'static>>], out: &mut Vec<Line<'static>>) {
    let height = tiles.iter().map(Vec::len).max().unwrap_or(0);
    for k in 0..height {
        let mut spans = vec![];
        for (n, t) in tiles.iter().enumerate() {
            let line = t.get(k).cloned().unwrap_or_default();
            let gap = if n + 1 < tiles.len() { widest(t) - line.width() + 2 } else { 0 };
            spans.extend(line.spans.into_iter().map(|s| s.patch_style(line.style)));
            spans.push(Span::raw(" ".repeat(gap)));
        }
        out.push(Line::from(spans));
    }
}

/// What is shown along a dimension: ghost cells, and the own indices one by one or, of larger parts, in runs.
fn shown(own: Interval, ghost: (i64, i64), most: usize) -> Vec<Interval> {
    let n = own.len();
    let keep = if n as usize + (ghost.0 + ghost.1) as usize <= NUMBERS { n } else { n.min(most as i64) };
    let single = |i: i64| Interval::new(i, i + 1);
    let mut out: Vec<Interval> = (own.lo - ghost.0..own.lo).map(single).collect();
    out.extend((0..keep).map(|k| Interval::new(own.lo + k * n / keep, own.lo + (k + 1) * n / keep)));
    out.extend((own.hi..own.hi + ghost.1).map(single));
    out
}

/// The cells of a rank's part; of more than two dimensions the plane in the middle. A cell of a larger part shows the value that is
/// greatest in size among those that it stands for.
fn cells(take: &Take, frame: &Frame, id: ArrayId, rank: i64, right: Option<&Take>) -> Vec<Vec<Cell>> {
    let a = take.plan.array(id);
    let part = a.layout.part(rank);
    let dims = a.array.extents().len();
    if part.is_empty() {
        return vec![];
    }
    let held = frame.state.and_then(|k| take.record.ranks[rank as usize].get(k));
    let other = right.zip(frame.state).and_then(|(t, k)| Some((t, t.record.ranks[rank as usize].get(k)?)));
    let fresh = take.fresh(frame.state);
    let middle: Vec<i64> = part.dims.iter().map(|d| d.lo + d.len() / 2).collect();
    let columns = shown(part.dims[dims - 1], a.ghost[dims - 1], PICTURE.1);
    let rows = match dims {
        1 => vec![Interval::new(0, 1)],
        _ => shown(part.dims[dims - 2], a.ghost[dims - 2], PICTURE.0),
    };
    let one = |row: i64, column: i64| {
        let mut at = middle.clone();
        at[dims - 1] = column;
        if dims > 1 {
            at[dims - 2] = row;
        }
        let value = match held {
            Some(h) => shown_element(&take.plan, id, h, rank, &at),
            // Before the first step arrays are zeros; behind the end of a run there is nothing.
            None => frame.state.is_none().then_some(Value { ty: a.array.ty, bits: 0 }),
        };
        let inside = part.dims.iter().zip(&at).all(|(d, i)| d.lo <= *i && *i < d.hi);
        let kind = if !inside {
            if fresh.holds(id, &part, &at) { Kind::Ghost } else { Kind::Stale }
        } else if other.is_some_and(|(t, h)| shown_element(&t.plan, id, h, rank, &at) != value) {
            Kind::Differs
        } else {
            Kind::Own
        };
        Cell { value, kind }
    };
    let cell = |row: Interval, column: Interval| {
        let mut all =
            (row.lo..row.hi).flat_map(|r| (column.lo..column.hi).map(move |c| (r, c))).map(|(r, c)| one(r, c));
        let first = all.next().unwrap_or(Cell { value: None, kind: Kind::Own });
        let size = |c: &Cell| c.value.map_or(-1.0, |v| v.as_f64().abs());
        all.fold(first, |best, c| {
            let kind = if c.kind == Kind::Differs { c.kind } else { best.kind };
            Cell { kind, ..if size(&c) > size(&best) { c } else { best } }
        })
    };
    rows.iter().map(|r| columns.iter().map(|c| cell(*r, *c)).collect()).collect()
}

/// What is shown of an element: of a complex number its absolute value.
fn shown_element(plan: &crate::ir::plan::Plan, id: ArrayId, held: &Held, rank: i64, at: &[i64]) -> Option<Value> {
    if !plan.array(id).array.complex {
        return element(plan, id, held, rank, at);
    }
    let part = |k: i64| {
        let mut at = at.to_vec();
        *at.last_mut()? = k;
        element(plan, id, held, rank, &at)
    };
    let (re, im) = (part(0)?, part(1)?);
    Some(Value::float(re.ty, re.as_f64().hypot(im.as_f64())))
}

/// A number in few characters.
fn short(v: Option<Value>) -> String {
    let Some(v) = v else { return "-".into() };
    match v.ty {
        ty if ty.is_float() => {
            let x = v.as_f64();
            match x.abs() {
                0.0 => "0".into(),
                m if !m.is_finite() => x.to_string(),
                m if (0.01..1000.0).contains(&m) => format!("{x:.2}"),
                _ => format!("{x:.0e}"),
            }
        }
        Ty::Bool => if v.as_bool() { "1" } else { "0" }.into(),
        _ => v.to_string(),
    }
}

/// A cell with its marks: ghost cells in brackets, stale ones between `!`, wrong ones between `*`.
fn span(c: &Cell, wide: usize, (lo, hi): (f64, f64)) -> Span<'static> {
    let v = c.value.map_or(f64::NAN, Value::as_f64);
    let t = if hi > lo { ((v - lo) / (hi - lo)).clamp(0.0, 1.0) } else { 0.5 };
    let (a, b) = match c.kind {
        Kind::Own => (" ", " "),
        Kind::Ghost => ("(", ")"),
        Kind::Stale => ("!", "!"),
        Kind::Differs => ("*", "*"),
    };
    let rgb = plot::colour(t);
    let back = Color::Rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8);
    let ink = if t > 0.6 { Color::Black } else { Color::White };
    let style = match c.kind {
        Kind::Own => Style::new().bg(back).fg(ink),
        Kind::Ghost => Style::new().bg(back).fg(ink).add_modifier(Modifier::DIM),
        Kind::Stale => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Kind::Differs => Style::new().bg(back).fg(ink).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
    };
    if wide > 0 {
        return Span::styled(format!("{a}{:>wide$}{b}", short(c.value)), style);
    }
    let level = if v.is_nan() { '?' } else { RAMP[(t * (RAMP.len() - 1) as f64).round() as usize] as char };
    let text = match c.kind {
        Kind::Own => format!("{level}{level}"),
        _ => format!("{level}{b}"),
    };
    Span::styled(text, style)
}

/// The value of a scalar on a rank.
fn scalar(take: &Take, held: Option<&Held>, id: ScalarId) -> String {
    let bits = held.and_then(|h| h.scalars.get(id.0 as usize).copied()).unwrap_or(0);
    Value { ty: take.plan.program.scalars[id.0 as usize].ty, bits }.to_string()
}

/// The program's scalars: one value, or one a rank where they differ.
fn scalars(film: &Film, frame: &Frame, out: &mut Vec<Line<'static>>) {
    let Some(k) = frame.state else { return };
    let mut told = vec![];
    let value = |take: &Take, id: ScalarId| {
        let each: Vec<String> = take.record.ranks.iter().map(|r| scalar(take, r.get(k), id)).collect();
        match each.windows(2).all(|w| w[0] == w[1]) {
            true => each.first().cloned().unwrap_or_default(),
            false => format!("by rank {}", each.join(", ")),
        }
    };
    for n in 0..film.take.plan.program.scalars.len() {
        let id = ScalarId(n as u32);
        let name = film.take.plan.scalar_name(id);
        if name.is_empty() || !film.take.has(id, k) || told.iter().any(|(n, _)| *n == name) {
            continue;
        }
        let right = value(&film.take, id);
        let wrong = film.wrong.as_ref().map(|(t, lacks)| (value(t, id), lacks)).filter(|w| w.0 != right);
        let text = match wrong {
            Some((w, lacks)) => format!("{name} = {right}; {lacks}: {w}"),
            None => format!("{name} = {right}"),
        };
        told.push((name, text));
    }
    out.extend(told.into_iter().map(|t| Line::from(t.1)));
}

/// What the marks mean.
pub const LEGEND: &str = "(x) ghost cell   !x! stale ghost cell   *x* other than in the right run";

/// Frames as plain text.
pub fn text(film: &Film, frames: std::ops::Range<usize>, width: usize, only: &[String]) -> String {
    let mut out = format!("{}\n{LEGEND}\n", film.title);
    for k in frames {
        out += "\n";
        for line in lines(film, k, width, only) {
            let text: String = line.spans.iter().map(|s| s.content.as_ref()).collect();
            out += text.trim_end();
            out += "\n";
        }
    }
    out
}
