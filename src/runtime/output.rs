//! Steps that reach outside: print, load, save and plot. Every one is agreed by all ranks.

use crate::ir::elem;
use crate::ir::format::{complex_text, format_value};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::plan::region::Mode;
use crate::ir::program::PrintPart;
use crate::ir::ty::{Ty, Value};
use crate::runtime::copy::{BoxCopy, Stored};
use crate::runtime::failure::{Failure, Problem, agree};
use crate::runtime::io::format_array::{format_complex, format_elements, shown};
use crate::runtime::io::{npy, plot, vtk};
use crate::runtime::launch::Term;
use crate::runtime::rank::Rank;
use crate::source::Span;
use std::collections::BTreeMap;

impl Rank<'_> {
    pub(super) fn print(&mut self, parts: &[PrintPart]) -> Result<(), Failure> {
        let mut text = self.text(parts)?;
        text.push('\n');
        if self.state.comm.rank() == 0 {
            // A closed pipe (`| head`) is no reason to fail.
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
        Ok(())
    }

    /// The text of a template; complete on rank 0, without the arrays' elements elsewhere.
    pub(super) fn text(&mut self, parts: &[PrintPart]) -> Result<String, Failure> {
        let mut out = String::new();
        for p in parts {
            match p {
                PrintPart::Text(t) => out.push_str(t),
                PrintPart::Scalar { id, format } => out.push_str(&self.scalar_text(*id, format.as_deref())?),
                PrintPart::List { id, format } => out.push_str(&self.list_text(*id, format.as_deref())?),
                PrintPart::Array { id, format } => out.push_str(&self.array_text(*id, format.as_deref())?),
            }
        }
        Ok(out)
    }

    /// A workflow scalar, complex or not.
    pub(super) fn scalar_text(&mut self, id: ScalarId, format: Option<&str>) -> Result<String, Failure> {
        self.know(id)?;
        let v = self.scalar(id);
        if !self.plan.program.scalars[id.0 as usize].complex {
            return Ok(format_value(v, format).unwrap_or_else(|_| v.to_string()));
        }
        let im = ScalarId(id.0 + 1);
        self.know(im)?;
        Ok(complex_text(v, self.scalar(im), format))
    }

    /// All elements of an array of one dimension, on rank 0.
    fn list_text(&mut self, id: ArrayId, format: Option<&str>) -> Result<String, Failure> {
        let Some(data) = self.gathered(id)? else { return Ok(String::new()) };
        let a = &self.plan.array(id).array;
        let (ty, complex) = (a.ty, a.complex);
        let value = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..ty.size()].copy_from_slice(bytes);
            Value { ty, bits: u64::from_le_bytes(word) }
        };
        let one = |bytes: &[u8]| match complex {
            true => complex_text(value(&bytes[..ty.size()]), value(&bytes[ty.size()..]), format),
            false => format_value(value(bytes), format).unwrap_or_else(|_| value(bytes).to_string()),
        };
        let size = ty.size() * (1 + usize::from(complex));
        Ok(format!("[{}]", data.chunks_exact(size).map(one).collect::<Vec<_>>().join(", ")))
    }

    /// An array as NumPy prints it; only the elements that are shown travel.
    fn array_text(&mut self, id: ArrayId, format: Option<&str>) -> Result<String, Failure> {
        let a = self.plan.array(id);
        let (shape, ty, complex) = (a.array.shape.clone(), a.array.ty, a.array.complex);
        let seen = a.array.extents().to_vec();
        let part = a.layout.part(self.state.comm.rank());
        let mut boxes = vec![IndexBox::new(vec![])];
        let both = complex.then(|| vec![Interval::new(0, 2)]);
        for runs in shown(&seen).into_iter().chain(both) {
            boxes = boxes
                .iter()
                .flat_map(|b| runs.iter().map(|r| IndexBox { dims: [b.dims.clone(), vec![*r]].concat() }))
                .collect();
        }
        let mut mine = vec![];
        for b in &boxes {
            let b = b.intersect(&part);
            mine.extend(
                self.elements(id, &b)?
                    .into_iter()
                    .flat_map(|(at, bits)| [at.to_le_bytes(), bits.to_le_bytes()].concat()),
            );
        }
        let all = self.state.comm.gathered(&mine)?;
        let mut known: BTreeMap<u64, u64> = BTreeMap::new();
        let word = |b: &[u8]| b.try_into().map_or(0, u64::from_le_bytes);
        for bytes in all.iter() {
            bytes.chunks_exact(16).for_each(|c| {
                known.insert(word(&c[..8]), word(&c[8..]));
            });
        }
        let element = |at: &[i64]| Value { ty, bits: known.get(&linear(&shape, at)).copied().unwrap_or(0) };
        if complex {
            let part = |at: &[i64], k: i64| element(&[at, &[k]].concat());
            return Ok(format_complex(&seen, &|at| (part(at, 0), part(at, 1)), format));
        }
        Ok(format_elements(ty, &shape, &element, format))
    }

    /// Places (row-major in the whole array) and bits of the elements of a box of this rank's part.
    pub(super) fn elements(&mut self, id: ArrayId, b: &IndexBox) -> Result<Vec<(u64, u64)>, Failure> {
        let bytes = self.device.read(id, b)?;
        let a = self.plan.array(id);
        let (shape, size) = (&a.array.shape, a.array.ty.size());
        let index = |d: usize, i: i64| a.layout.cuts[d].map_or(i, |c| c.index(i));
        let indices: Vec<Vec<i64>> =
            b.dims.iter().enumerate().map(|(d, r)| (r.lo..r.hi).map(|i| index(d, i)).collect()).collect();
        let place = |at: &[i64]| {
            let of = |d: usize| indices[d][(at[d] - b.dims[d].lo) as usize] as u64;
            (0..at.len()).fold(0, |p, d| p * shape[d] as u64 + of(d))
        };
        let mut out = vec![];
        let mut at: Vec<i64> = b.dims.iter().map(|d| d.lo).collect();
        for chunk in bytes.chunks_exact(size) {
            let mut word = [0u8; 8];
            word[..size].copy_from_slice(chunk);
            out.push((place(&at), u64::from_le_bytes(word)));
            for d in (0..at.len()).rev() {
                at[d] += 1;
                if at[d] < b.dims[d].hi {
                    break;
                }
                at[d] = b.dims[d].lo;
            }
        }
        Ok(out)
    }

    fn path(&mut self, parts: &[PrintPart]) -> Result<String, Failure> {
        self.text(parts)
    }

    pub(super) fn load(&mut self, id: ArrayId, path: &[PrintPart], span: Span) -> Result<(), Failure> {
        let path = self.path(path)?;
        let (part, result) = match self.load_part(id, &path) {
            Ok(part) => (part, Ok(())),
            Err(e) => (None, Err(e)),
        };
        if let Some((part, data)) = part {
            self.device.write(id, &part, &data)?;
        }
        agree(self.state.comm, result, span, "loaded here")
    }

    /// This rank's part of a file.
    fn load_part(&mut self, id: ArrayId, path: &str) -> Result<Option<(IndexBox, Vec<u8>)>, Problem> {
        let a = self.plan.array(id);
        let header = npy::read_header(self.root, path)?;
        let (ty, shape) = (a.array.element(), a.array.extents());
        if !header.element.widens(ty) || header.shape != shape {
            let message =
                format!("`{path}` holds {}{:?}, and `{}` is {ty}{shape:?}", header.element, header.shape, a.array.name);
            return Err(Problem::new("E0603", message));
        }
        let part = a.layout.part(self.state.comm.rank());
        if part.is_empty() {
            return Ok(None);
        }
        let mut data = vec![0u8; part.len() as usize * a.array.ty.size()];
        npy::read_box(self.root, path, &header, &seen(&part, shape), ty, &mut data)?;
        Ok(Some((part, data)))
    }

    /// Every rank writes its own part; the file appears when it is whole.
    pub(super) fn save(&mut self, id: ArrayId, path: &[PrintPart], span: Span) -> Result<(), Failure> {
        let path = self.path(path)?;
        if !vtk::is_collection(&path) {
            return self.save_file(id, &path, span);
        }
        // One more moment, and the collection anew with it.
        let count = self.series.get(&path).copied().unwrap_or(0) + 1;
        self.save_file(id, &vtk::moment(&path, count - 1), span)?;
        let listed = match self.state.comm.rank() {
            0 => self.root.write_whole(&path, vtk::collection(&path, count).as_bytes()).map_err(Problem::from),
            _ => Ok(()),
        };
        self.series.insert(path, count);
        agree(self.state.comm, listed, span, "saved here")
    }

    fn save_file(&mut self, id: ArrayId, path: &str, span: Span) -> Result<(), Failure> {
        let array = &self.plan.array(id).array;
        let (ty, shape) = (array.element(), array.extents());
        let ty = if vtk::is_image(path) { vtk::stored(ty) } else { ty };
        let made = match self.state.comm.rank() {
            0 if vtk::is_image(path) => vtk::frame(path, &array.name, ty, shape)
                .and_then(|(head, end)| npy::create_framed(self.root, path, ty, shape, (&head, &end)))
                .map(Some),
            0 => npy::create_part(self.root, path, ty, shape).map(Some),
            _ => Ok(None),
        };
        let part = made.as_ref().ok().and_then(Option::clone);
        let outcome = self.save_as((id, ty), made.map_err(Problem::from), span);
        // Whatever went wrong, a lost peer included, the unfinished file does not stay.
        if let (Err(_), Some(part)) = (&outcome, part) {
            npy::discard(self.root, &part);
        }
        outcome
    }

    /// The same with the unfinished file that rank 0 made, for elements of a type.
    fn save_as(
        &mut self,
        (id, ty): (ArrayId, Ty),
        made: Result<Option<npy::PartName>, Problem>,
        span: Span,
    ) -> Result<(), Failure> {
        let label = "saved here";
        let mine = made.as_ref().map_or(vec![], |p| serde_json::to_vec(p).unwrap_or_default());
        agree(self.state.comm, made.map(|_| ()), span, label)?;
        let told = self.state.comm.gathered(&mine)?;
        let part: Result<npy::PartName, Problem> =
            serde_json::from_slice(told.part(0)).map_err(|e| Problem::new("E0601", e.to_string()));
        let data = self.saved_part(id)?.map(|d| converted(d, self.plan.array(id).array.element(), ty));
        let written = part.as_ref().map_err(|e| e.clone()).and_then(|p| self.write_part((id, ty), p, data));
        agree(self.state.comm, written, span, label)?;
        let finished = match part {
            Ok(part) if self.state.comm.rank() == 0 => npy::finish(self.root, &part).map_err(Problem::from),
            _ => Ok(()),
        };
        agree(self.state.comm, finished, span, label)
    }

    /// What this rank writes of an array.
    fn saved_part(&mut self, id: ArrayId) -> Result<Option<Vec<u8>>, Failure> {
        let layout = &self.plan.array(id).layout;
        let own = layout.part(self.state.comm.rank());
        if own.is_empty() || (layout.is_replicated() && self.state.comm.rank() != 0) {
            return Ok(None);
        }
        self.device.read(id, &own).map(Some)
    }

    fn write_part(&self, (id, ty): (ArrayId, Ty), part: &npy::PartName, data: Option<Vec<u8>>) -> Result<(), Problem> {
        let a = self.plan.array(id);
        let Some(data) = data else { return Ok(()) };
        let own = a.layout.part(self.state.comm.rank());
        let shape = a.array.extents();
        Ok(npy::write_box(self.root, part, ty, shape, &seen(&own, shape), &data)?)
    }

    /// Rank 0 gathers the array and draws it.
    pub(super) fn plot(&mut self, id: ArrayId, path: &[PrintPart], span: Span) -> Result<(), Failure> {
        let path = self.path(path)?;
        let whole = self.drawn(id)?;
        let a = &self.plan.array(id).array;
        if let (Some(data), Some(term)) = (&whole, self.term) {
            let text = plot::plot_text(a.ty, a.extents(), data, &a.name, term == Term::Coloured);
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
        let result = match whole {
            Some(data) => plot::plot_png(a.ty, a.extents(), &data, &a.name)
                .and_then(|png| self.root.write_whole(&path, &png))
                .map_err(Problem::from),
            None => Ok(()),
        };
        agree(self.state.comm, result, span, "plotted here")
    }

    /// What is drawn of an array: its elements, of complex ones the absolute values. On rank 0, `None` elsewhere.
    pub(super) fn drawn(&mut self, id: ArrayId) -> Result<Option<Vec<u8>>, Failure> {
        let whole = self.gathered(id)?;
        let a = &self.plan.array(id).array;
        let (ty, size) = (a.ty, a.ty.size());
        if !a.complex {
            return Ok(whole);
        }
        let part = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(bytes);
            Value { ty, bits: u64::from_le_bytes(word) }.as_f64()
        };
        let length = |z: &[u8]| Value::float(ty, part(&z[..size]).hypot(part(&z[size..]))).bits.to_le_bytes();
        Ok(whole.map(|data| data.chunks_exact(2 * size).flat_map(|z| length(z).into_iter().take(size)).collect()))
    }

    /// The whole array on rank 0, `None` elsewhere.
    pub(super) fn gathered(&mut self, id: ArrayId) -> Result<Option<Vec<u8>>, Failure> {
        let a = self.plan.array(id);
        let (me, n) = (self.state.comm.rank(), self.state.comm.size());
        let own = a.layout.part(me);
        if n == 1 || a.layout.is_replicated() {
            return if me == 0 { self.device.read(id, &own).map(Some) } else { Ok(None) };
        }
        let (layout, ty) = (a.layout.clone(), a.array.ty);
        if me != 0 {
            let mine = self.device.read(id, &own)?;
            if !mine.is_empty() {
                self.state.comm.send(0, mine)?;
            }
            return Ok(None);
        }
        let whole = IndexBox::whole(&layout.shape);
        let mut out = vec![0u8; whole.len() as usize * ty.size()];
        for r in 0..n {
            let part = layout.part(r);
            if part.is_empty() {
                continue;
            }
            let data = if r == 0 {
                self.device.read(id, &part)?
            } else {
                self.state.comm.receive(r, part.len() as usize * ty.size())?
            };
            let copy = BoxCopy::new(
                Stored { storage: &part, part: &part },
                Stored { storage: &whole, part: &part },
                &vec![Mode::Shift; part.rank()],
                ty,
                false,
            );
            // SAFETY: `data` holds the part and `out` the whole array.
            unsafe { copy.run(data.as_ptr(), out.as_mut_ptr()) };
        }
        Ok(Some(out))
    }
}

/// A box without the dimension of the parts of complex numbers.
fn seen(b: &IndexBox, extents: &[i64]) -> IndexBox {
    IndexBox::new(b.dims[..extents.len()].to_vec())
}

/// The row-major position of an element.
fn linear(shape: &[i64], at: &[i64]) -> u64 {
    at.iter().zip(shape).fold(0, |p, (&i, &n)| p * n as u64 + i as u64)
}

/// Elements in another type.
fn converted(data: Vec<u8>, from: Ty, to: Ty) -> Vec<u8> {
    if from == to {
        return data;
    }
    let element = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        elem::cast(from, to, u64::from_le_bytes(word)).to_le_bytes()
    };
    data.chunks_exact(from.size()).flat_map(|e| element(e).into_iter().take(to.size())).collect()
}
