//! Steps of the plan as statements.

use super::code::{Writer, neutral};
use super::expr::{Py, dtype};
use super::place::{Axes, LETTERS};
use super::{No, Script, Uncovered};
use crate::ir::kernel::{ArrayId, Code, FoldOp, Inst, Op, Reg, ScalarId};
use crate::ir::plan::{Home, Plan, PlanNestId, Source, Step, StepKind};
use crate::ir::program::PrintPart;
use crate::ir::ty::{Ty, Value};
use std::collections::BTreeSet;

/// The number that a register holds all along.
pub fn constant(code: &Code, r: Reg) -> Option<Value> {
    let mut set = code.body.iter().filter(|i| match i {
        Inst::Op { dst, .. } => *dst == r,
        _ => true,
    });
    match (set.next(), set.next()) {
        (Some(Inst::Op { op: Op::Const(v), .. }), None) => Some(*v),
        _ => None,
    }
}

/// The arrays that a plan's steps work with.
pub fn arrays(plan: &Plan) -> Vec<ArrayId> {
    let mut out = BTreeSet::new();
    let printed =
        |parts: &[PrintPart], out: &mut BTreeSet<ArrayId>| out.extend(parts.iter().filter_map(PrintPart::array));
    plan.each_step(&plan.steps, &mut |s| match &s.kind {
        StepKind::Exchange(e) => out.extend(plan.exchanges[e.0 as usize].items.iter().map(|i| plan.item_array(i).0)),
        StepKind::Compute { nest, .. } => out.extend(plan.nest(*nest).nest.operands.iter().map(|o| o.array)),
        StepKind::Swap(a, b) => out.extend([*a, *b]),
        StepKind::Print(parts) => printed(parts, &mut out),
        StepKind::Load { array, .. } | StepKind::Save { array, .. } | StepKind::Plot { array, .. } => {
            out.insert(*array);
        }
        _ => {}
    });
    out.into_iter().collect()
}

impl Script<'_> {
    /// Steps one behind the other.
    pub fn block(&mut self, steps: &[Step]) -> Result<(), Uncovered> {
        let mut last = 0;
        for s in steps {
            let line = if s.span.end > 0 { self.sources.line_col(s.span).0 } else { 0 };
            let before = self.lines.len();
            self.step(s)?;
            // The program's line above what it became.
            let said = matches!(s.kind, StepKind::Swap(..)) && last > 0;
            if line != last && !said && self.lines.len() > before && s.span.end > 0 {
                let text = self.sources.file(s.span.file).text.lines().nth(line - 1).unwrap_or("").trim().to_string();
                let comment = format!("{:w$}# {line} | {text}", "", w = 4 * self.indent);
                self.lines.insert(before, comment);
                last = line;
            }
        }
        Ok(())
    }

    fn inner(&mut self, steps: &[Step]) -> Result<(), Uncovered> {
        self.indent += 1;
        let before = self.lines.len();
        let done = self.block(steps);
        if self.lines[before..].iter().all(|l| l.trim_start().starts_with('#')) {
            self.line("pass".into());
        }
        self.indent -= 1;
        done
    }

    fn step(&mut self, s: &Step) -> Result<(), Uncovered> {
        let place = |no: No| Uncovered { what: no.0, span: s.span };
        match &s.kind {
            StepKind::Exchange(e) => self.exchange(*e).map_err(place),
            StepKind::Compute { nest, overlap } => {
                if let Some(e) = overlap {
                    self.exchange(*e).map_err(place)?;
                }
                self.compute(*nest).map_err(place)
            }
            StepKind::AllReduce(items) => {
                for (n, r) in items {
                    self.all_reduce(*n, *r);
                }
                Ok(())
            }
            StepKind::Finish(_) => Ok(()),
            StepKind::Scalars { code, results } => self.scalars(code, results).map_err(place),
            StepKind::Swap(a, b) => {
                let (a, b) = (self.names.array(self.plan, *a), self.names.array(self.plan, *b));
                self.line(format!("{a}, {b} = {b}, {a}"));
                Ok(())
            }
            StepKind::For { counter, from, to, by, body } => {
                let [from, to, by] = [from, to, by].map(|id| self.scalar(*id).text);
                let name = self.target(*counter);
                let step = if by == "1" { String::new() } else { format!(", {by}") };
                let from = if from == "0" && step.is_empty() { String::new() } else { format!("{from}, ") };
                self.line(format!("for {name} in range({from}{to}{step}):"));
                self.inner(body)
            }
            StepKind::While { before, cond, body } => {
                self.line("while True:".into());
                self.indent += 1;
                let done = self.block(before);
                let cond = self.scalar(*cond);
                self.line(format!("if not {}:", cond.at(super::expr::level::NOT)));
                self.line("    break".into());
                self.indent -= 1;
                done?;
                self.inner(body)
            }
            StepKind::If { cond, then, otherwise } => {
                let cond = self.scalar(*cond);
                self.line(format!("if {}:", cond.text));
                self.inner(then)?;
                if !otherwise.is_empty() {
                    self.line("else:".into());
                    self.inner(otherwise)?;
                }
                Ok(())
            }
            StepKind::Scatter { .. } => Err(place(No::new("a scatter"))),
            StepKind::Scan { .. } => Err(place(No::new("a scan"))),
            // There the whole array travels.
            StepKind::Once { body, .. } if body.iter().all(|s| matches!(s.kind, StepKind::Inspect(_))) => Ok(()),
            StepKind::Inspect(_) => Ok(()),
            StepKind::Once { .. } => Err(place(No::new("a read at a computed subscript"))),
            StepKind::Expect { .. } => Err(place(No::new("an `expect` of a test"))),
            StepKind::Break => {
                self.line("break".into());
                Ok(())
            }
            StepKind::Print(parts) => {
                let text = self.text(parts);
                if parts.iter().any(|p| matches!(p, PrintPart::List { .. })) {
                    return Err(place(No::new("a printed list of more than 256 values")));
                }
                let arrays = parts.iter().any(|p| matches!(p, PrintPart::Array { .. }));
                if arrays && parts.iter().any(|p| matches!(p, PrintPart::Array { format: Some(_), .. })) {
                    return Err(place(No::new("a printed array with a format")));
                }
                self.line("if rank == 0:".into());
                self.line(format!("    print({text})"));
                Ok(())
            }
            StepKind::Assert { cond, why, .. } => {
                let why = self.text(why);
                let cond = self.scalar(*cond);
                self.line(format!("if not {}:", cond.at(super::expr::level::NOT)));
                self.line(format!("    raise SystemExit({why})"));
                Ok(())
            }
            StepKind::Load { array, path } => {
                let path = self.text(path);
                let (own, held) = (self.own(*array), self.own_box(*array));
                let target = if own.ends_with(']') { own } else { format!("{own}[...]") };
                self.line(format!("{target} = np.load({path}, mmap_mode=\"r\")[{held}]"));
                Ok(())
            }
            StepKind::Save { path, .. } if !matches!(path.last(), Some(PrintPart::Text(t)) if t.ends_with(".npy")) => {
                Err(place(No::new("a file other than `.npy`")))
            }
            StepKind::Save { array, path } => {
                let path = self.text(path);
                let whole = self.whole(*array);
                self.line("if rank == 0:".into());
                self.line(format!("    np.save({path}, {whole})"));
                Ok(())
            }
            StepKind::Plot { animated: true, .. } => Err(place(No::new("an animation"))),
            StepKind::Plot { array, path, .. } => {
                let dims = self.plan.array(*array).array.shape.len();
                if dims > 2 {
                    return Err(place(No::new(format!("a picture of {dims} dimensions"))));
                }
                let path = self.text(path);
                let whole = self.whole(*array);
                // Pictures of complex numbers are those of their absolute values.
                let complex = self.plan.array(*array).array.ty.is_complex();
                let whole = if complex { format!("np.abs({whole})") } else { whole };
                self.line("if rank == 0:".into());
                self.line("    import matplotlib.pyplot as plt".into());
                if dims == 2 {
                    self.line(format!("    plt.imsave({path}, {whole})"));
                } else {
                    self.line(format!("    plt.figure().gca().plot({whole})"));
                    self.line(format!("    plt.savefig({path})"));
                }
                Ok(())
            }
        }
    }

    /// A sweep: the array expressions of a rank's part.
    fn compute(&mut self, id: PlanNestId) -> Result<(), No> {
        let n = self.plan.nest(id).clone();
        let dims = n.nest.domain.rank();
        if dims > LETTERS.len() {
            return Err(No::new(format!("an equation over {dims} dimensions")));
        }
        let part = self.part(id);
        if let Some(only) = &part.only {
            let list: Vec<String> = only.iter().map(|r| r.to_string()).collect();
            for (r, red) in n.nest.reductions.iter().enumerate() {
                let name = self.partial(id, r);
                let ty = n.nest.code.regs[red.value.0 as usize];
                self.line(format!("{name} = {}", neutral(red.op, ty)));
            }
            self.line(if only.len() == 1 {
                format!("if rank == {}:", list[0])
            } else {
                format!("if rank in ({}):", list.join(", "))
            });
            self.indent += 1;
        }
        let axes = Axes { lo: part.lo.clone(), hi: part.hi.clone(), domain: dims, ..Axes::default() };
        let roots: Vec<Reg> =
            n.nest.stores.iter().map(|s| s.value).chain(n.nest.reductions.iter().map(|r| r.value)).collect();
        let before = self.lines.len();
        self.grids = 0;
        let mut w = Writer::new(&n.nest.code, Some(id), axes.clone(), &roots);
        w.run(self)?;
        for (r, red) in n.nest.reductions.iter().enumerate() {
            let value = w.get(red.value)?;
            self.reduce(id, r, red.op, &value, &axes, &n.nest.code);
        }
        let several = n.nest.stores.len() > 1;
        let pairs = self.stores_of_parts(id);
        let several = several && !(pairs.len() == 1 && n.nest.stores.len() == 2);
        let mut values: Vec<Option<Py>> = vec![];
        let mut whole = std::collections::BTreeSet::new();
        for (k, s) in n.nest.stores.iter().enumerate() {
            if k > 0 && whole.contains(&(k - 1)) {
                values.push(None);
                continue;
            }
            let ty = self.plan.array(n.nest.operands[s.operand.0 as usize].array).array.ty;
            let joined = pairs.contains(&k).then(|| w.joined(self, s.value, n.nest.stores[k + 1].value, ty)).flatten();
            let alone = joined.is_some() && !several;
            whole.extend(joined.is_some().then_some(k));
            let p = match joined {
                Some(p) => p,
                None => w.get(s.value)?,
            };
            let part = n.nest.stores.len() > 1 && !alone;
            values.push(Some(if part && !(p.literal || p.short && !p.view) { w.named(self, p, "t") } else { p }));
        }
        for (k, (s, value)) in n.nest.stores.iter().zip(values).enumerate() {
            let Some(value) = value else { continue };
            let array = n.nest.operands[s.operand.0 as usize].array;
            let held = self.held(Source::Array(array)).ok_or_else(|| No::new("a result that is not stored"))?;
            let sub =
                self.subscript(&held, &s.index, &axes, false).ok_or_else(|| No::new("a subscript of this form"))?;
            if !sub.plain && !sub.text.contains(".T") && sub.text == held.name {
                return Err(No::new("a result of this form"));
            }
            let target =
                if sub.text == held.name || sub.text.ends_with(".T") { format!("{}[...]", sub.text) } else { sub.text };
            let target = match self.parts.stores.get(&(id, k)).filter(|_| !whole.contains(&k)) {
                None => target,
                Some(part) => format!("{target}.{}", ["real", "imag"][*part as usize]),
            };
            self.line(format!("{target} = {}", value.text));
        }
        if !self.parts.stores.is_empty() || !self.parts.loads.is_empty() {
            self.drop_unread(before)?;
        }
        if self.grids != 0 {
            // The indices themselves.
            let letters = LETTERS[..dims].join(", ");
            let ends: Vec<String> = (0..dims).map(|d| format!("{}:{}", part.lo[d].text(), part.hi[d].text())).collect();
            let text = match dims {
                1 => format!("{letters} = np.arange({}, {})", part.lo[0].text(), part.hi[0].text()),
                _ => format!("{letters} = np.ogrid[{}]", ends.join(", ")),
            };
            self.lines.insert(before, format!("{:w$}{text}", "", w = 4 * self.indent));
        }
        if part.only.is_some() {
            self.indent -= 1;
        }
        Ok(())
    }

    /// The name of a rank's own share of a reduction.
    fn partial(&mut self, id: PlanNestId, r: usize) -> String {
        let into = self.plan.nest(id).nest.reductions[r].into;
        self.target(into)
    }

    /// A rank's share of a reduction.
    fn reduce(&mut self, id: PlanNestId, r: usize, op: FoldOp, value: &Py, axes: &Axes, code: &Code) {
        let name = self.partial(id, r);
        let all = (0..axes.count()).fold(0u64, |m, d| m | 1 << d);
        let ty: Ty = code.regs[self.plan.nest(id).nest.reductions[r].value.0 as usize];
        if axes.count() == 0 {
            self.line(format!("{name} = {}", value.typed()));
            return;
        }
        let terms = if value.over == all {
            value.text.clone()
        } else {
            let shape: Vec<String> = axes.lo.iter().zip(&axes.hi).map(|(a, b)| super::message::extent(a, b)).collect();
            format!("np.broadcast_to({}, ({}))", value.typed(), shape.join(", "))
        };
        let word = match op {
            FoldOp::Sum => "sum",
            FoldOp::Prod => "prod",
            FoldOp::Min => "min",
            FoldOp::Max => "max",
            FoldOp::Any => "any",
            FoldOp::All => "all",
        };
        let n = self.plan.nest(id);
        let nothing = (0..self.ranks).any(|r| n.part(r).is_none())
            || !matches!(n.home, Home::Everywhere) && self.unmoved.contains(&id);
        let more = match op {
            FoldOp::Min | FoldOp::Max if nothing => format!(", initial={}", neutral(op, ty)),
            FoldOp::Sum | FoldOp::Prod if matches!(ty, Ty::I32 | Ty::U32) => format!(", dtype={}", dtype(ty)),
            _ => String::new(),
        };
        self.line(format!("{name} = np.{word}({terms}{more})"));
    }

    fn all_reduce(&mut self, id: PlanNestId, r: usize) {
        let op = match self.plan.nest(id).nest.reductions[r].op {
            FoldOp::Sum => "SUM",
            FoldOp::Prod => "PROD",
            FoldOp::Min => "MIN",
            FoldOp::Max => "MAX",
            FoldOp::Any => "LOR",
            FoldOp::All => "LAND",
        };
        let name = self.partial(id, r);
        self.line(format!("{name} = comm.allreduce({name}, MPI.{op})"));
    }

    /// Scalar code: every rank computes the same.
    fn scalars(&mut self, code: &Code, results: &[(Reg, ScalarId)]) -> Result<(), No> {
        let wanted: Vec<(Reg, ScalarId)> =
            results.iter().filter(|(_, id)| !self.constants.contains_key(id)).copied().collect();
        let roots: Vec<Reg> = wanted.iter().map(|r| r.0).collect();
        let mut w = Writer::new(code, None, Axes::default(), &roots);
        w.run(self)?;
        let mut values = vec![];
        for (r, _) in &wanted {
            values.push(w.get(*r)?.typed());
        }
        let targets: Vec<String> = wanted.iter().map(|(_, id)| self.target(*id)).collect();
        if !targets.is_empty() && targets != values {
            self.line(format!("{} = {}", targets.join(", "), values.join(", ")));
        }
        Ok(())
    }

    /// A template as a string of Python; arrays in it are gathered first.
    fn text(&mut self, parts: &[PrintPart]) -> String {
        let (mut out, mut holes) = (String::new(), false);
        for p in parts {
            match p {
                PrintPart::Text(t) => {
                    for c in t.chars() {
                        match c {
                            '{' => out += "{{",
                            '}' => out += "}}",
                            '"' => out += "\\\"",
                            '\\' => out += "\\\\",
                            '\n' => out += "\\n",
                            '\t' => out += "\\t",
                            c => out.push(c),
                        }
                    }
                }
                PrintPart::Scalar { id, format } => {
                    holes = true;
                    let v = match self.plan.program.scalars[id.0 as usize].complex {
                        true => self.complex_scalar(*id),
                        false => self.scalar(*id),
                    };
                    let text = if v.ty == Ty::Bool { format!("str({}).lower()", v.text) } else { v.typed() };
                    // NumPy formats an `f32` as a Python float where no format is given.
                    let bare = if v.ty == Ty::C64 || v.ty.is_float() && v.ty != Ty::F64 { "!s" } else { "" };
                    let spec = format.as_ref().map_or(bare.to_string(), |f| format!(":{f}"));
                    out += &format!("{{{text}{spec}}}");
                }
                PrintPart::Array { id, .. } | PrintPart::List { id, .. } => {
                    holes = true;
                    let whole = self.whole(*id);
                    out += &format!("{{{whole}}}");
                }
            }
        }
        if holes {
            return format!("f\"{out}\"");
        }
        format!("\"{}\"", out.replace("{{", "{").replace("}}", "}"))
    }

    /// The whole of an array on rank 0.
    fn whole(&mut self, id: ArrayId) -> String {
        let a = self.plan.array(id).clone();
        let own = self.own(id);
        if a.layout.is_replicated() {
            return own;
        }
        self.uses_gather = true;
        let name = self.names.array(self.plan, id);
        let shape: Vec<String> = a.layout.shape.iter().map(|n| n.to_string()).collect();
        let held = self.own_box(id);
        self.line(format!("{name}_whole = gather({own}, np.s_[{held}], ({}))", shape.join(", ")));
        format!("{name}_whole")
    }

    /// The box of a rank's own part, in global indices.
    fn own_box(&mut self, id: ArrayId) -> String {
        let layout = self.plan.array(id).layout.clone();
        let (lo, hi) = self.holder(&layout);
        let each: Vec<String> = lo.iter().zip(&hi).map(|(a, b)| format!("{}:{}", a.text(), b.text())).collect();
        each.join(", ")
    }
}
