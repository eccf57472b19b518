//! The body of one point in C: registers are variables, `if`s without memory are selects, loops are loops.

use std::fmt::Write;

use crate::ir::kernel::{AccessId, BinaryOp, Inst, Op, Reg, ScalarId, UnaryOp};
use crate::ir::ty::{Ty, Value};

/// Branches of more instructions stay branches.
const MOST_SELECTED: usize = 400;

/// The C name of a type in registers.
pub fn c_ty(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "b8",
        ty => ty.name(),
    }
}

/// The C name of a type in memory.
pub fn c_memory(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "u8",
        ty => ty.name(),
    }
}

/// A constant.
pub fn c_const(v: Value) -> String {
    let float = |x: f64, text: String, suffix: &str| {
        if x.is_nan() {
            format!("__builtin_nan{suffix}(\"\")")
        } else if x.is_infinite() {
            format!("({}__builtin_inf{suffix}())", if x < 0.0 { "-" } else { "" })
        } else {
            format!("({text}{suffix})")
        }
    };
    match v.ty {
        Ty::Bool => format!("(b8){}", v.bits & 1),
        Ty::F32 => {
            let x = f32::from_bits(v.bits as u32);
            float(x as f64, format!("{x:e}"), "f")
        }
        Ty::F64 => {
            let x = f64::from_bits(v.bits);
            float(x, format!("{x:e}"), "")
        }
        ty => format!("({})0x{:x}ULL", c_ty(ty), v.bits),
    }
}

/// A scalar's value from the word at `expr`.
pub fn c_from_word(ty: Ty, expr: &str) -> String {
    match ty {
        Ty::Bool => format!("{expr} != 0"),
        Ty::F32 => format!("mg_bits_f32_u32((u32){expr})"),
        Ty::F64 => format!("mg_bits_f64_u64({expr})"),
        ty => format!("({}){expr}", c_ty(ty)),
    }
}

/// What the body needs from the nest around it.
pub trait Surroundings {
    /// The type of a register.
    fn ty(&self, r: Reg) -> Ty;
    /// The expression that reads an access at this point; `name` gives the names of loop counters.
    fn load(&self, access: AccessId, name: &dyn Fn(Reg) -> String) -> String;
    /// The expression of a global index.
    fn index(&self, dim: usize) -> String;
    /// The word of a workflow scalar.
    fn scalar(&self, id: ScalarId) -> String {
        format!("scalars[{}]", id.0)
    }
}

/// Writes the body of one point. What it declares is called `when`, `held`, `trips` and `trip` with a number: no writer around it has such names.
pub struct Body<'a> {
    around: &'a dyn Surroundings,
    names: Vec<String>,
    fresh: usize,
    out: String,
    indent: usize,
}

impl<'a> Body<'a> {
    /// The names of registers are given.
    pub fn new(around: &'a dyn Surroundings, names: Vec<String>, indent: usize) -> Body<'a> {
        Body { around, names, fresh: 0, out: String::new(), indent }
    }

    /// The text of some instructions.
    pub fn write<'i>(&mut self, insts: impl IntoIterator<Item = &'i Inst>) -> String {
        insts.into_iter().for_each(|inst| self.block(std::slice::from_ref(inst)));
        std::mem::take(&mut self.out)
    }

    pub fn name(&self, r: Reg) -> String {
        self.names[r.0 as usize].clone()
    }

    fn line(&mut self, text: std::fmt::Arguments) {
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.indent * 4);
    }

    fn block(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Op { dst, op } => {
                    let value = self.op(*dst, op);
                    let dst = self.name(*dst);
                    self.line(format_args!("{dst} = {value};"));
                }
                Inst::If { cond, then, otherwise } if selectable(then) && selectable(otherwise) => {
                    self.select(*cond, then, otherwise)
                }
                Inst::If { cond, then, otherwise } => {
                    let cond = self.name(*cond);
                    self.line(format_args!("if ({cond}) {{"));
                    self.inner(then);
                    if !otherwise.is_empty() {
                        self.line(format_args!("}} else {{"));
                        self.inner(otherwise);
                    }
                    self.line(format_args!("}}"));
                }
                Inst::Loop { counter, from, to, by, body } => {
                    self.fresh += 1;
                    let (id, counter) = (self.fresh, self.name(*counter));
                    let (from, to) = (self.name(*from), self.name(*to));
                    self.line(format_args!("const u64 trips{id} = mg_trips({from}, {to}, {by});"));
                    self.line(format_args!("{counter} = {from};"));
                    self.line(format_args!(
                        "for (u64 trip{id} = 0; trip{id} < trips{id}; trip{id}++, {counter} += {by}) {{"
                    ));
                    self.inner(body);
                    self.line(format_args!("}}"));
                }
                Inst::Break => {
                    self.line(format_args!("break;"));
                    return;
                }
            }
        }
    }

    fn inner(&mut self, insts: &[Inst]) {
        self.indent += 1;
        self.block(insts);
        self.indent -= 1;
    }

    /// Both branches on copies of what they assign, then one select for each.
    fn select(&mut self, cond: Reg, then: &[Inst], otherwise: &[Inst]) {
        self.fresh += 1;
        let held = format!("when{}", self.fresh);
        let cond = self.name(cond);
        self.line(format_args!("const b8 {held} = {cond};"));
        let before = self.names.clone();
        let mut branches = vec![];
        for insts in [then, otherwise] {
            let mut assigned = vec![];
            assigns(insts, &mut assigned);
            for &r in &assigned {
                self.fresh += 1;
                let name = format!("held{}", self.fresh);
                self.line(format_args!("{} {name} = {};", c_ty(self.around.ty(r)), before[r.0 as usize]));
                self.names[r.0 as usize] = name;
            }
            self.block(insts);
            branches.push((assigned, std::mem::replace(&mut self.names, before.clone())));
        }
        let mut all: Vec<Reg> = branches.iter().flat_map(|b| b.0.iter().copied()).collect();
        all.sort();
        all.dedup();
        for r in all {
            let i = r.0 as usize;
            self.line(format_args!("{} = {held} ? {} : {};", before[i], branches[0].1[i], branches[1].1[i]));
        }
    }

    fn op(&self, dst: Reg, op: &Op) -> String {
        let ty = self.around.ty(dst);
        let n = |r: &Reg| self.names[r.0 as usize].as_str();
        match op {
            Op::Const(v) => c_const(*v),
            Op::Copy(a) => n(a).to_string(),
            Op::Index(d) => self.around.index(*d),
            Op::Scalar(id) => c_from_word(ty, &self.around.scalar(*id)),
            Op::Load(id) => self.around.load(*id, &|r| self.name(r)),
            Op::Table { table, index } => format!("mgpu_table_{}[{}]", table.0, n(index)),
            Op::Unary(op, a) => unary(*op, ty, n(a)),
            Op::Binary(op, a, b) => binary(*op, self.around.ty(*a), n(a), n(b)),
            Op::Fma(a, b, c) => format!("mg_fma_{}({}, {}, {})", c_ty(ty), n(a), n(b), n(c)),
            Op::Select(c, a, b) => format!("{} ? {} : {}", n(c), n(a), n(b)),
            Op::Cast(a) => cast(self.around.ty(*a), ty, n(a)),
            Op::Bits(a) => {
                let from = self.around.ty(*a);
                if from.is_float() == ty.is_float() {
                    format!("({}){}", c_ty(ty), n(a))
                } else {
                    format!("mg_bits_{}_{}({})", c_ty(ty), c_ty(from), n(a))
                }
            }
        }
    }
}

/// The registers that some instructions assign, each once.
pub fn assigns(insts: &[Inst], out: &mut Vec<Reg>) {
    for inst in insts {
        match inst {
            Inst::Op { dst, .. } if !out.contains(dst) => out.push(*dst),
            Inst::If { then, otherwise, .. } => {
                assigns(then, out);
                assigns(otherwise, out);
            }
            Inst::Loop { counter, body, .. } => {
                if !out.contains(counter) {
                    out.push(*counter);
                }
                assigns(body, out);
            }
            _ => {}
        }
    }
}

/// Whether a branch may run although its condition is false: it neither touches memory nor loops.
fn selectable(insts: &[Inst]) -> bool {
    fn count(insts: &[Inst]) -> Option<usize> {
        insts.iter().try_fold(0, |n, inst| match inst {
            Inst::Op { op: Op::Load(_) | Op::Table { .. }, .. } | Inst::Loop { .. } | Inst::Break => None,
            Inst::Op { .. } => Some(n + 1),
            Inst::If { then, otherwise, .. } => Some(n + count(then)? + count(otherwise)?),
        })
    }
    count(insts).is_some_and(|n| n <= MOST_SELECTED)
}

fn unary(op: UnaryOp, ty: Ty, a: &str) -> String {
    let call = |name: &str| format!("mg_{name}_{}({a})", c_ty(ty));
    match op {
        UnaryOp::Neg if ty == Ty::I32 => call("neg"),
        UnaryOp::Neg => format!("-{a}"),
        UnaryOp::Not if ty == Ty::Bool => format!("!{a}"),
        UnaryOp::Not => format!("~{a}"),
        UnaryOp::Abs => call("abs"),
        UnaryOp::Sqrt => call("sqrt"),
        UnaryOp::Floor => call("floor"),
        UnaryOp::Ceil => call("ceil"),
        UnaryOp::Round => call("round"),
        UnaryOp::Trunc => call("trunc"),
    }
}

/// A binary operation on two names or other expressions that need no brackets.
pub fn binary(op: BinaryOp, ty: Ty, a: &str, b: &str) -> String {
    let call = |name: &str| format!("mg_{name}_{}({a}, {b})", c_ty(ty));
    let infix = |op: &str| format!("{a} {op} {b}");
    match op {
        BinaryOp::Add => infix("+"),
        BinaryOp::Sub => infix("-"),
        BinaryOp::Mul if matches!(ty, Ty::U32 | Ty::F32 | Ty::F64) => call("mul"),
        BinaryOp::Mul => infix("*"),
        BinaryOp::Div => infix("/"),
        BinaryOp::IntDiv => call("idiv"),
        BinaryOp::Mod => call("mod"),
        BinaryOp::Min => call("min"),
        BinaryOp::Max => call("max"),
        BinaryOp::MulHi if ty == Ty::U32 => call("high"),
        BinaryOp::MulHi => call("mulhi"),
        BinaryOp::And => infix("&"),
        BinaryOp::Or => infix("|"),
        BinaryOp::Xor => infix("^"),
        BinaryOp::Shl => call("shl"),
        BinaryOp::Shr => call("shr"),
        BinaryOp::Eq => infix("=="),
        BinaryOp::Ne => infix("!="),
        BinaryOp::Lt => infix("<"),
        BinaryOp::Le => infix("<="),
        BinaryOp::Gt => infix(">"),
        BinaryOp::Ge => infix(">="),
    }
}

fn cast(from: Ty, to: Ty, a: &str) -> String {
    if to == Ty::Bool {
        format!("{a} != 0")
    } else if from.is_half() || to.is_half() || from.is_float() && to.is_int() {
        format!("mg_cast_{}_{}({a})", c_ty(to), c_ty(from))
    } else {
        format!("({}){a}", c_ty(to))
    }
}
