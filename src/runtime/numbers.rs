//! Lists of elements that travel beside whole boxes: which ones a rank wants of another, told once, and their values, as often as
//! they change.

use crate::runtime::failure::Failure;
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use std::ops::Range;
use std::time::Instant;

/// Numbers of elements, in as few bytes as hold them all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    pub width: usize,
    pub bytes: Vec<u8>,
}

/// Some of them, in a row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub width: usize,
    pub bytes: &'a [u8],
}

/// Bytes that hold a number below `count`.
pub fn width(count: i64) -> usize {
    if count <= 1 << 32 { 4 } else { 8 }
}

impl Numbers {
    /// No numbers, of so many bytes each: 4 or 8.
    pub fn new(width: usize) -> Numbers {
        Numbers { width, bytes: vec![] }
    }

    pub fn push(&mut self, number: u64) {
        match self.width {
            4 => self.bytes.extend_from_slice(&(number as u32).to_le_bytes()),
            _ => self.bytes.extend_from_slice(&number.to_le_bytes()),
        }
    }

    /// The numbers, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.bytes.chunks_exact(self.width.max(1)).map(|b| {
            let mut word = [0; 8];
            word[..b.len()].copy_from_slice(b);
            u64::from_le_bytes(word)
        })
    }

    /// The number at a position.
    pub fn at(&self, k: usize) -> u64 {
        let mut word = [0; 8];
        word[..self.width].copy_from_slice(&self.bytes[k * self.width..][..self.width]);
        u64::from_le_bytes(word)
    }

    /// All of them.
    pub fn all(&self) -> Row<'_> {
        Row { width: self.width, bytes: &self.bytes }
    }

    /// Those from a position to another.
    pub fn row(&self, of: Range<usize>) -> Row<'_> {
        Row { width: self.width, bytes: &self.bytes[of.start * self.width..of.end * self.width] }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The number in the first `W` bytes.
#[inline(always)]
pub fn number<const W: usize>(bytes: &[u8]) -> usize {
    let mut word = [0; 8];
    word[..W].copy_from_slice(&bytes[..W]);
    u64::from_le_bytes(word) as usize
}

/// The number in 8 bytes.
pub fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// Calls one of eight loops: the width of the numbers and the size of the elements are constants in it.
macro_rules! for_sizes {
    ($numbers:expr, $size:expr, $run:ident ( $($arg:expr),* )) => {
        match ($numbers.width, $size) {
            (4, 8) => $run::<4, 8>($($arg),*),
            (4, 4) => $run::<4, 4>($($arg),*),
            (4, 2) => $run::<4, 2>($($arg),*),
            (4, _) => $run::<4, 1>($($arg),*),
            (_, 8) => $run::<8, 8>($($arg),*),
            (_, 4) => $run::<8, 4>($($arg),*),
            (_, 2) => $run::<8, 2>($($arg),*),
            _ => $run::<8, 1>($($arg),*),
        }
    };
}

/// Copies the elements of these numbers, of `size` bytes each (1, 2, 4 or 8), one behind the other.
pub fn picked(picks: &Numbers, from: &[u8], size: usize, out: &mut [u8]) {
    fn run<const W: usize, const S: usize>(picks: &[u8], from: &[u8], out: &mut [u8]) {
        for (k, to) in picks.chunks_exact(W).zip(out.chunks_exact_mut(S)) {
            to.copy_from_slice(&from[number::<W>(k) * S..][..S]);
        }
    }
    for_sizes!(picks, size, run(&picks.bytes, from, out))
}

/// Puts elements that stand one behind the other where these numbers say.
pub fn placed(places: &Numbers, from: &[u8], size: usize, out: &mut [u8]) {
    fn run<const W: usize, const S: usize>(places: &[u8], from: &[u8], out: &mut [u8]) {
        for (k, element) in places.chunks_exact(W).zip(from.chunks_exact(S)) {
            out[number::<W>(k) * S..][..S].copy_from_slice(element);
        }
    }
    for_sizes!(places, size, run(&places.bytes, from, out))
}

/// Sends every rank its list; gives those of all ranks for this one, whose own stays. What arrives has numbers of `width` bytes. A
/// collective.
pub fn tell(state: &mut RankState, mut lists: Vec<Numbers>, width: usize) -> Result<Vec<Numbers>, Failure> {
    let comm = &mut *state.comm;
    let (me, mut sent, clock) = (comm.rank(), (0, 0), Instant::now());
    for (peer, list) in lists.iter().enumerate().filter(|p| p.0 as i64 != me) {
        let mut head = comm.buffer(8);
        head.copy_from_slice(&(list.bytes.len() as u64).to_le_bytes());
        comm.send(peer as i64, head)?;
        sent = (sent.0 + 1, sent.1 + 8);
        if !list.is_empty() {
            let mut m = comm.buffer(list.bytes.len());
            m.copy_from_slice(&list.bytes);
            sent = (sent.0 + 1, sent.1 + m.len() as u64);
            comm.send(peer as i64, m)?;
        }
    }
    state.stats.sent_beside(sent);
    state.stats.spent(Kind::Send, clock);
    let clock = Instant::now();
    let comm = &mut *state.comm;
    for peer in (0..comm.size()).filter(|p| *p != me) {
        let head = comm.receive(peer, 8)?;
        let bytes = word(&head) as usize;
        comm.recycle(peer, head);
        let list = &mut lists[peer as usize];
        *list = Numbers::new(width);
        if bytes > 0 {
            let m = comm.receive(peer, bytes)?;
            list.bytes.extend_from_slice(&m);
            comm.recycle(peer, m);
        }
    }
    state.stats.spent(Kind::Wait, clock);
    Ok(lists)
}
