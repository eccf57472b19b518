//! How elements travel between GPUs: which carriers there are, and which of them two ranks use.

pub mod card;
pub mod choose;
pub mod nccl;
pub mod peer;
pub mod staging;
pub mod trial;

use serde::Serialize;

/// A carrier of messages between two ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Kernels store into the other GPU's memory, and flags in device memory say when: no host, no packing.
    Peer,
    /// Packed, then sent by NCCL in the order of the stream.
    Nccl,
    /// Packed, then sent by an MPI library that takes device addresses.
    GpuAware,
    /// Packed, copied to page-locked host memory, and sent from there.
    Staged,
}

impl Transport {
    /// The name that users give and read.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Peer => "peer",
            Transport::Nccl => "nccl",
            Transport::GpuAware => "gpu-aware",
            Transport::Staged => "staged",
        }
    }
}

/// Messages of up to so many bytes are small: what starts fastest suits them, not what moves most.
pub const SMALL: usize = 64 << 10;

/// What carries the messages between this rank and another, and why.
#[derive(Clone, Debug)]
pub struct Link {
    /// For messages of at most [`SMALL`] bytes.
    pub small: Transport,
    /// For all others.
    pub large: Transport,
    pub why: String,
}

impl Link {
    /// What carries a message of so many bytes.
    pub fn of(&self, bytes: usize) -> Transport {
        if bytes <= SMALL { self.small } else { self.large }
    }

    /// Whether kernels of both ranks store into each other's memory; then they do for messages of every size.
    pub fn is_peer(&self) -> bool {
        self.small == Transport::Peer
    }
}
