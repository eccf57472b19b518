//! Where things stand: every array is a panel of tiles, one a part, drawn apart so that the copies around each are seen. Widths of
//! copies are not to scale: one element beside thousands would be invisible.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;
use crate::ir::layout::Cuts;
use crate::ir::plan::{Plan, PlanArray};
use crate::ir::program::Edge;

/// A rectangle in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub fn centre(&self) -> (f64, f64) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

/// One part along one dimension, or one tile of a part.
#[derive(Clone, Debug)]
struct Piece {
    /// The coordinate of the owner.
    owner: i64,
    span: Interval,
    start: f64,
    end: f64,
    /// Elements of copies below and above, and the room they get.
    ghost: (i64, i64),
    band: (f64, f64),
}

impl Piece {
    /// The place of the edge before index `i`.
    fn at(&self, i: i64) -> f64 {
        let part = |n: i64, of: i64| (n as f64 / of.max(1) as f64).min(1.0);
        if i < self.span.lo {
            self.start - self.band.0 * part(self.span.lo - i, self.ghost.0)
        } else if i > self.span.hi {
            self.end + self.band.1 * part(i - self.span.hi, self.ghost.1)
        } else {
            self.start + (self.end - self.start) * part(i - self.span.lo, self.span.len())
        }
    }

    /// The place of an interval, at least three units wide.
    fn range(&self, r: Interval) -> (f64, f64) {
        let (mut a, mut b) = (self.at(r.lo), self.at(r.hi));
        let (first, last) = (self.start - self.band.0, self.end + self.band.1);
        if b - a < 3.0 {
            let middle = ((a + b) / 2.0).clamp(first + 1.5, (last - 1.5).max(first + 1.5));
            (a, b) = (middle - 1.5, middle + 1.5);
        }
        (a, b)
    }
}

/// A part of an array: the ranks that own it, and what lies around it.
pub struct Tile {
    /// More than one where dimensions that are not drawn are divided too, or where every rank has all.
    pub ranks: Vec<i64>,
    /// What they own here, as text, and whether that is nothing.
    pub part: String,
    pub empty: bool,
    pub own: Rect,
    /// The copies on its four sides: place, and the rank whose elements they are (`None`: the edge's).
    pub bands: Vec<(Rect, Option<i64>)>,
    across: Piece,
    down: Piece,
}

/// An array in the picture.
pub struct Panel {
    /// The first of the arrays that take turns in one buffer stands for all.
    pub arrays: Vec<ArrayId>,
    pub title: String,
    pub layout: String,
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
    pub tiles: Vec<Tile>,
    pub everywhere: bool,
    /// Tiles are dealt, so that a rank has more than one here.
    pub dealt: bool,
    /// The dimensions drawn down and across.
    dims: (Option<usize>, usize),
}

/// The whole picture.
pub struct Stage {
    pub panels: Vec<Panel>,
    pub w: f64,
    pub h: f64,
}

const HEAD: f64 = 44.0;
const GAP: f64 = 22.0;
const SIDE: f64 = 230.0;
const SMALLEST: f64 = 30.0;
const BETWEEN: f64 = 34.0;
/// The widest row of panels.
const WIDTH: f64 = 860.0;

impl Stage {
    /// Places the arrays that a plan uses, in rows.
    pub fn of(plan: &Plan) -> Stage {
        let mut panels: Vec<Panel> = vec![];
        for (k, a) in plan.arrays.iter().enumerate().filter(|a| a.1.used) {
            let id = ArrayId(k as u32);
            let shared = |p: &&mut Panel| a.array.temporary && plan.array(p.arrays[0]).buffer == a.buffer;
            match panels.iter_mut().find(shared) {
                Some(p) => p.arrays.push(id),
                None => panels.push(panel(plan, id, a)),
            }
        }
        let (mut x, mut y, mut row, mut w) = (0.0, 0.0, 0.0f64, 0.0f64);
        for p in &mut panels {
            if x > 0.0 && x + p.w > WIDTH {
                (x, y, row) = (0.0, y + row + BETWEEN, 0.0);
            }
            p.place(x, y);
            x += p.w + BETWEEN;
            row = row.max(p.h);
            w = w.max(x - BETWEEN);
        }
        Stage { panels, w: w.max(320.0), h: (y + row).max(60.0) }
    }

    /// The panel of an array.
    pub fn panel(&self, array: ArrayId) -> Option<&Panel> {
        self.panels.iter().find(|p| p.arrays.contains(&array))
    }
}

impl Panel {
    fn place(&mut self, x: f64, y: f64) {
        (self.x, self.y) = (x, y);
        for t in &mut self.tiles {
            let bands = t.bands.iter_mut().map(|b| &mut b.0);
            for r in bands.chain([&mut t.own]) {
                (r.x, r.y) = (r.x + x, r.y + y);
            }
            for (piece, by) in [(&mut t.across, x), (&mut t.down, y)] {
                (piece.start, piece.end) = (piece.start + by, piece.end + by);
            }
        }
    }

    /// The tile of a rank.
    pub fn tile(&self, rank: i64) -> Option<&Tile> {
        self.tiles.iter().find(|t| t.ranks.contains(&rank))
    }

    /// The place of a box of elements in a tile; `None` where it reaches beyond what the tile holds.
    pub fn rect(&self, tile: &Tile, b: &IndexBox) -> Option<Rect> {
        let fits = |p: &Piece, r: Interval| r.lo >= p.span.lo - p.ghost.0 && r.hi <= p.span.hi + p.ghost.1;
        let across = *b.dims.get(self.dims.1)?;
        let down = self.dims.0.map(|d| b.dims[d]);
        if !fits(&tile.across, across) || down.is_some_and(|d| !fits(&tile.down, d)) {
            return None;
        }
        let (x0, x1) = tile.across.range(across);
        let (y0, y1) = down.map_or((tile.down.start, tile.down.end), |d| tile.down.range(d));
        Some(Rect { x: x0, y: y0, w: x1 - x0, h: y1 - y0 })
    }
}

/// The dimensions that are drawn: the first two that are divided, or else the first.
fn drawn(a: &PlanArray) -> (Option<usize>, usize) {
    let n = a.array.extents().len();
    if n < 2 {
        return (None, 0);
    }
    let mut order: Vec<usize> = (0..n).filter(|d| a.layout.cuts[*d].is_some()).collect();
    order.extend((0..n).filter(|d| a.layout.cuts[*d].is_none()));
    let (a, b) = (order[0].min(order[1]), order[0].max(order[1]));
    (Some(a), b)
}

/// Dealt tiles that are drawn along a dimension; of more, the first ones.
const STRIPES: i64 = 24;

/// The parts along a dimension, from 0 in the picture on: dealt tiles close together, others apart.
fn pieces(a: &PlanArray, d: usize, length: f64) -> Vec<Piece> {
    let (n, dealt) = (a.layout.shape[d], a.layout.cuts[d].filter(Cuts::is_dealt));
    let spans: Vec<(i64, Interval)> = match (a.layout.cuts[d], dealt) {
        (_, Some(c)) => (0..tiles_along(n, c.tile).min(STRIPES))
            .map(|t| (t % c.parts, Interval::new(t * c.tile, t.saturating_add(1).saturating_mul(c.tile).min(n))))
            .collect(),
        (Some(c), None) => (0..c.parts).map(|k| (k, c.part(k))).collect(),
        (None, None) => vec![(0, Interval::new(0, n))],
    };
    let (smallest, gap) = if dealt.is_some() { (12.0, 1.0) } else { (SMALLEST, GAP) };
    let drawn = spans.last().map_or(n, |s| s.1.hi);
    let ghost = a.ghost[d];
    let room = |w: i64| if w > 0 { 7.0 + 2.0 * w.min(4) as f64 } else { 0.0 };
    let band = (room(ghost.0), room(ghost.1));
    let all = drawn.max(1) as f64;
    let mut at = 0.0;
    let one = |(owner, span): (i64, Interval)| {
        let w = (length * span.len() as f64 / all).max(smallest);
        let start = at + band.0;
        at = start + w + band.1 + gap;
        Piece { owner, span, start, end: start + w, ghost, band }
    };
    spans.into_iter().map(one).collect()
}

fn tiles_along(n: i64, tile: i64) -> i64 {
    (n + tile - 1) / tile
}

/// What is not drawn of dealt tiles, as text.
fn beyond(a: &PlanArray, dims: (Option<usize>, usize)) -> String {
    let more = |d: usize| {
        let count = tiles_along(a.layout.shape[d], a.layout.cuts[d].filter(Cuts::is_dealt)?.tile);
        (count > STRIPES).then(|| format!(", {STRIPES} of {count} tiles along dimension {d}"))
    };
    dims.0.into_iter().chain([dims.1]).filter_map(more).collect()
}

fn panel(plan: &Plan, id: ArrayId, a: &PlanArray) -> Panel {
    let dims = drawn(a);
    let n = |d: usize| a.layout.shape[d].max(1) as f64;
    let everywhere = a.layout.is_replicated() && plan.ranks > 1;
    let (long, short) = if everywhere { (SIDE / 2.0, 44.0) } else { (SIDE, 64.0) };
    let (w, h) = match dims.0 {
        None => (long, 48.0),
        Some(r) if n(r) > n(dims.1) => ((long * n(dims.1) / n(r)).max(short), long),
        Some(r) => (long, (long * n(r) / n(dims.1)).max(short)),
    };
    let across = pieces(a, dims.1, w);
    let down = match dims.0 {
        Some(d) => pieces(a, d, h),
        None => {
            vec![Piece { owner: 0, span: Interval::new(0, 1), start: 0.0, end: h, ghost: (0, 0), band: (0.0, 0.0) }]
        }
    };
    let mut tiles: Vec<Tile> = vec![];
    for rank in 0..plan.ranks {
        let (ky, kx) = place_in_mesh(a, rank, dims);
        let of = |pieces: &[Piece], k: usize| -> Vec<Piece> {
            pieces.iter().filter(|p| p.owner == k as i64).cloned().collect()
        };
        for (y, x) in of(&down, ky).iter().flat_map(|y| of(&across, kx).into_iter().map(move |x| (y.clone(), x))) {
            match tiles.iter_mut().find(|t| t.across.span == x.span && t.down.span == y.span) {
                Some(t) if !a.layout.part(rank).is_empty() || t.empty => t.ranks.push(rank),
                Some(_) => {}
                None => tiles.push(tile(a, rank, (&y, &x), (ky, kx), dims)),
            }
        }
    }
    tiles.iter_mut().for_each(shift_down);
    let layout = a.layout_text().0 + &beyond(a, dims);
    let end = |p: &[Piece]| p.last().map_or(0.0, |p| p.end + p.band.1);
    let second = if a.array.temporary { " (made by the compiler)" } else { "" };
    let title = format!("{}{second}", a.array.name);
    // The widest letters that browsers find for the two lines.
    let least = (9.6 * title.chars().count() as f64).max(7.6 * layout.chars().count() as f64);
    Panel {
        arrays: vec![id],
        title,
        layout,
        x: 0.0,
        y: 0.0,
        w: end(&across).max(least).max(150.0),
        h: end(&down) + HEAD,
        tiles,
        everywhere,
        dealt: a.layout.is_dealt(),
        dims,
    }
}

/// Makes room for the panel's title.
fn shift_down(t: &mut Tile) {
    t.own.y += HEAD;
    t.bands.iter_mut().for_each(|b| b.0.y += HEAD);
    (t.down.start, t.down.end) = (t.down.start + HEAD, t.down.end + HEAD);
}

/// The numbers of a rank's parts along the drawn dimensions.
fn place_in_mesh(a: &PlanArray, rank: i64, dims: (Option<usize>, usize)) -> (usize, usize) {
    let coordinates = a.layout.coordinates(rank);
    let along = |d: usize| match a.layout.cuts[d] {
        None => 0,
        Some(_) => {
            let axis = a.layout.cuts[..d].iter().filter(|c| c.is_some()).count();
            coordinates.get(axis).copied().unwrap_or(0) as usize
        }
    };
    (dims.0.map_or(0, along), along(dims.1))
}

fn tile(
    a: &PlanArray,
    rank: i64,
    (down, across): (&Piece, &Piece),
    at: (usize, usize),
    dims: (Option<usize>, usize),
) -> Tile {
    let own = Rect { x: across.start, y: down.start, w: across.end - across.start, h: down.end - down.start };
    let mut bands = vec![];
    let mut add = |r: Rect, d: usize, k: usize, step: i64| {
        if r.w > 0.0 && r.h > 0.0 {
            bands.push((r, neighbour(a, rank, d, k, step)));
        }
    };
    add(Rect { x: own.x - across.band.0, w: across.band.0, ..own }, dims.1, at.1, -1);
    add(Rect { x: own.x + own.w, w: across.band.1, ..own }, dims.1, at.1, 1);
    if let Some(d) = dims.0 {
        add(Rect { y: own.y - down.band.0, h: down.band.0, ..own }, d, at.0, -1);
        add(Rect { y: own.y + own.h, h: down.band.1, ..own }, d, at.0, 1);
    }
    let empty = a.layout.part(rank).is_empty();
    let part = a.owned_text(rank);
    Tile { ranks: vec![rank], part, empty, own, bands, across: across.clone(), down: down.clone() }
}

/// The rank beside a part along a dimension; `None` past the array's edge.
fn neighbour(a: &PlanArray, rank: i64, d: usize, k: usize, step: i64) -> Option<i64> {
    let cuts = a.layout.cuts[d]?;
    let axis = a.layout.cuts[..d].iter().filter(|c| c.is_some()).count();
    let stride: i64 = a.layout.mesh[axis + 1..].iter().product();
    let next = k as i64 + step;
    if (0..cuts.parts).contains(&next) {
        return Some(rank + step * stride);
    }
    let wraps = a.array.edges.get(d) == Some(&Edge::Periodic) && cuts.parts > 1;
    wraps.then(|| rank + (next.rem_euclid(cuts.parts) - k as i64) * stride)
}
