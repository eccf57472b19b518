//! A plan as the mpi4py and NumPy (or CuPy) script that one would write by hand: the arrays' parts, the messages, the computation
//! as array expressions, the reductions. `mgpu explain --as mpi4py` prints it.

mod code;
mod complex;
mod expr;
mod live;
mod loops;
mod message;
mod names;
mod place;
mod steps;

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, ScalarId, Sym, TableId};
use crate::ir::layout::Layout;
use crate::ir::plan::{Home, Plan, PlanNestId, Source, StepKind, ViewId};
use crate::ir::ty::{Ty, Value};
use crate::source::{SourceMap, Span};
use expr::Py;
use names::Names;
use place::{Axes, Bound, Held};
use std::collections::{BTreeMap, BTreeSet};

/// What has no form in a script, and where.
pub struct Uncovered {
    pub what: String,
    pub span: Span,
}

/// The same before its place is known.
#[derive(Debug)]
struct No(String);

impl No {
    fn new(what: impl Into<String>) -> No {
        No(what.into())
    }
}

/// A script being written.
struct Script<'a> {
    plan: &'a Plan,
    sources: &'a SourceMap,
    ranks: i64,
    lines: Vec<String>,
    indent: usize,
    names: Names,
    arrays: BTreeMap<ArrayId, Held>,
    views: BTreeMap<ViewId, Held>,
    /// Nests whose parts follow the arrays, although the plan moves them to where sums are cut.
    unmoved: BTreeSet<PlanNestId>,
    /// Views that these then do not need.
    direct: BTreeSet<ViewId>,
    /// The names of the ends of the parts of a layout.
    holders: Vec<(Layout, Vec<Bound>, Vec<Bound>)>,
    constants: BTreeMap<ScalarId, Value>,
    read: BTreeSet<ScalarId>,
    set: BTreeSet<ScalarId>,
    tables: BTreeSet<TableId>,
    /// The dimensions of the present nest whose indices are used as values.
    grids: u64,
    /// Which parts of complex numbers nests mean.
    parts: complex::Parts,
    uses_shift: bool,
    uses_exchange: bool,
    uses_gather: bool,
}

/// The script of a plan (made without fused sweeps). `title` is its first line; `part` says that it is a piece of a program, whose
/// arrays and scalars other lines have set.
pub fn script(plan: &Plan, sources: &SourceMap, title: &str, part: bool) -> Result<String, Uncovered> {
    let (plan, parts) = complex::without_parts(plan);
    let mut s = Script {
        plan: &plan,
        sources,
        ranks: plan.ranks,
        lines: vec![],
        indent: 0,
        names: Names::new(),
        arrays: BTreeMap::new(),
        views: BTreeMap::new(),
        unmoved: BTreeSet::new(),
        direct: BTreeSet::new(),
        holders: vec![],
        constants: BTreeMap::new(),
        read: BTreeSet::new(),
        set: BTreeSet::new(),
        tables: BTreeSet::new(),
        grids: 0,
        parts,
        uses_shift: false,
        uses_exchange: false,
        uses_gather: false,
    };
    if let Some(a) = plan.arrays.iter().find(|a| a.used && a.layout.is_dealt()) {
        return Err(Uncovered { what: "a cyclic partition on several ranks".into(), span: a.array.span });
    }
    s.find_constants();
    s.find_unmoved();
    s.declare(part);
    let declared = std::mem::take(&mut s.lines);
    s.block(&plan.steps)?;
    let body = std::mem::take(&mut s.lines);
    let mut out = s.head(title);
    out.extend(declared);
    out.extend(s.given(part));
    out.push(String::new());
    out.extend(body);
    Ok(out.join("\n") + "\n")
}

const SHIFT: &str = r#"
def shift(u, send, to, receive, source):
    """Sends a slice of u to one rank and fills another slice from the other side."""
    got = np.empty(u[receive].shape, u.dtype)
    comm.Sendrecv(np.ascontiguousarray(u[send]), dest=to, recvbuf=got, source=source)
    if source != MPI.PROC_NULL:
        u[receive] = got
"#;

const RAW: &str = r#"
def raw(u):
    """An array as MPI takes it, which has no floats of two bytes."""
    return u.view(np.uint16) if u.itemsize == 2 else u
"#;

/// A helper whose messages go through [`RAW`].
fn sent_raw(helper: &str) -> String {
    let mut text = helper.replace("recvbuf=got", "recvbuf=raw(got)").replace("Irecv(got,", "Irecv(raw(got),");
    for sent in ["np.ascontiguousarray(u[send])", "np.ascontiguousarray(u[local(what, u_lo)])"] {
        text = text.replace(sent, &format!("raw({sent})"));
    }
    text
}

const EXCHANGE: &str = r#"
def local(box, lo):
    """Slices of global indices in an array that begins at lo."""
    return tuple(slice(s.start - o, s.stop - o) for s, o in zip(box, lo))


def exchange(u, u_lo, v, v_lo, pieces):
    """Carries pieces of u into v: (from, to, which elements, where they go), in global indices."""
    requests, arriving = [], []
    for source, to, what, where in pieces:
        if source == to == rank:
            v[local(where, v_lo)] = u[local(what, u_lo)]
        elif source == rank:
            requests.append(comm.Isend(np.ascontiguousarray(u[local(what, u_lo)]), to))
        elif to == rank:
            got = np.empty([s.stop - s.start for s in what], u.dtype)
            requests.append(comm.Irecv(got, source))
            arriving.append((where, got))
    MPI.Request.Waitall(requests)
    for where, got in arriving:
        v[local(where, v_lo)] = got
"#;

const GATHER: &str = r#"
def gather(part, box, shape):
    """The whole array on rank 0, None elsewhere."""
    parts = comm.gather((box, np.ascontiguousarray(part)))
    if rank > 0:
        return None
    whole = np.empty(shape, part.dtype)
    for box, part in parts:
        whole[box] = part
    return whole
"#;

impl<'a> Script<'a> {
    fn line(&mut self, text: String) {
        self.lines.push(format!("{:w$}{text}", "", w = 4 * self.indent));
    }

    /// Lines go elsewhere until [`release`](Script::release).
    fn capture(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    fn release(&mut self, held: Vec<String>) -> Vec<String> {
        std::mem::replace(&mut self.lines, held)
    }

    /// Imports, and the helpers that the body uses.
    fn head(&self, title: &str) -> Vec<String> {
        let mut out: Vec<String> = title.lines().map(|l| format!("# {l}")).collect();
        let n = self.ranks;
        out.push(format!(
            "# mpirun -n {n} python3 -m mpi4py script.py    (NumPy 2; `-m mpi4py` ends all ranks when one fails)"
        ));
        out.push("# On GPUs: `import cupy as np`, one device a rank, and an MPI that takes device memory.".into());
        out.extend(["from mpi4py import MPI".to_string(), "import numpy as np".into(), String::new()]);
        let types: BTreeSet<Ty> = self.plan.arrays.iter().map(|a| a.array.ty).filter(|t| t.is_half()).collect();
        if types.contains(&Ty::Bf16) {
            out.insert(out.len() - 1, "from ml_dtypes import bfloat16".into());
        }
        out.push("comm = MPI.COMM_WORLD".into());
        out.push("rank = comm.Get_rank()".into());
        out.push(format!("if comm.Get_size() != {n}:"));
        out.push(format!("    raise SystemExit(\"this script is for {n} rank{}\")", if n == 1 { "" } else { "s" }));
        let raw = !types.is_empty() && (self.uses_shift || self.uses_exchange);
        let helpers =
            [(raw, RAW), (self.uses_shift, SHIFT), (self.uses_exchange, EXCHANGE), (self.uses_gather, GATHER)];
        for (used, text) in helpers {
            if used {
                out.push(String::new());
                let text = if raw && text != GATHER { sent_raw(text) } else { text.to_string() };
                out.extend(text.lines().map(str::to_string));
                out.push(String::new());
            }
        }
        out.push(String::new());
        for t in &self.tables {
            let table = &self.plan.program.tables[t.0 as usize];
            let values: Vec<String> = table.values.iter().map(|v| Py::value(*v).text).collect();
            out.push(format!("table{} = np.array([{}], {})", t.0, values.join(", "), expr::dtype(table.ty)));
        }
        out
    }

    /// Scalars that lines outside of a part of a program set.
    fn given(&mut self, part: bool) -> Vec<String> {
        let missing: Vec<ScalarId> = self.read.difference(&self.set).copied().collect();
        let mut out = vec![];
        for id in missing {
            let name = self.names.scalar(self.plan, id);
            let zero = Py::value(Value::int(self.plan.program.scalars[id.0 as usize].ty, 0));
            let why = if part { "    # put its value in: other lines set it" } else { "" };
            out.push(format!("{name} = {}{why}", zero.typed()));
        }
        out
    }

    /// The arrays: which part a rank has, and room for it.
    fn declare(&mut self, part: bool) {
        let used = steps::arrays(self.plan);
        if part && !used.is_empty() {
            self.line("# The rank's parts: zeros here. Put in what they hold before these lines.".into());
        }
        for id in used {
            let a = self.plan.array(id).clone();
            let name = self.names.array(self.plan, id);
            let (layout, place) = a.layout_text();
            self.line(format!("# {name}: {layout}, {place}"));
            let (lo, hi) = self.holder_for(&a.layout, &name);
            let lo: Vec<Bound> = lo.iter().zip(&a.ghost).map(|(b, g)| b.plus(-g.0)).collect();
            let hi: Vec<Bound> = hi.iter().zip(&a.ghost).map(|(b, g)| b.plus(g.1)).collect();
            let shape: Vec<String> = lo.iter().zip(&hi).map(|(a, b)| message::extent(a, b)).collect();
            let shape = if shape.len() == 1 { shape[0].clone() } else { format!("({})", shape.join(", ")) };
            self.line(format!("{name} = np.zeros({shape}, {})", expr::dtype(a.array.ty)));
            self.arrays.insert(id, Held { name, lo, hi });
        }
    }

    /// The ends of a rank's own part of a layout.
    fn holder(&mut self, layout: &Layout) -> (Vec<Bound>, Vec<Bound>) {
        self.holder_for(layout, "part")
    }

    fn holder_for(&mut self, layout: &Layout, name: &str) -> (Vec<Bound>, Vec<Bound>) {
        if let Some((_, lo, hi)) = self.holders.iter().find(|h| h.0 == *layout) {
            return (lo.clone(), hi.clone());
        }
        let (mut lo, mut hi) = (vec![], vec![]);
        let mut axis = 0;
        for (d, cut) in layout.cuts.iter().enumerate() {
            axis += usize::from(cut.is_some());
            let Some(cut) = cut.filter(|c| c.parts > 1) else {
                lo.push(Bound::number(0));
                hi.push(Bound::number(layout.shape[d]));
                continue;
            };
            let stride: i64 = layout.mesh[axis..].iter().product();
            let parts: Vec<String> =
                (0..cut.parts).map(|k| cut.part(k)).map(|p| format!("({}, {})", p.lo, p.hi)).collect();
            let place = match (stride * cut.parts == self.ranks, stride) {
                (true, 1) => "rank".to_string(),
                (true, s) => format!("rank // {s}"),
                (false, 1) => format!("rank % {}", cut.parts),
                (false, s) => format!("rank // {s} % {}", cut.parts),
            };
            // The same cuts over the same ranks have their names already.
            let alike = self.holders.iter().find_map(|(known, x, y)| {
                let at = (0..known.shape.len()).find(|k| {
                    let axis = known.cuts[..=*k].iter().filter(|c| c.is_some()).count();
                    known.cuts[*k] == Some(cut) && known.mesh[axis..].iter().product::<i64>() == stride
                })?;
                Some((x[at].clone(), y[at].clone()))
            });
            if let Some((x, y)) = alike {
                lo.push(x);
                hi.push(y);
                continue;
            }
            let (x, y) = (self.names.fresh(&format!("{name}_lo{d}")), self.names.fresh(&format!("{name}_hi{d}")));
            self.line(format!("{x}, {y} = [{}][{place}]", parts.join(", ")));
            lo.push(Bound::named(&x));
            hi.push(Bound::named(&y));
        }
        self.holders.push((layout.clone(), lo.clone(), hi.clone()));
        (lo, hi)
    }

    /// The value of a workflow's scalar.
    fn scalar(&mut self, id: ScalarId) -> Py {
        if let Some(v) = self.constants.get(&id) {
            return Py::value(*v);
        }
        self.read.insert(id);
        Py::atom(self.names.scalar(self.plan, id), self.plan.program.scalars[id.0 as usize].ty, 0)
    }

    /// The name under which a scalar is set.
    fn target(&mut self, id: ScalarId) -> String {
        self.set.insert(id);
        self.names.scalar(self.plan, id)
    }

    fn table(&mut self, id: TableId) -> String {
        self.tables.insert(id);
        format!("table{}", id.0)
    }

    /// A read of an array, or of a part of its complex numbers.
    fn load(&mut self, nest: PlanNestId, access: usize, axes: &Axes) -> Result<Py, No> {
        let whole = self.load_whole(nest, access, axes)?;
        Ok(match self.parts.loads.get(&(nest, access)) {
            None => whole,
            Some(part) => {
                let text = format!("{}.{}", whole.text, ["real", "imag"][*part as usize]);
                Py { text, ty: whole.ty.part(), ..whole }
            }
        })
    }

    /// A read of whole elements.
    fn load_whole(&mut self, nest: PlanNestId, access: usize, axes: &Axes) -> Result<Py, No> {
        let n = self.plan.nest(nest);
        let a = n.nest.accesses[access].clone();
        let source = n.sources[a.operand.0 as usize];
        let ty = n.nest.operands[a.operand.0 as usize].ty;
        let held = self.held(source).ok_or_else(|| No::new("a read of what is not stored"))?;
        let direct = matches!(source, Source::View(v) if self.direct.contains(&v));
        let clip = !direct && a.within != n.nest.domain && !self.fits(nest, &a, source);
        let sub = self.subscript(&held, &a.index, axes, clip).ok_or_else(|| No::new("a subscript of this form"))?;
        Ok(Py { view: true, ..Py::atom(sub.text, ty, sub.over) })
    }

    /// Scalars that hold one number from the start: those of the compiler.
    fn find_constants(&mut self) {
        let mut times: BTreeMap<ScalarId, usize> = BTreeMap::new();
        let mut found: BTreeMap<ScalarId, Value> = BTreeMap::new();
        self.plan.each_step(&self.plan.steps, &mut |step| match &step.kind {
            StepKind::Scalars { code, results } => {
                for (r, id) in results {
                    *times.entry(*id).or_default() += 1;
                    if let Some(v) = steps::constant(code, *r) {
                        found.insert(*id, v);
                    }
                }
            }
            StepKind::For { counter, .. } => *times.entry(*counter).or_default() += 1,
            StepKind::Compute { nest, .. } => {
                self.plan.nest(*nest).nest.reductions.iter().for_each(|r| *times.entry(r.into).or_default() += 1)
            }
            _ => {}
        });
        let unnamed = |id: &ScalarId| self.plan.scalar_name(*id).is_empty();
        self.constants = found.into_iter().filter(|(id, _)| times.get(id) == Some(&1) && unnamed(id)).collect();
    }

    /// Reductions for which the plan moves cuts, so that sums have the same bits on any number of ranks: by hand each rank adds
    /// up what it owns.
    fn find_unmoved(&mut self) {
        for (k, n) in self.plan.nests.iter().enumerate() {
            let Home::Owner { layout, index, leaf: Some(_), .. } = &n.home else { continue };
            // Terms past the edges belong to the first and the last part.
            let beyond = index.iter().zip(&layout.shape).any(|(a, &n_)| {
                a.terms.iter().any(|t| match t {
                    (Sym::Dim(d), 1) => !Interval::new(-a.konst, n_ - a.konst).contains(n.nest.domain.dims[*d]),
                    _ => true,
                })
            });
            if beyond {
                continue;
            }
            let own = |array: ArrayId, a: &crate::ir::kernel::Access| {
                self.plan.array(array).layout == *layout && a.index == *index
            };
            let all = n.nest.accesses.iter().all(|a| match n.sources[a.operand.0 as usize] {
                Source::Array(_) => true,
                Source::View(v) => own(self.view_array(v), a),
            });
            let plain = Home::Owner { layout: layout.clone(), index: index.clone(), leaf: None, dealt: vec![] };
            let same = (0..self.ranks).all(|r| {
                let (a, b): (IndexBox, IndexBox) = (n.home.part(&n.nest.domain, r), plain.part(&n.nest.domain, r));
                a == b || a.is_empty() && b.is_empty()
            });
            if all {
                self.unmoved.insert(PlanNestId(k as u32));
                self.direct
                    .extend(n.sources.iter().filter_map(|s| if let Source::View(v) = s { Some(*v) } else { None }));
            } else if same {
                self.unmoved.insert(PlanNestId(k as u32));
            }
        }
    }
}
