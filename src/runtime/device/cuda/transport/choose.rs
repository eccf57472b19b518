//! Which transport carries the messages of each pair of ranks. Every candidate carries a pattern once, which is read back and
//! compared, and is timed. All of this is collective: every rank runs through the same questions.

use std::time::Instant;

use super::card::Card;
use super::nccl::{self, Nccl};
use super::peer::{Carrying, Remote, link};
use super::staging::{self, Staged};
use super::{Link, Transport};
use crate::runtime::comm::Comm;
use crate::runtime::device::cuda::carry;
use crate::runtime::device::cuda::driver::{Function, Gpu};
use crate::runtime::device::cuda::work::{Memory, PROBE};
use crate::runtime::failure::Problem;

/// What a rank has found out about the others.
#[derive(Default)]
pub struct Links {
    /// For each rank, how messages travel; `None` for this rank itself.
    pub links: Vec<Option<Link>>,
    /// Mapped memory of the ranks that are peers.
    pub remotes: Vec<Option<Remote>>,
    pub nccl: Option<Nccl>,
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

/// What one candidate did: microseconds of a message of [`PROBE`] bytes to each rank, or why not.
type Trial = Vec<Result<f64, String>>;

impl Chooser<'_> {
    /// Chooses for all pairs, or takes the transport that is wished for.
    pub fn choose(mut self, card: &Card, wish: Option<Transport>) -> Result<Links, Problem> {
        let bad = |why: String| Problem::new("E0620", why);
        let me = self.comm.rank();
        let cards = card.exchange(self.comm).map_err(|e| bad(e.0))?;
        let mut out = Links { remotes: vec![None; cards.len()], ..Links::default() };
        if cards.iter().any(|c| c.failed) || cards.len() == 1 {
            // Nothing runs; or there is nobody to send to.
            out.links = vec![None; cards.len()];
            return Ok(out);
        }
        let tried = |w: Transport| wish.is_none_or(|x| x == w);
        let mut trials: Vec<(Transport, Trial)> = vec![];
        if tried(Transport::Peer) {
            trials.push((Transport::Peer, self.peers(card, &cards, &mut out)?));
        }
        let all_peers = trials.iter().any(|(_, t)| others(t, me).all(|r| r.is_ok()));
        if wish == Some(Transport::Nccl) || wish.is_none() && !self.agreed(all_peers)? {
            let trial = self.nccl(&cards, &mut out)?;
            trials.push((Transport::Nccl, trial));
        }
        if wish == Some(Transport::GpuAware) {
            let able = self.comm.takes_device_memory();
            let trial = self.together(&cards, able, Transport::GpuAware, None)?;
            trials.push((Transport::GpuAware, trial));
        }
        if wish == Some(Transport::Staged) || wish.is_none() && !self.agreed(all_peers)? {
            let trial = self.together(&cards, Ok(()), Transport::Staged, None)?;
            trials.push((Transport::Staged, trial));
        }
        for (q, other) in cards.iter().enumerate() {
            if q as i64 == me {
                out.links.push(None);
                continue;
            }
            let best = trials.iter().filter_map(|(t, trial)| Some((*t, *trial[q].as_ref().ok()?)));
            // Peers need no host; where one works, it is taken.
            let best =
                best.min_by(|a, b| (a.0 != Transport::Peer).cmp(&(b.0 != Transport::Peer)).then(a.1.total_cmp(&b.1)));
            let not: Vec<String> = trials
                .iter()
                .filter_map(|(t, trial)| Some(format!("{}: {}", t.name(), trial[q].as_ref().err()?)))
                .collect();
            let Some((transport, us)) = best else {
                let mut p = bad(format!("no transport works between ranks {me} and {q} ({})", not.join("; ")));
                if wish.is_some() {
                    p.help = Some("leave `--transport` out, and the fastest that works is taken".into());
                }
                return Err(p);
            };
            let mut why = format!("{} KiB in {us:.1} us", PROBE >> 10);
            for (t, trial) in trials.iter().filter(|(t, _)| *t != transport) {
                if let Ok(us) = &trial[q] {
                    why += &format!("; {} took {us:.1} us", t.name());
                }
            }
            if !not.is_empty() {
                why += &format!("; {}", not.join("; "));
            }
            if card.near(other) && wish.is_some() {
                why += "; `--transport` asks for it";
            }
            out.links.push(Some(Link { transport, why }));
        }
        Ok(out)
    }

    /// Whether all ranks say yes. A collective.
    fn agreed(&mut self, mine: bool) -> Result<bool, Problem> {
        let all = self.comm.gathered(&[u8::from(mine)]).map_err(|e| Problem::new("E0620", e.0))?;
        Ok(all.iter().all(|b| b == [1]))
    }

    /// Maps the memory of ranks near by, and lets kernels store into it.
    fn peers(&mut self, card: &Card, cards: &[Card], out: &mut Links) -> Result<Trial, Problem> {
        let me = self.comm.rank() as usize;
        // Kernels that wait for each other must be able to run together.
        let shared =
            cards.iter().enumerate().find_map(|(a, c)| Some((a, cards[..a].iter().position(|d| c.same_gpu(d))?)));
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
            trial.push(remote.as_ref().map(|_| 0.0).map_err(String::clone));
            out.remotes[q] = remote.ok();
        }
        self.agree_on(&mut trial)?;
        let partners: Vec<i64> = (0..cards.len()).filter(|q| trial[*q].is_ok()).map(|q| q as i64).collect();
        // What arrives is compared with what its sender wrote.
        let run = |c: &mut Chooser| -> Result<(), String> {
            let text = |e: crate::runtime::device::cuda::driver::CudaError| e.to_string();
            let (mut sends, mut receives) = (vec![], vec![]);
            for q in &partners {
                let Some(remote) = &out.remotes[*q as usize] else { continue };
                let between = link(c.memory.arena, remote, me as i64, *q);
                let copy = carry::plain(c.memory.probe(None), remote.base + c.memory.probe_of(me), PROBE);
                sends.push((between, vec![copy]));
                receives.push(between);
            }
            if sends.is_empty() {
                return Ok(());
            }
            let carrying = Carrying::new(c.gpu, &sends, &receives).map_err(text)?;
            c.gpu.launch(&carrying.launch(c.carry, u64::MAX, u64::MAX, c.stop)).map_err(text)?;
            c.gpu.wait().map_err(text)
        };
        self.measure(&partners, &mut trial, run)?;
        out.remotes.iter_mut().zip(&trial).filter(|(_, t)| t.is_err()).for_each(|(r, _)| *r = None);
        Ok(trial)
    }

    fn nccl(&mut self, cards: &[Card], out: &mut Links) -> Result<Trial, Problem> {
        let shared = (0..cards.len()).any(|a| (0..a).any(|b| cards[a].same_gpu(&cards[b])));
        let mut able =
            if shared { Err("NCCL wants a GPU for every rank".to_string()) } else { nccl::version().map(|_| ()) };
        if self.agreed(able.is_ok())? {
            let name = if self.comm.rank() == 0 { nccl::id() } else { Ok([0; 128]) };
            let all = self
                .comm
                .gathered(name.as_ref().map_or(&[][..], |n| &n[..]))
                .map_err(|e| Problem::new("E0620", e.0))?;
            able = match <nccl::Id>::try_from(all.part(0)) {
                Ok(name) => {
                    self.gpu.make_current().map_err(|e| Problem::new("E0620", e.to_string()))?;
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
    ) -> Result<Trial, Problem> {
        let me = self.comm.rank();
        if !self.agreed(able.is_ok())? {
            let why = able.err().unwrap_or_else(|| "another rank cannot use it".into());
            return Ok(vec![Err(why); cards.len()]);
        }
        let partners: Vec<i64> = (0..cards.len() as i64).filter(|q| *q != me).collect();
        let mut trial: Trial = vec![Ok(0.0); cards.len()];
        let mut host = || self.gpu.pin(PROBE).map_err(|e| Problem::new("E0620", e.to_string()));
        let mut staged = vec![];
        for q in &partners {
            let (out, into) = (host()?, host()?);
            let message = |device, host| Staged { peer: *q, bytes: PROBE, device, host };
            staged.push((message(self.memory.probe(None), out), message(self.memory.probe(Some(*q as usize)), into)));
        }
        let (sends, receives): (Vec<Staged>, Vec<Staged>) = staged.into_iter().unzip();
        let run = |c: &mut Chooser| {
            staging::carry(transport, (&sends, &receives), c.gpu, nccl, c.comm).map_err(|e| format!("{e:?}"))?;
            c.gpu.wait().map_err(|e| e.to_string())
        };
        self.measure(&partners, &mut trial, run)?;
        Ok(trial)
    }

    /// Carries the pattern three times; the last is timed, then what arrived is compared.
    fn measure(
        &mut self,
        partners: &[i64],
        trial: &mut Trial,
        run: impl Fn(&mut Chooser) -> Result<(), String>,
    ) -> Result<(), Problem> {
        let problem = |e: String| Problem::new("E0620", e);
        let put = |c: &Chooser, at: u64, data: &[u8]| c.gpu.put(at, data).map_err(|e| problem(e.to_string()));
        put(self, self.memory.probe(None), &pattern(self.comm.rank()))?;
        for q in partners {
            put(self, self.memory.probe(Some(*q as usize)), &vec![0; PROBE])?;
        }
        let (mut time, mut worked) = (0.0, Ok(()));
        for _ in 0..3 {
            // All begin together, also where one has failed.
            self.comm.gathered(&[]).map_err(|e| problem(e.0))?;
            let clock = Instant::now();
            worked = worked.and_then(|()| run(self));
            time = clock.elapsed().as_secs_f64() * 1e6;
        }
        for q in partners {
            let mut got = vec![0; PROBE];
            let right = worked.clone().and_then(|()| {
                let read = self.gpu.get(self.memory.probe(Some(*q as usize)), &mut got).map_err(|e| e.to_string());
                read.and_then(|()| {
                    if got == pattern(*q) { Ok(time) } else { Err("what arrived is not what was sent".into()) }
                })
            });
            trial[*q as usize] = right;
        }
        self.agree_on(trial)
    }

    /// A pair works where both of its ranks say so.
    fn agree_on(&mut self, trial: &mut Trial) -> Result<(), Problem> {
        let mine: Vec<u8> = trial.iter().map(|t| u8::from(t.is_ok())).collect();
        let all = self.comm.gathered(&mine).map_err(|e| Problem::new("E0620", e.0))?;
        let me = self.comm.rank() as usize;
        for (q, t) in trial.iter_mut().enumerate() {
            if t.is_ok() && all.part(q).get(me) != Some(&1) {
                *t = Err("it fails on the other rank".into());
            }
        }
        Ok(())
    }
}

/// What a trial says of the other ranks.
fn others(trial: &Trial, me: i64) -> impl Iterator<Item = &Result<f64, String>> {
    trial.iter().enumerate().filter(move |(q, _)| *q as i64 != me).map(|(_, t)| t)
}

/// The bytes that a rank sends in a trial.
fn pattern(rank: i64) -> Vec<u8> {
    (0..PROBE as u64)
        .map(|k| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(rank as u64 * 77) >> 32) as u8)
        .collect()
}
