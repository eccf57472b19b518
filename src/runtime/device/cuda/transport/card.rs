//! What every rank tells the others before step 0: where it runs and where its memory lies.

use serde::{Deserialize, Serialize};

use crate::runtime::comm::{Comm, Lost, host_name};

/// One rank's place and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The machine: its name and the number of this boot.
    pub host: String,
    pub process: u32,
    /// The GPU: its number in that process, its address on the bus, its name.
    pub ordinal: i32,
    pub bus: String,
    pub gpu: String,
    /// The one allocation that holds everything peers write to, and its name for other processes.
    pub arena: u64,
    pub handle: Option<Vec<u8>>,
    /// Where that which sorted scatters share, blocks and views lie in it.
    pub shelf: u64,
    pub blocks: Vec<u64>,
    pub views: Vec<u64>,
    /// Why this rank could not set itself up; the others learn it in the agreement that follows.
    pub failed: bool,
}

impl Card {
    /// The machine that this process runs on.
    pub fn host() -> String {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        format!("{} {}", host_name(), boot.trim())
    }

    /// Every rank's card. A collective.
    pub fn exchange(&self, comm: &mut dyn Comm) -> Result<Vec<Card>, Lost> {
        let mine = serde_json::to_vec(self).unwrap_or_default();
        let all = comm.gathered(&mine)?;
        Ok(all.iter().map(|c| serde_json::from_slice(c).unwrap_or_default()).collect())
    }

    /// Both ranks run on one machine.
    pub fn near(&self, other: &Card) -> bool {
        !self.host.is_empty() && self.host == other.host
    }

    /// Both ranks use one GPU.
    pub fn same_gpu(&self, other: &Card) -> bool {
        self.near(other) && self.bus == other.bus
    }
}
