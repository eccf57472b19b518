//! Native C: nests compiled by the system's compiler, loaded from a cache of shared objects.

use std::cell::RefCell;
use std::path::Path;

use crate::codegen::{c, c_contraction};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{FoldOp, Nest, Table};
use crate::runtime::device::{Binding, Executor, Partial, leaf, native_cache};
use crate::runtime::memory::Buffer;

/// A nest's function; see [`c`] for the parameters.
type Function = unsafe extern "C" fn(
    part: *const i64,
    ptr: *const *mut u8,
    geom: *const i64,
    scalars: *const u64,
    acc: *const *mut u64,
    scratch: *mut u64,
    flags: i64,
);

struct Entry {
    function: Function,
    name: String,
    domain: IndexBox,
    leaf: Vec<i64>,
    /// Bytes of an element, for each operand.
    sizes: Vec<usize>,
    /// Bytes that each point stores.
    stored: usize,
    reductions: usize,
    /// Words of scratch memory.
    scratch: usize,
    /// Some reduction is a float product.
    products: bool,
}

/// The nests of a program as native code.
pub struct Native {
    entries: Vec<Entry>,
    name: String,
    /// Parts that write more bytes than this store past the caches.
    cache_bytes: usize,
    // Last, so that the functions go before the code.
    _library: libloading::Library,
}

impl Native {
    /// Compiles all nests, or finds them compiled. Fails with a readable message when there is no compiler or it
    /// rejects the code.
    pub fn new(nests: &[Nest], tables: &[Table]) -> Result<Native, String> {
        Native::in_folder(nests, tables, &native_cache::folder()?)
    }

    /// The same with a cache folder of its own.
    pub fn in_folder(nests: &[Nest], tables: &[Table], folder: &Path) -> Result<Native, String> {
        if let Some(nest) = nests.iter().find(|n| n.domain.rank() > leaf::MAX_RANK) {
            return Err(format!("`{}` has more than {} dimensions", nest.name, leaf::MAX_RANK));
        }
        let compiler = native_cache::compiler()?;
        let object = native_cache::object(&compiler, &c::unit(nests, tables), folder)?;
        let (library, entries) = open(&object, nests)?;
        let name = format!("native C by {}", compiler.path.display());
        Ok(Native { entries, name, cache_bytes: native_cache::last_level_bytes(), _library: library })
    }

    /// Sets from how many written bytes on stores go past the caches (tests use 0 and the maximum).
    pub fn store_past_caches_from(&mut self, bytes: usize) {
        self.cache_bytes = bytes;
    }
}

fn open(object: &Path, nests: &[Nest]) -> Result<(libloading::Library, Vec<Entry>), String> {
    let failed = |e: libloading::Error| format!("cannot load {}: {e}", object.display());
    // SAFETY: the object holds only functions that this program generated, with no initialisers.
    let library = unsafe { libloading::Library::new(object) }.map_err(failed)?;
    let mut entries = vec![];
    for (i, nest) in nests.iter().enumerate() {
        // SAFETY: the generator gives every nest this signature.
        let function: Function = unsafe { *library.get(c::symbol(i).as_bytes()).map_err(failed)? };
        let float = |v: crate::ir::kernel::Reg| nest.code.regs[v.0 as usize].is_float();
        entries.push(Entry {
            function,
            name: nest.name.clone(),
            domain: nest.domain.clone(),
            leaf: nest.leaf.clone(),
            sizes: nest.operands.iter().map(|o| o.ty.size()).collect(),
            stored: nest.stores.iter().map(|s| nest.operands[s.operand.0 as usize].ty.size()).sum(),
            reductions: nest.reductions.len(),
            scratch: (nest.reductions.len() * leaf::columns(&nest.leaf) * leaf::lanes(&nest.leaf) as usize)
                .max(c_contraction::scratch(nest)),
            products: nest.reductions.iter().any(|r| r.op == FoldOp::Prod && float(r.value)),
        });
    }
    Ok((library, entries))
}

/// Arguments of a call, kept to be reused.
#[derive(Default)]
struct Arguments {
    part: Vec<i64>,
    ptr: Vec<*mut u8>,
    geom: Vec<i64>,
    acc: Vec<*mut u64>,
    scratch: Option<Buffer>,
}

thread_local! {
    static ARGUMENTS: RefCell<Arguments> = RefCell::default();
}

impl Executor for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(
        &self,
        nest: usize,
        part: &IndexBox,
        bindings: &[Binding],
        scalars: &[u64],
        partials: &mut [Partial],
    ) -> Result<(), String> {
        let entry = self.entries.get(nest).ok_or_else(|| format!("there is no nest number {nest}"))?;
        if part.is_empty() {
            return Ok(());
        }
        if bindings.len() != entry.sizes.len() || partials.len() != entry.reductions {
            return Err(format!("`{}` is called with the wrong number of operands or reductions", entry.name));
        }
        let past = (part.len() as usize).saturating_mul(entry.stored) > self.cache_bytes;
        ARGUMENTS.with_borrow_mut(|a| -> Result<(), String> {
            a.fill(entry, part, bindings, partials)?;
            // SAFETY: the bindings cover what the part reads and writes; `fill` made room for everything else.
            unsafe {
                (entry.function)(
                    a.part.as_ptr(),
                    a.ptr.as_ptr(),
                    a.geom.as_ptr(),
                    scalars.as_ptr(),
                    a.acc.as_ptr(),
                    a.scratch.as_ref().map_or(std::ptr::null_mut(), |b| b.ptr().cast()),
                    past as i64,
                )
            };
            Ok(())
        })?;
        if entry.products {
            keep_leaves(entry, part, partials);
        }
        Ok(())
    }
}

impl Arguments {
    fn fill(
        &mut self,
        entry: &Entry,
        part: &IndexBox,
        bindings: &[Binding],
        partials: &mut [Partial],
    ) -> Result<(), String> {
        self.part.clear();
        self.part.extend(part.dims.iter().flat_map(|d| [d.lo, d.hi]));
        self.ptr.clear();
        self.geom.clear();
        for (binding, &size) in bindings.iter().zip(&entry.sizes) {
            let before = binding
                .lo
                .iter()
                .zip(&binding.strides)
                .fold(0i64, |sum, (lo, stride)| sum.wrapping_add(lo.wrapping_mul(*stride)));
            self.ptr.push(binding.ptr.wrapping_offset(before.wrapping_mul(-(size as i64)) as isize));
            self.geom.extend_from_slice(&binding.strides);
        }
        if entry.products {
            for (dim, &n) in entry.domain.dims.iter().zip(&entry.leaf) {
                let (first, last) = (leaf::start(dim.lo, n) / n, leaf::start(dim.hi - 1, n) / n);
                self.geom.extend([first, last - first + 1]);
            }
        }
        self.acc.clear();
        for partial in partials {
            self.acc.push(match partial {
                Partial::Exact(sum) => sum.limbs.as_mut_ptr() as *mut u64,
                Partial::Bits(bits) => bits,
                Partial::Leaves(leaves) => {
                    leaves.reserve(leaf::count(part, &entry.leaf));
                    leaves.spare_capacity_mut().as_mut_ptr() as *mut u64
                }
            });
        }
        let bytes = 8 * entry.scratch;
        if bytes > 0 && self.scratch.as_ref().is_none_or(|b| b.len() < bytes) {
            // The smaller block goes first.
            self.scratch = None;
            self.scratch = Some(Buffer::new(bytes).ok_or("there is no memory for a kernel's intermediate results")?);
        }
        Ok(())
    }
}

/// The pairs that a call wrote behind the end of its vectors become part of them.
fn keep_leaves(entry: &Entry, part: &IndexBox, partials: &mut [Partial]) {
    for partial in partials {
        if let Partial::Leaves(leaves) = partial {
            // SAFETY: `fill` reserved room for one pair for each leaf of the part, and the call wrote them all.
            unsafe { leaves.set_len(leaves.len() + leaf::count(part, &entry.leaf)) };
        }
    }
}
