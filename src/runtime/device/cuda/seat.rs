//! Which rank takes which device of its machine, decided before any call that touches a device.

use std::collections::BTreeSet;

/// Which rank takes which device of a machine: its number there, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seat {
    /// Among the ranks that could share memory with it.
    Near(usize),
    /// As the launcher counts. In containers of their own, ranks of one machine share no memory but may see the same devices.
    Launched(usize),
}

impl Seat {
    /// The seat of a rank. `near`: the ranks that could share memory with it, itself among them; `launched`: where the launcher of each
    /// of all ranks counts it, if it says so. It is believed where it tells all near ranks apart and counts farther than they are many.
    pub fn of(rank: i64, near: &[i64], launched: &[Option<u64>]) -> Seat {
        let said: Option<Vec<u64>> = near.iter().map(|r| launched.get(*r as usize).copied().flatten()).collect();
        let own = near.iter().position(|r| *r == rank).unwrap_or(0);
        match said {
            Some(said)
                if said.iter().collect::<BTreeSet<_>>().len() == near.len()
                    && said.iter().any(|s| *s >= near.len() as u64) =>
            {
                Seat::Launched(said[own] as usize)
            }
            _ => Seat::Near(own),
        }
    }

    /// The device, round robin, of so many.
    pub fn device(self, devices: usize) -> usize {
        let (Seat::Near(n) | Seat::Launched(n)) = self;
        n % devices
    }
}

impl std::fmt::Display for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Seat::Near(n) => write!(f, "number {n} of the ranks that share memory on this machine"),
            Seat::Launched(n) => write!(f, "number {n} on this machine, by its launcher"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seat::{self, Launched, Near};

    fn seats(near: &[&[i64]], launched: &[Option<u64>]) -> Vec<Seat> {
        let machine = |r: i64| near.iter().find(|n| n.contains(&r)).unwrap();
        (0..launched.len() as i64).map(|r| Seat::of(r, machine(r), launched)).collect()
    }

    #[test]
    fn ranks_that_share_memory_take_devices_in_their_order() {
        let all = [Near(0), Near(1), Near(2), Near(3)];
        assert_eq!(seats(&[&[0, 1, 2, 3]], &[None; 4]), all);
        // The launcher agrees, or says one number for all: a step of Slurm that runs a shell that runs threads.
        assert_eq!(seats(&[&[0, 1, 2, 3]], &[Some(0), Some(1), Some(2), Some(3)]), all);
        assert_eq!(seats(&[&[0, 1, 2, 3]], &[Some(7); 4]), all);
        assert_eq!(seats(&[&[0, 1, 2, 3]], &[Some(0), Some(1), None, Some(4)]), all);
        // Two machines, dealt in turns.
        assert_eq!(
            seats(&[&[0, 2], &[1, 3]], &[Some(0), Some(0), Some(1), Some(1)]),
            [Near(0), Near(0), Near(1), Near(1)]
        );
    }

    #[test]
    fn ranks_in_containers_take_devices_as_launched() {
        let alone: [&[i64]; 3] = [&[0], &[1], &[2]];
        assert_eq!(seats(&alone, &[Some(0), Some(1), Some(2)]), [Near(0), Launched(1), Launched(2)]);
        assert_eq!(seats(&alone, &[None; 3]), [Near(0); 3]);
        let pairs: [&[i64]; 2] = [&[0, 1], &[2, 3]];
        let by_two = [Near(0), Near(1), Launched(2), Launched(3)];
        assert_eq!(seats(&pairs, &[Some(0), Some(1), Some(2), Some(3)]), by_two);
        assert_eq!(by_two.map(|s| s.device(3)), [0, 1, 2, 0]);
    }
}
