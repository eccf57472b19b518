//! Reads past the ends of a dimension. The kernel finds the element that the edge rule names and reads it where it lies, so
//! that no sweep stores copies of elements at the edges; ghost cells hold other ranks' elements only.

use crate::ir::index_box::Interval;

/// How an index past an end of `0..extent` becomes one inside; it lies at most `extent` away from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    pub rule: Rule,
    pub extent: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Clamp,
    Wrap,
    Mirror,
}

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Rule::Clamp => "clamp",
            Rule::Wrap => "wrap",
            Rule::Mirror => "mirror",
        }
    }
}

impl Fold {
    /// The index inside, of a global index.
    pub fn inside(&self, index: &str) -> String {
        format!("mg_{}({index}, 0LL, {}LL)", self.rule.name(), self.extent)
    }

    /// How far the index inside lies from the index.
    pub fn shift(&self, index: &str) -> String {
        format!("({} - ({index}))", self.inside(index))
    }

    /// The same for indices `offset` beside those of a range, which shows what ends they can pass; `index` is relative to
    /// where the dimension begins at `lo` and ends at `hi`.
    pub fn beside(&self, range: Interval, offset: i64, index: String, lo: &str, hi: &str) -> String {
        let name = self.rule.name();
        match (range.lo + offset < 0, range.hi + offset > self.extent) {
            (true, true) => format!("mg_{name}({index}, {lo}, {hi})"),
            (true, false) => format!("mg_{name}_low({index}, {lo}, {hi})"),
            (false, true) => format!("mg_{name}_high({index}, {lo}, {hi})"),
            (false, false) => format!("({index})"),
        }
    }

    /// Whether indices of a range can lie outside.
    pub fn left_by(&self, range: Interval) -> bool {
        range.lo < 0 || range.hi > self.extent
    }

    /// The name of the function that mends a vector which lies across an end.
    pub fn mend(&self) -> String {
        format!("mg_mend_{}", self.rule.name())
    }
}
