//! Which transport carries the messages of each pair of ranks. Every candidate carries a pattern once, which is read back and
//! compared, and is timed. All of this is collective: every rank runs through the same questions.

use std::time::Instant;

use super::card::Card;
use super::nccl::{self, Nccl};
use super::peer::{Carrying, Remote, link};
use super::staging::{self, Staged};
use super::trial::{self, pattern};
use super::{Link, Transport};
use crate::runtime::comm::Comm;
use crate::runtime::device::cuda::carry;
use crate::runtime::device::cuda::device::broken;
use crate::runtime::device::cuda::driver::{Function, Gpu};
use crate::runtime::device::cuda::work::{Memory, PROBES};
use crate::runtime::failure::{Failure, Problem};

/// What a rank has found out about the others.
#[derive(Default)]
pub struct Links {
    /// For each rank, how messages travel; `None` for this rank itself.
    pub links: Vec<Option<Link>>,
    /// Mapped memory of the ranks that are peers.
    pub remotes: Vec<Option<Remote>>,
    /// Whether all messages of all ranks are stored into memory.
    pub all_peers: bool,
    pub nccl: Option<Nccl>,
}

impl Links {
    /// Whether a rank and this one store into each other's memory.
    pub fn is_peer(&self, rank: i64) -> bool {
        self.links[rank as usize].as_ref().is_some_and(Link::is_peer)
    }
}

/// What the choice is made with.
pub struct Chooser<'a> {
    pub gpu: &'a mut Gpu,
    pub comm: &'a mut dyn Comm,
    pub memory: &'a Memory,
    pub carry: Function,
    /// The address of the word that ends waiting kernels.
    pub stop: u64,
}

/// Microseconds of a message of each size of [`PROBES`].
type Times = [f64; 2];

/// Whether a message was carried, or why not.
type Carried = Result<(), String>;

/// What one candidate did between this rank and each: its times, the same on both ranks of a pair, or why it cannot.
type Trial = Vec<Result<Times, String>>;

impl Chooser<'_> {
    /// Chooses for all pairs, among the transports that are wished for, if some are; a problem where none works. A device that
    /// breaks meanwhile is a failure: the others may wait for what it was to send.
    pub fn choose(
        mut self,
        card: &Card,
        cards: &[Card],
        wish: &[Transport],
    ) -> Result<Result<Links, Problem>, Failure> {
        let me = self.comm.rank();
        let mut out = Links { remotes: vec![None; cards.len()], ..Links::default() };
        if cards.iter().any(|c| c.failed) || cards.len() == 1 {
            // Nothing runs; or there is nobody to send to.
            (out.links, out.all_peers) = (vec![None; cards.len()], true);
            return Ok(Ok(out));
        }
        let mut problem = None;
        let asked = |t: Transport| wish.contains(&t);
        let mut trials: Vec<(Transport, Trial)> = vec![];
        if wish.is_empty() || asked(Transport::Peer) {
            trials.push((Transport::Peer, self.peers(card, cards, &mut out)?));
        }
        // Peers are taken where they work: if they work everywhere, nothing else is tried.
        let all_peers = trials.iter().any(|(_, t)| others(t, me).all(|r| r.is_ok()));
        let enough = self.agreed(all_peers)?;
        let tried = |t: Transport| !enough && (asked(t) || wish.is_empty());
        if tried(Transport::Nccl) {
            let trial = self.nccl(cards, &mut out)?;
            trials.push((Transport::Nccl, trial));
        }
        if asked(Transport::GpuAware) {
            let mut able = self.comm.takes_device_memory();
            // What it says is tried once a machine, where all ranks would try the same library.
            let first = cards.iter().position(|c| card.near(c)) == Some(me as usize);
            if first && able.is_ok() {
                able = trial::in_a_child(card.ordinal);
            }
            let trial = self.together(cards, able, Transport::GpuAware, None)?;
            trials.push((Transport::GpuAware, trial));
        }
        if tried(Transport::Staged) {
            let trial = self.together(cards, Ok(()), Transport::Staged, None)?;
            trials.push((Transport::Staged, trial));
        }
        for (q, other) in cards.iter().enumerate() {
            if q as i64 == me {
                out.links.push(None);
                continue;
            }
            let (mut able, mut not): (Vec<(Transport, Times)>, Vec<String>) = (vec![], vec![]);
            for (t, trial) in &trials {
                match &trial[q] {
                    Ok(times) => able.push((*t, *times)),
                    Err(why) => not.push(format!("{}: {why}", t.name())),
                }
            }
            let (Some(small), Some(large)) = (fastest(&able, 0), fastest(&able, 1)) else {
                let why = format!("no transport works between ranks {me} and {q} ({})", not.join("; "));
                let mut p = Problem::new("E0620", why);
                if !wish.is_empty() {
                    p.help = Some("leave `--transport` out, and the fastest that works is taken".into());
                }
                problem = Some(p);
                break;
            };
            let sizes = PROBES.map(|b| b >> 10);
            let took = |(t, us): &(Transport, Times)| {
                format!("{}: {} KiB in {:.1} us, {} KiB in {:.1} us", t.name(), sizes[0], us[0], sizes[1], us[1])
            };
            let mut why: Vec<String> = able.iter().map(took).chain(not).collect();
            if card.near(other) && !wish.is_empty() {
                why.push("`--transport` asks for it".into());
            }
            out.links.push(Some(Link { small, large, why: why.join("; ") }));
        }
        out.all_peers = self.agreed(problem.is_none() && out.links.iter().flatten().all(Link::is_peer))?;
        Ok(problem.map_or(Ok(out), Err))
    }

    /// Whether all ranks say yes. A collective.
    fn agreed(&mut self, mine: bool) -> Result<bool, Failure> {
        let all = self.comm.gathered(&[u8::from(mine)])?;
        Ok(all.iter().all(|b| b == [1]))
    }

    /// Maps the memory of ranks near by, and lets kernels store into it.
    fn peers(&mut self, card: &Card, cards: &[Card], out: &mut Links) -> Result<Trial, Failure> {
        let me = self.comm.rank() as usize;
        // Kernels that wait for each other must be able to run together. Small ones mostly can, so tests of peers on one GPU may ask.
        let same = |(a, c): (usize, &Card)| Some((a, cards[..a].iter().position(|d| c.same_gpu(d))?));
        let allowed = std::env::var_os("MGPU_PEERS_SHARE_GPU").is_some();
        let shared = cards.iter().enumerate().find_map(same).filter(|_| !allowed);
        let mut trial: Trial = vec![];
        for (q, other) in cards.iter().enumerate() {
            let remote = if q == me {
                Err("itself".to_string())
            } else if !card.near(other) {
                Err("the ranks run on two machines".into())
            } else if let Some((a, b)) = shared {
                let bus = &cards[a].bus;
                Err(format!(
                    "ranks {b} and {a} share the GPU {bus}, where kernels that wait for each other may never run together"
                ))
            } else {
                Remote::open(self.gpu, card, other)
            };
            trial.push(remote.as_ref().map(|_| Times::default()).map_err(String::clone));
            out.remotes[q] = remote.ok();
        }
        self.agree_on(&mut trial)?;
        let partners: Vec<i64> = (0..cards.len()).filter(|q| trial[*q].is_ok()).map(|q| q as i64).collect();
        // What arrives is compared with what its sender wrote.
        let run = |c: &mut Chooser, bytes: usize| -> Result<Carried, Failure> {
            let (mut sends, mut receives) = (vec![], vec![]);
            for q in &partners {
                let Some(remote) = &out.remotes[*q as usize] else { continue };
                let between = link(c.memory.arena, remote, me as i64, *q);
                let copy = carry::plain(c.memory.probe(None), remote.base + c.memory.probe_of(me), bytes);
                sends.push((between, vec![copy]));
                receives.push(between);
            }
            if sends.is_empty() {
                return Ok(Ok(()));
            }
            let carrying = Carrying::new(c.gpu, &sends, &receives).map_err(broken)?;
            c.gpu.launch(&carrying.launch(c.carry, u64::MAX, u64::MAX, c.stop)).map_err(broken)?;
            c.gpu.wait().map(Ok).map_err(broken)
        };
        self.measure(&partners, &mut trial, run)?;
        out.remotes.iter_mut().zip(&trial).filter(|(_, t)| t.is_err()).for_each(|(r, _)| *r = None);
        Ok(trial)
    }

    fn nccl(&mut self, cards: &[Card], out: &mut Links) -> Result<Trial, Failure> {
        let shared = (0..cards.len()).any(|a| (0..a).any(|b| cards[a].same_gpu(&cards[b])));
        let mut able =
            if shared { Err("NCCL wants a GPU for every rank".to_string()) } else { nccl::version().map(|_| ()) };
        if self.agreed(able.is_ok())? {
            let name = if self.comm.rank() == 0 { nccl::id() } else { Ok([0; 128]) };
            let all = self.comm.gathered(name.as_ref().map_or(&[][..], |n| &n[..]))?;
            able = match <nccl::Id>::try_from(all.part(0)) {
                Ok(name) => {
                    self.gpu.make_current().map_err(broken)?;
                    Nccl::join(&name, self.comm.rank(), self.comm.size()).map(|n| out.nccl = Some(n))
                }
                Err(_) => Err("NCCL gives no name for a communicator".into()),
            };
        } else if able.is_ok() {
            able = Err("another rank cannot use it".into());
        }
        self.together(cards, able, Transport::Nccl, out.nccl.as_ref())
    }

    /// A transport of packed messages that all ranks use, or none.
    fn together(
        &mut self,
        cards: &[Card],
        able: Result<(), String>,
        transport: Transport,
        nccl: Option<&Nccl>,
    ) -> Result<Trial, Failure> {
        let me = self.comm.rank();
        if !self.agreed(able.is_ok())? {
            let why = able.err().unwrap_or_else(|| "another rank cannot use it".into());
            return Ok(vec![Err(why); cards.len()]);
        }
        let partners: Vec<i64> = (0..cards.len() as i64).filter(|q| *q != me).collect();
        let mut trial: Trial = vec![Ok(Times::default()); cards.len()];
        let mut host = || self.gpu.pin(PROBES[1]).map_err(broken);
        let mut staged = vec![];
        for q in &partners {
            let (out, into) = (host()?, host()?);
            let message = |device, host| Staged { peer: *q, bytes: PROBES[1], device, host };
            staged.push((message(self.memory.probe(None), out), message(self.memory.probe(Some(*q as usize)), into)));
        }
        let (sends, receives): (Vec<Staged>, Vec<Staged>) = staged.into_iter().unzip();
        let run = |c: &mut Chooser, bytes: usize| {
            let of = |all: &[Staged]| -> Vec<Staged> { all.iter().map(|m| Staged { bytes, ..*m }).collect() };
            match staging::carry(transport, (&of(&sends), &of(&receives)), c.gpu, nccl, c.comm) {
                // NCCL says no; nothing is broken.
                Err(Failure::Lost(why)) if transport == Transport::Nccl => return Ok(Err(why)),
                carried => carried?,
            }
            c.gpu.wait().map(Ok).map_err(broken)
        };
        self.measure(&partners, &mut trial, run)?;
        Ok(trial)
    }

    /// Carries the pattern of each size three times; the last is timed, then what arrived is compared.
    fn measure(
        &mut self,
        partners: &[i64],
        trial: &mut Trial,
        run: impl Fn(&mut Chooser, usize) -> Result<Carried, Failure>,
    ) -> Result<(), Failure> {
        let put = |c: &Chooser, at: u64, data: &[u8]| c.gpu.put(at, data).map_err(broken);
        for (k, bytes) in PROBES.into_iter().enumerate() {
            put(self, self.memory.probe(None), &pattern(self.comm.rank(), bytes))?;
            for q in partners {
                put(self, self.memory.probe(Some(*q as usize)), &vec![0; bytes])?;
            }
            let (mut time, mut worked): (f64, Carried) = (0.0, Ok(()));
            for _ in 0..3 {
                // All begin together, also where one has failed.
                self.comm.gathered(&[])?;
                let clock = Instant::now();
                if worked.is_ok() {
                    worked = run(self, bytes)?;
                }
                time = clock.elapsed().as_secs_f64() * 1e6;
            }
            for q in partners {
                let arrived = match &worked {
                    Ok(()) => self.arrived(*q, bytes)?,
                    Err(why) => Err(why.clone()),
                };
                let t = &mut trial[*q as usize];
                match (arrived, &mut *t) {
                    (Ok(()), Ok(times)) => times[k] = time,
                    (Err(why), Ok(_)) => *t = Err(why),
                    (_, Err(_)) => {}
                }
            }
        }
        self.agree_on(trial)
    }

    /// Whether what lies here from a rank is its pattern.
    fn arrived(&self, from: i64, bytes: usize) -> Result<Carried, Failure> {
        let mut got = vec![0; bytes];
        self.gpu.get(self.memory.probe(Some(from as usize)), &mut got).map_err(broken)?;
        Ok(if got == pattern(from, bytes) { Ok(()) } else { Err("what arrived is not what was sent".into()) })
    }

    /// A pair works where both of its ranks say so, and takes the longer of their times: both choose by the same numbers.
    fn agree_on(&mut self, trial: &mut Trial) -> Result<(), Failure> {
        let bytes = |t: &Result<Times, String>| t.clone().unwrap_or([f64::NAN; 2]).map(f64::to_le_bytes).concat();
        let mine: Vec<u8> = trial.iter().flat_map(bytes).collect();
        let all = self.comm.gathered(&mine)?;
        let me = self.comm.rank() as usize;
        for (q, t) in trial.iter_mut().enumerate() {
            let Ok(times) = t else { continue };
            let theirs = all.part(q).as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).skip(2 * me);
            for (mine, theirs) in times.iter_mut().zip(theirs) {
                // A NaN says that it fails there.
                *mine = if theirs > *mine || theirs.is_nan() { theirs } else { *mine };
            }
            if times.iter().any(|t| t.is_nan()) {
                *t = Err("it fails on the other rank".into());
            }
        }
        Ok(())
    }
}

/// The fastest for messages of a size. Peers need no host: where one works, it is taken.
fn fastest(able: &[(Transport, Times)], size: usize) -> Option<Transport> {
    let other = |t: Transport| t != Transport::Peer;
    let best = able.iter().min_by(|a, b| other(a.0).cmp(&other(b.0)).then(a.1[size].total_cmp(&b.1[size])));
    best.map(|(t, _)| *t)
}

/// What a trial says of the other ranks.
fn others(trial: &Trial, me: i64) -> impl Iterator<Item = &Result<Times, String>> {
    trial.iter().enumerate().filter(move |(q, _)| *q as i64 != me).map(|(_, t)| t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_has_its_transport_but_peers_take_both() {
        let (nccl, staged) = ((Transport::Nccl, [20.0, 30.0]), (Transport::Staged, [15.0, 90.0]));
        let both = |able: &[(Transport, Times)]| [0, 1].map(|k| fastest(able, k));
        assert_eq!(both(&[nccl, staged]), [Some(Transport::Staged), Some(Transport::Nccl)]);
        assert_eq!(both(&[nccl, (Transport::Peer, [40.0, 50.0]), staged]), [Some(Transport::Peer); 2]);
        assert_eq!(both(&[]), [None; 2]);
    }
}
