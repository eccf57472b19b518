//! What all forms share: parameters, pointers, and the body of one point.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, Surroundings, c_memory, c_ty};
use crate::codegen::cuda::{Group, Placed, Word};
use crate::ir::kernel::{AccessId, Affine, Code, Inst, Nest, Op, OperandId, Reg, ScalarId, Sym};
use crate::ir::ty::Ty;

/// A nest with its pointers.
pub struct Writer<'a> {
    pub nest: &'a Nest,
    pub placed: &'a Placed<'a>,
    pub moving: &'a BTreeSet<ScalarId>,
    pub groups: Vec<Group>,
    /// The group of each access, then of each store, and the elements that its constants add.
    pub routes: Vec<(usize, i64)>,
}

impl<'a> Writer<'a> {
    /// Groups the accesses; `keep` says which subscript constants stay in the group's address.
    pub fn new(placed: &'a Placed<'a>, moving: &'a BTreeSet<ScalarId>) -> Writer<'a> {
        let nest = placed.nest;
        let mut w = Writer { nest, placed, moving, groups: vec![], routes: vec![] };
        let reads = nest.accesses.iter().map(|a| (a.operand, &a.index, false));
        let writes = nest.stores.iter().map(|s| (s.operand, &s.index, true));
        for (operand, index, store) in reads.chain(writes) {
            let route = w.route(operand, index, store);
            w.routes.push(route);
        }
        w
    }

    fn route(&mut self, operand: OperandId, index: &[Affine], store: bool) -> (usize, i64) {
        let strides = &self.placed.strides[operand.0 as usize];
        let konst = index.iter().zip(strides).map(|(a, s)| a.konst.wrapping_mul(*s)).fold(0i64, i64::wrapping_add);
        let index: Vec<Affine> = index.iter().map(|a| Affine { konst: 0, terms: a.terms.clone() }).collect();
        let same = |g: &Group| g.operand == operand && g.index == index && g.store == store;
        let at = self.groups.iter().position(same).unwrap_or_else(|| {
            self.groups.push(Group { operand, index, store, marched: false });
            self.groups.len() - 1
        });
        (at, konst)
    }

    /// Elements that a step of a symbol moves a group's pointer.
    pub fn step(&self, group: usize, sym: Sym) -> i64 {
        let g = &self.groups[group];
        let strides = &self.placed.strides[g.operand.0 as usize];
        g.index.iter().zip(strides).map(|(a, s)| a.coef(sym).wrapping_mul(*s)).fold(0, i64::wrapping_add)
    }

    pub fn memory_ty(&self, group: usize) -> Ty {
        self.nest.operands[self.groups[group].operand.0 as usize].ty
    }

    /// Whether the array of a group is both read and written by the nest, so that its pointers alias.
    pub fn aliased(&self, group: usize) -> bool {
        let array = |g: &Group| self.nest.operands[g.operand.0 as usize].array;
        let mine = array(&self.groups[group]);
        let all: Vec<&Group> = self.groups.iter().filter(|g| array(g) == mine).collect();
        all.iter().any(|g| g.store) && all.len() > 1
    }

    /// The scalars that the nest reads, in its code and its subscripts.
    pub fn scalars(&self) -> BTreeSet<ScalarId> {
        let mut out = BTreeSet::new();
        read_scalars(&self.nest.code.body, &mut out);
        for a in self.groups.iter().flat_map(|g| &g.index) {
            out.extend(a.terms.iter().filter_map(|t| if let Sym::Scalar(s) = t.0 { Some(s) } else { None }));
        }
        out
    }

    /// The arguments of the kernel.
    pub fn words(&self) -> Vec<Word> {
        let mut words: Vec<Word> = (0..self.nest.domain.rank()).flat_map(|d| [Word::Lo(d), Word::Hi(d)]).collect();
        words.extend((0..self.groups.len()).map(Word::Group));
        words.push(Word::Scalars);
        words.extend(self.scalars().into_iter().filter(|s| !self.moving.contains(s)).map(Word::Value));
        words.extend((0..self.nest.reductions.len()).map(Word::Accumulator));
        words
    }

    /// The head of a kernel up to its opening brace, and the names that arguments give.
    pub fn head(&self, out: &mut String, name: &str, words: &[Word], bounds: &str) {
        let parameters = self.parameters(words).into_iter().map(|(ty, name)| ty + &name).collect::<Vec<_>>();
        let _ = writeln!(out, "extern \"C\" __global__ void {bounds} {name}({}) {{", parameters.join(", "));
        self.pointers(out);
    }

    /// Types and names of the parameters for a kernel's arguments.
    pub fn parameters(&self, words: &[Word]) -> Vec<(String, String)> {
        let mut parameters = vec![];
        for w in words {
            parameters.push(match w {
                Word::Lo(d) => ("i64 ".to_string(), format!("lo{d}")),
                Word::Hi(d) => ("i64 ".into(), format!("hi{d}")),
                Word::Group(g) => {
                    let ty = c_memory(self.memory_ty(*g));
                    let constant = if self.groups[*g].store { "" } else { "const " };
                    let restrict = if self.aliased(*g) || words.contains(&Word::Rim) { "" } else { "__restrict__ " };
                    (format!("{constant}{ty} *{restrict}"), format!("a{g}"))
                }
                Word::Scalars => ("const u64 *__restrict__ ".into(), "scalars".into()),
                Word::Value(s) => ("u64 ".into(), format!("value{}", s.0)),
                Word::Accumulator(r) => ("u64 *".into(), format!("acc{r}")),
                Word::Shift => ("i64 ".into(), "shift".into()),
                Word::Rim => ("const __grid_constant__ mg_rim ".into(), "rim".into()),
            });
        }
        parameters
    }

    /// The pointers of the groups, with what scalars add.
    pub fn pointers(&self, out: &mut String) {
        for g in 0..self.groups.len() {
            let mut from = format!("a{g}");
            let symbols = self.groups[g].index.iter().flat_map(|a| a.terms.iter().map(|t| t.0));
            // A scalar may stand in several subscripts; its step counts them all.
            let scalars: BTreeSet<ScalarId> =
                symbols.filter_map(|s| if let Sym::Scalar(id) = s { Some(id) } else { None }).collect();
            for id in scalars {
                let _ = write!(from, " + (i64){} * {}LL", self.word(id), self.step(g, Sym::Scalar(id)));
            }
            let ty = c_memory(self.memory_ty(g));
            let constant = if self.groups[g].store { "" } else { "const " };
            let _ = writeln!(out, "    {constant}{ty} *p{g} = {from};");
        }
    }

    /// The word of a scalar.
    pub fn word(&self, id: ScalarId) -> String {
        if self.moving.contains(&id) { format!("scalars[{}]", id.0) } else { format!("value{}", id.0) }
    }

    /// The element of an access or store at local point `x0, x1, …`.
    pub fn element(&self, route: usize, name: &dyn Fn(Reg) -> String) -> String {
        let (g, konst) = self.routes[route];
        let mut at = String::new();
        let mut seen = BTreeSet::new();
        for (sym, _) in self.groups[g].index.iter().flat_map(|a| &a.terms) {
            let step = self.step(g, *sym);
            if !seen.insert(*sym) || step == 0 {
                continue;
            }
            let what = match sym {
                Sym::Dim(d) => format!("x{d}"),
                Sym::Counter(r) => name(*r),
                Sym::Scalar(_) => continue,
            };
            let _ = write!(at, "{}(i64){what} * {step}LL", if at.is_empty() { "" } else { " + " });
        }
        if konst != 0 || at.is_empty() {
            let _ = write!(at, "{}{konst}LL", if at.is_empty() { "" } else { " + " });
        }
        format!("p{g}[{at}{}]", self.folded(route, &|_| true, name))
    }

    /// The elements between the one that an access names and the one that it reads, where its subscripts can leave the
    /// array; `which` chooses subscripts.
    pub fn folded(&self, route: usize, which: &dyn Fn(usize) -> bool, name: &dyn Fn(Reg) -> String) -> String {
        let Some(access) = self.nest.accesses.get(route) else { return String::new() };
        let strides = &self.placed.strides[access.operand.0 as usize];
        let mut text = String::new();
        for (k, fold) in self.placed.folds[route].iter().enumerate().filter(|(k, _)| which(*k)) {
            if let Some(fold) = fold {
                let shift = fold.shift(&self.subscript(&access.index[k], name));
                let _ = write!(text, " + {shift} * {}LL", strides[k]);
            }
        }
        text
    }

    /// A subscript in global indices at local point `x0, x1, …`.
    pub fn subscript(&self, a: &Affine, name: &dyn Fn(Reg) -> String) -> String {
        let mut text = format!("{}LL", a.konst);
        for (sym, c) in &a.terms {
            let _ = match sym {
                Sym::Dim(d) => write!(text, " + (i64)x{d} * {c}LL + lo{d} * {c}LL"),
                Sym::Counter(r) => write!(text, " + (i64){} * {c}LL", name(*r)),
                Sym::Scalar(s) => write!(text, " + (i64){} * {c}LL", self.word(*s)),
            };
        }
        text
    }

    /// Declares the registers and writes the code of one point; `around` says how it reads.
    pub fn point(&self, out: &mut String, around: &dyn Surroundings, indent: usize) {
        declare_registers(out, &self.nest.code, indent);
        let names = (0..self.nest.code.regs.len()).map(|i| format!("r{i}")).collect();
        out.push_str(&Body::new(around, names, indent / 4).write(&self.nest.code.body));
    }

    /// The stores of one point.
    pub fn stores(&self, out: &mut String, indent: usize) {
        for (s, store) in self.nest.stores.iter().enumerate() {
            let at = self.element(self.nest.accesses.len() + s, &|_| String::new());
            let _ = writeln!(out, "{:indent$}{at} = r{};", "", store.value.0);
        }
    }

    /// The value of an access in a register's type.
    pub fn loaded(&self, access: AccessId, at: String) -> String {
        let ty = self.nest.operands[self.nest.accesses[access.0 as usize].operand.0 as usize].ty;
        if ty == Ty::Bool { format!("{at} != 0") } else { at }
    }
}

impl Surroundings for Writer<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.nest.code.regs[r.0 as usize]
    }
    fn load(&self, access: AccessId, name: &dyn Fn(Reg) -> String) -> String {
        self.loaded(access, self.element(access.0 as usize, name))
    }
    fn index(&self, dim: usize) -> String {
        format!("(lo{dim} + x{dim})")
    }
    fn scalar(&self, id: ScalarId) -> String {
        self.word(id)
    }
}

/// Declares a code's registers.
pub fn declare_registers(out: &mut String, code: &Code, indent: usize) {
    for (i, ty) in code.regs.iter().enumerate() {
        let _ = writeln!(out, "{:indent$}{} r{i} = 0;", "", c_ty(*ty));
    }
}

/// The scalars that instructions read.
pub fn read_scalars(insts: &[Inst], out: &mut BTreeSet<ScalarId>) {
    for inst in insts {
        match inst {
            Inst::Op { op: Op::Scalar(s), .. } => {
                out.insert(*s);
            }
            Inst::Loop { body, .. } => read_scalars(body, out),
            Inst::If { then, otherwise, .. } => {
                read_scalars(then, out);
                read_scalars(otherwise, out);
            }
            _ => {}
        }
    }
}
