//! `animate u to "u.png"`: frames are gathered as the statement is reached, and drawn and written when the run ends.

use crate::ir::kernel::ArrayId;
use crate::ir::plan::StepKind;
use crate::ir::program::PrintPart;
use crate::runtime::failure::{Failure, Problem, agree};
use crate::runtime::io::plot;
use crate::runtime::rank::Rank;
use crate::source::Span;

/// Bytes of frames that rank 0 keeps for one animation.
const MOST: usize = 1 << 30;

/// The frames of one file, on rank 0.
pub struct Animation {
    array: ArrayId,
    frames: Vec<Vec<u8>>,
}

impl Rank<'_> {
    /// Adds a frame. A collective.
    pub(super) fn animate(&mut self, id: ArrayId, path: &[PrintPart], span: Span) -> Result<(), Failure> {
        let path = self.text(path)?;
        let whole = self.drawn(id)?;
        let a = &self.plan.array(id).array;
        let mut kept = Ok(());
        if let Some(data) = whole {
            let film = self.animations.entry(path.clone()).or_insert(Animation { array: id, frames: vec![] });
            let other = &self.plan.array(film.array).array;
            let bytes = (film.frames.len() + 1) * data.len();
            if (other.element(), other.extents()) != (a.element(), a.extents()) {
                let message = format!(
                    "`{path}` has frames of {}{:?}, and `{}` is {}{:?}",
                    other.element(),
                    other.extents(),
                    a.name,
                    a.element(),
                    a.extents()
                );
                kept = Err(Problem::new("E0603", message));
            } else if bytes > MOST {
                let n = film.frames.len() + 1;
                let message =
                    format!("{n} frames of `{}` are {bytes} bytes, and an animation keeps at most {MOST}", a.name);
                kept = Err(Problem::new("E0602", message));
            } else {
                film.frames.push(data);
            }
        }
        agree(self.state.comm, kept, span, "added to here")
    }

    /// Draws and writes all animations. A collective, where the plan has any.
    pub(super) fn finish_animations(&mut self) -> Result<(), Failure> {
        let mut place = None;
        self.plan.each_step(&self.plan.steps, &mut |s| {
            if matches!(s.kind, StepKind::Plot { animated: true, .. }) {
                place.get_or_insert(s.span);
            }
        });
        let Some(span) = place else { return Ok(()) };
        let mut done = Ok(());
        for (path, film) in std::mem::take(&mut self.animations) {
            let a = &self.plan.array(film.array).array;
            let written = plot::animated_png(a.ty, a.extents(), &film.frames, &a.name)
                .and_then(|png| self.root.write_whole(&path, &png))
                .map_err(Problem::from);
            done = done.and(written);
        }
        agree(self.state.comm, done, span, "animated here")
    }
}
