//! Where a rank's arrays live and what works on them: the CPU ([`host`]), whose nests run on the built-in block machine
//! ([`vm`]) or as native C ([`native`]), or a GPU ([`cuda`]). All agree to the bit.
//!
//! This folder is one of the few that use `unsafe`: operands are raw addresses, because one nest reads and writes
//! parts of several buffers that the plan proved to be disjoint or equal point by point.

#[cfg(feature = "cuda")]
pub mod cuda;
pub mod exact_sum;
pub mod host;
mod inspect;
pub mod leaf;
pub mod native;
pub mod native_cache;
mod overlap;
pub mod partial;
pub mod scalar;
pub mod vm;

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, Code, Reg, ScalarId};
use crate::ir::plan::{ExchangeId, Plan, PlanNestId, Step, ViewId};
use crate::runtime::comm::Comm;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::numbers::Numbers;
use crate::runtime::scan::Scan;
use crate::runtime::scatter::{Picks, Scatter};
use crate::runtime::state::RankState;
use crate::runtime::trace::Event;
use std::ops::Range;
use std::time::Instant;

pub use crate::ir::elem;
pub use exact_sum::ExactSum;
pub use partial::Partial;

/// Where an operand's local part lies.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The address of the first stored element.
    pub ptr: *mut u8,
    /// The global index of that element.
    pub lo: Vec<i64>,
    /// Steps between neighbours in each dimension, in elements; the last is 1.
    pub strides: Vec<i64>,
    /// The end of the stored box, for the bounds checks of debug builds.
    pub hi: Vec<i64>,
}

/// Runs nests on parts of their domain. Shared by the rank threads; scratch memory is per thread.
pub trait Executor: Send + Sync {
    /// The name that reports show.
    fn name(&self) -> &str;

    /// Runs nest number `nest` on `part`, whose cuts lie on leaf boundaries (or at the domain's own end), and adds the
    /// contributions of each reduction to `partials`, in the order of the nest's reductions.
    ///
    /// `bindings` are in the order of the nest's operands and must cover what the part reads and writes.
    fn run(
        &self,
        nest: usize,
        part: &IndexBox,
        bindings: &[Binding],
        scalars: &[u64],
        partials: &mut [Partial],
    ) -> Result<(), String>;
}

/// One rank's arrays and the engine that works on them. The interpreter calls the methods in the order of the plan; a device
/// may run behind, as long as what it gives back is what an eager one would.
pub trait Device {
    /// Runs the rank's part of a nest; the messages of `overlap` travel first or meanwhile.
    fn compute(&mut self, nest: PlanNestId, overlap: Option<ExchangeId>, state: &mut RankState) -> Result<(), Failure>;

    /// What a [`Failure::Device`] says with its reason: that of this rank's device, or [`Failure::Lost`] where it was ended because
    /// another rank gave up.
    fn failed(&self, why: String) -> Failure {
        Failure::Device(why)
    }

    /// Carries the regions of an exchange.
    fn exchange(&mut self, exchange: ExchangeId, state: &mut RankState) -> Result<(), Failure>;

    /// Finds out which elements of a view the rank's part of its nest reads, and tells their owners. All ranks call this together.
    fn inspect(&mut self, _view: ViewId, _state: &mut RankState) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether nests run in a given order; else in theirs.
    fn orders(&self) -> bool {
        false
    }

    /// Gets ready to run the points of a nest of one dimension in this order: what it reads at its own point is laid out so, where `changed`
    /// says, by operand, that it is not from before.
    fn order(&mut self, _nest: PlanNestId, _order: &Numbers, _changed: &[bool]) -> Result<(), Failure> {
        Ok(())
    }

    /// Runs some points of a nest in the order that [`Device::order`] was given. The caller counts the time.
    fn compute_in_order(&mut self, _nest: PlanNestId, _points: Range<usize>, _: &mut RankState) -> Result<(), Failure> {
        Ok(())
    }

    /// Running values along a dimension, if the device does that by itself; says whether it did. A collective.
    fn scan(&mut self, _: &Scan, _: &mut RankState) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Whether scatters run here, by the methods that follow; else the ranks run them by hand.
    fn scatters(&self) -> bool {
        false
    }

    /// `into[index] op= value`, if the device finds out by itself who takes what; says whether it did. A collective.
    fn scatter_alone(&mut self, _: &Scatter, _: &mut RankState) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Keeps who takes what until the next call with the same array of places: by receiver which of this rank's values it takes, by sender
    /// which elements of this rank's part take its values, by their row-major numbers.
    fn keep_route(&mut self, _: &Scatter, _sends: &[Picks], _takes: &[Numbers]) -> Result<(), Failure> {
        Err(Failure::Internal("this device runs no scatters".into()))
    }

    /// Sends the values and takes what arrives, as was said last. All ranks call this together.
    fn scatter(&mut self, _: &Scatter, _: &mut RankState) -> Result<(), Failure> {
        Err(Failure::Internal("this device runs no scatters".into()))
    }

    /// Combines the partial results of these nests' reductions over all ranks and sets the scalars.
    fn all_reduce(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure>;

    /// Sets the scalars of a nest that every rank ran whole.
    fn finish(&mut self, nest: PlanNestId, state: &mut RankState) -> Result<(), Failure>;

    /// Evaluates scalar code, on the host where it knows all inputs.
    fn scalars(&mut self, code: &Code, results: &[(Reg, ScalarId)], state: &mut RankState) -> Result<(), Failure>;

    /// Exchanges the roles of two arrays' storage.
    fn swap(&mut self, a: ArrayId, b: ArrayId);

    /// The elements of a box of this rank's part, row-major.
    fn read(&mut self, id: ArrayId, region: &IndexBox) -> Result<Vec<u8>, Failure>;

    /// The same in place of what `out` holds, whose memory is used again where it can be.
    fn read_into(&mut self, id: ArrayId, region: &IndexBox, out: &mut Vec<u8>) -> Result<(), Failure> {
        *out = self.read(id, region)?;
        Ok(())
    }

    /// Sets the elements of a box of this rank's part.
    fn write(&mut self, id: ArrayId, region: &IndexBox, data: &[u8]) -> Result<(), Failure>;

    /// This rank's parts of two different arrays as they lie in memory, the second to be written; `None` where they do not lie there
    /// row-major without gaps.
    fn in_place(&mut self, _read: ArrayId, _written: ArrayId) -> Option<(&[u8], &mut [u8])> {
        None
    }

    /// Makes every scalar known on the host.
    fn learn(&mut self, state: &mut RankState) -> Result<(), Failure>;

    /// Bytes allocated for arrays and views, where the device counts them.
    fn memory(&self) -> Option<u64> {
        None
    }

    /// From now on times of kernels that run behind are kept; the trace began at `origin`.
    fn record(&mut self, _origin: Instant) -> Result<(), Failure> {
        Ok(())
    }

    /// A step of a traced run begins: its number.
    fn at(&mut self, _step: u32) {}

    /// What was kept since, at the end of a run: what the device was busy with, while the rank did other things.
    fn recorded(&mut self) -> Result<Vec<Event>, Failure> {
        Ok(vec![])
    }

    /// Bytes a second that the device copies in its memory, read and written.
    fn copy_bandwidth(&self) -> f64 {
        crate::runtime::memory::copy_bandwidth()
    }

    /// A step begins that may read and write any array by hand. All ranks call this together.
    fn by_hand(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether this rank may wait for others' kernels where it waits for its own device.
    fn waits_for_others(&self) -> bool {
        false
    }

    /// An iteration of the innermost loop has ended; what was queued so far may go out.
    fn turn(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// A round of a `while` loop with these steps begins, and the host knows that its condition holds. In how many rounds the device
    /// does the same again, if it can go on by itself.
    fn round(&mut self, _body: &[Step], _first: bool) -> Option<u64> {
        None
    }

    /// Runs rounds until the condition does not hold, or until the host should look in; how many: at least one.
    fn rounds(&mut self, _cond: ScalarId, _period: u64) -> Result<u64, Failure> {
        Err(Failure::Internal("this device does not run loops by itself".into()))
    }

    /// What was queued since has happened already: the host follows a device that went ahead.
    fn dismiss(&mut self) {}

    /// The loop whose rounds began last is over.
    fn rounds_over(&mut self) {}

    /// Waits until everything has happened, at the end of a run.
    fn wait(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Gives every rank of a run its device.
pub trait Engine: Send + Sync {
    /// The name that reports show.
    fn name(&self) -> String;

    /// Which devices the ranks of this process took, and how their messages travel; nothing for ranks on the CPU.
    fn placement(&self) -> Placement {
        Placement::default()
    }

    /// Refuses a plan that this machine cannot hold, before anything is allocated. All ranks call this together.
    fn admit(&self, _: &Plan, _: &mut dyn Comm) -> Result<(), Problem> {
        Ok(())
    }

    /// The device of this rank, with everything allocated that the plan names. All ranks call this together, and agree on a
    /// [`Problem`] afterwards; a [`Failure`] is none that they could agree on.
    fn device<'a>(&'a self, plan: &'a Plan, comm: &mut dyn Comm) -> Result<Made<'a>, Failure>;
}

/// The devices of some ranks, and how messages travel from them; for `--json`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    /// Rank, host and what is known of the device.
    pub devices: Vec<serde_json::Value>,
    /// From which rank to which, by what, and why.
    pub links: Vec<serde_json::Value>,
}

/// A rank's device, or why it has none.
pub type Made<'a> = Result<Box<dyn Device + 'a>, Problem>;

/// Ranks on the CPU.
pub struct OnHost(pub Box<dyn Executor>);

impl Engine for OnHost {
    fn name(&self) -> String {
        self.0.name().to_string()
    }

    fn admit(&self, plan: &Plan, comm: &mut dyn Comm) -> Result<(), Problem> {
        host::refuse_too_much(plan, comm)
    }

    fn device<'a>(&'a self, plan: &'a Plan, comm: &mut dyn Comm) -> Result<Made<'a>, Failure> {
        Ok(host::HostDevice::new(plan, comm.rank(), &*self.0).map(|d| Box::new(d) as _))
    }
}
