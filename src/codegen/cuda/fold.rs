//! Reads past the ends of a dimension. The kernel finds the element that the edge rule names and reads it where it lies, so
//! that no sweep stores copies of elements at the edges; ghost cells hold other ranks' elements only.

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

    /// The same for an index relative to another, where the dimension begins at `lo` and ends at `hi`, and which can only
    /// pass one end.
    pub fn low(&self, index: &str, lo: &str, hi: &str) -> String {
        format!("mg_{}_low({index}, {lo}, {hi})", self.rule.name())
    }

    pub fn high(&self, index: &str, lo: &str, hi: &str) -> String {
        format!("mg_{}_high({index}, {lo}, {hi})", self.rule.name())
    }

    /// The name of the function that mends a vector which lies across an end.
    pub fn mend(&self) -> String {
        format!("mg_mend_{}", self.rule.name())
    }
}
