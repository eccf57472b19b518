//! Ranks as threads of one process: a mailbox a pair of ranks, collectives over shared slots.

use super::{Comm, Gathered, Lost};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Emptied buffers that wait between two ranks.
const MOST_SPARE: usize = 8;

/// Rounds of polling before a waiting thread sleeps, when every rank has a core of its own.
const SPIN: u32 = 20_000;

#[derive(Default)]
struct Mailbox {
    queue: Mutex<VecDeque<Vec<u8>>>,
    /// Messages in the queue, to poll without the lock.
    waiting: AtomicUsize,
    arrived: Condvar,
    /// Emptied buffers on their way back to the sender.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// What all ranks of one process share.
pub struct World {
    size: usize,
    /// `boxes[to * size + from]`
    boxes: Vec<Mailbox>,
    /// Contributions to collectives, two generations.
    slots: [Vec<Mutex<Vec<u8>>>; 2],
    arrived: AtomicUsize,
    generation: AtomicU32,
    gate: Mutex<()>,
    opened: Condvar,
    /// A rank died: nobody waits any more.
    dead: AtomicBool,
    spin: u32,
}

/// One rank's end.
pub struct ThreadComm {
    world: Arc<World>,
    rank: usize,
    parity: usize,
}

impl World {
    /// The ends of `size` ranks, in rank order.
    pub fn ranks(size: usize) -> Vec<ThreadComm> {
        let slots = || (0..size).map(|_| Mutex::new(vec![])).collect();
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let world = Arc::new(World {
            size,
            boxes: (0..size * size).map(|_| Mailbox::default()).collect(),
            slots: [slots(), slots()],
            arrived: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
            gate: Mutex::new(()),
            opened: Condvar::new(),
            dead: AtomicBool::new(false),
            spin: if size <= cores { SPIN } else { 50 },
        });
        (0..size).map(|rank| ThreadComm { world: world.clone(), rank, parity: 0 }).collect()
    }
}

impl ThreadComm {
    /// Wakes every waiting rank with [`Lost`]; for a rank that ends out of turn.
    pub fn mark_dead(&self) {
        self.world.dead.store(true, Ordering::SeqCst);
        for b in &self.world.boxes {
            let _held = b.queue.lock().unwrap_or_else(PoisonError::into_inner);
            b.arrived.notify_all();
        }
        let _held = self.world.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.world.opened.notify_all();
    }

    fn lost(&self) -> Lost {
        Lost("another rank ended before this one".into())
    }

    /// Waits until all ranks are here.
    fn barrier(&self) -> Result<(), Lost> {
        let w = &*self.world;
        let generation = w.generation.load(Ordering::Acquire);
        if w.arrived.fetch_add(1, Ordering::AcqRel) + 1 == w.size {
            w.arrived.store(0, Ordering::Release);
            let _held = w.gate.lock().unwrap_or_else(PoisonError::into_inner);
            w.generation.fetch_add(1, Ordering::AcqRel);
            w.opened.notify_all();
            return Ok(());
        }
        let open = || w.generation.load(Ordering::Acquire) != generation;
        for _ in 0..w.spin {
            if open() {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        let mut held = w.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while !open() {
            if w.dead.load(Ordering::SeqCst) {
                return Err(self.lost());
            }
            held = w.opened.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

impl Comm for ThreadComm {
    fn rank(&self) -> i64 {
        self.rank as i64
    }

    fn size(&self) -> i64 {
        self.world.size as i64
    }

    fn buffer(&mut self, bytes: usize) -> Vec<u8> {
        // Buffers come back from whoever received from this rank.
        for to in 0..self.world.size {
            let mut spare =
                self.world.boxes[to * self.world.size + self.rank].spare.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(b) = super::reuse(&mut spare, bytes) {
                return b;
            }
        }
        vec![0; bytes]
    }

    fn send(&mut self, to: i64, message: Vec<u8>) -> Result<(), Lost> {
        let b = &self.world.boxes[to as usize * self.world.size + self.rank];
        let mut queue = b.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(message);
        b.waiting.fetch_add(1, Ordering::Release);
        b.arrived.notify_one();
        Ok(())
    }

    fn receive(&mut self, from: i64, bytes: usize) -> Result<Vec<u8>, Lost> {
        let b = &self.world.boxes[self.rank * self.world.size + from as usize];
        for _ in 0..self.world.spin {
            if b.waiting.load(Ordering::Acquire) > 0 {
                break;
            }
            std::hint::spin_loop();
        }
        let mut queue = b.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(m) = queue.pop_front() {
                b.waiting.fetch_sub(1, Ordering::Release);
                if m.len() != bytes {
                    return Err(Lost(format!("rank {from} sent {} bytes where the plan says {bytes}", m.len())));
                }
                return Ok(m);
            }
            if self.world.dead.load(Ordering::SeqCst) {
                return Err(self.lost());
            }
            queue = b.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn recycle(&mut self, from: i64, buffer: Vec<u8>) {
        let b = &self.world.boxes[self.rank * self.world.size + from as usize];
        let mut spare = b.spare.lock().unwrap_or_else(PoisonError::into_inner);
        super::keep(&mut spare, buffer, MOST_SPARE);
    }

    fn all_gather(&mut self, mine: &[u8], all: &mut Gathered) -> Result<(), Lost> {
        let slots = &self.world.slots[self.parity];
        self.parity ^= 1;
        {
            let mut slot = slots[self.rank].lock().unwrap_or_else(PoisonError::into_inner);
            slot.clear();
            slot.extend_from_slice(mine);
        }
        self.barrier()?;
        // The other generation's slots are free again only after everybody has passed the next barrier.
        all.clear();
        slots.iter().for_each(|s| all.push(&s.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(())
    }

    fn abort(&self, code: i32) -> ! {
        std::process::exit(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_order_and_collectives_their_ranks() {
        let handles: Vec<_> = World::ranks(5)
            .into_iter()
            .map(|mut c| {
                std::thread::spawn(move || {
                    let (r, n) = (c.rank(), c.size());
                    for round in 0..200u8 {
                        let mut b = c.buffer(3);
                        b.copy_from_slice(&[r as u8, round, 7]);
                        c.send((r + 1) % n, b).unwrap();
                        let from = (r + n - 1) % n;
                        let got = c.receive(from, 3).unwrap();
                        assert_eq!(got, [from as u8, round, 7]);
                        c.recycle(from, got);
                        let all = c.gathered(&[r as u8, round]).unwrap();
                        assert!(all.ranks() == 5 && all.iter().enumerate().all(|(k, v)| *v == [k as u8, round]));
                    }
                })
            })
            .collect();
        handles.into_iter().for_each(|h| h.join().unwrap());
    }
}
