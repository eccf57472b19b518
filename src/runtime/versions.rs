//! Which version of every array this rank holds, so that work that depends on arrays alone is done again only when they change.
//! The plan is the same on all ranks, so all of them find the same changes.

use crate::ir::kernel::ArrayId;

/// Numbers that change when an array's contents do.
pub struct Versions {
    of: Vec<u64>,
    clock: u64,
    /// What each step of the kind `Once` saw last.
    seen: Vec<Vec<u64>>,
}

impl Versions {
    pub fn new(arrays: usize) -> Versions {
        Versions { of: vec![0; arrays], clock: 0, seen: vec![] }
    }

    /// An array was written.
    pub fn written(&mut self, a: ArrayId) {
        self.clock += 1;
        self.of[a.0 as usize] = self.clock;
    }

    /// The number of what an array holds now.
    pub fn version(&self, a: ArrayId) -> u64 {
        self.of[a.0 as usize]
    }

    /// Two arrays exchanged their contents.
    pub fn swap(&mut self, a: ArrayId, b: ArrayId) {
        self.of.swap(a.0 as usize, b.0 as usize);
    }

    /// Whether the arrays and values are not those of the last call with this number.
    pub fn changed(&mut self, number: u32, arrays: &[ArrayId], values: impl Iterator<Item = u64>) -> bool {
        let (k, of) = (number as usize, &self.of);
        if self.seen.len() <= k {
            self.seen.resize(k + 1, vec![]);
        }
        let seen = &mut self.seen[k];
        let first = seen.is_empty();
        // A first entry stands for "asked before", so that no array and no value is a state of its own.
        let now = [1].into_iter().chain(arrays.iter().map(|a| of[a.0 as usize])).chain(values);
        let mut changed = first;
        for (at, v) in now.enumerate() {
            match seen.get_mut(at) {
                Some(old) => changed |= std::mem::replace(old, v) != v,
                None => seen.push(v),
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_seen_and_an_unchanged_array_is_not() {
        let (a, b) = (ArrayId(0), ArrayId(1));
        let mut v = Versions::new(2);
        let ask = |v: &mut Versions, x: u64| v.changed(3, &[a], [x].into_iter());
        assert!(ask(&mut v, 5));
        assert!(!ask(&mut v, 5));
        assert!(ask(&mut v, 6));
        v.written(b);
        assert!(!ask(&mut v, 6));
        v.swap(a, b);
        assert!(ask(&mut v, 6));
        assert!(!ask(&mut v, 6));
        v.written(a);
        assert!(ask(&mut v, 6));
        assert!(v.changed(0, &[], std::iter::empty()));
        assert!(!v.changed(0, &[], std::iter::empty()));
    }
}
