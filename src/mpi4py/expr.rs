//! Python expressions: text with what has to be known to build greater ones from it.

use crate::ir::kernel::{BinaryOp, UnaryOp};
use crate::ir::ty::{Ty, Value};

/// How tightly Python binds.
pub mod level {
    pub const CHOICE: u8 = 1;
    pub const OR: u8 = 2;
    pub const AND: u8 = 3;
    pub const NOT: u8 = 4;
    pub const COMPARE: u8 = 5;
    pub const BIT_OR: u8 = 6;
    pub const BIT_XOR: u8 = 7;
    pub const BIT_AND: u8 = 8;
    pub const SHIFT: u8 = 9;
    pub const SUM: u8 = 10;
    pub const PRODUCT: u8 = 11;
    pub const UNARY: u8 = 12;
    pub const POWER: u8 = 13;
    pub const ATOM: u8 = 14;
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Py {
    pub text: String,
    pub level: u8,
    /// The dimensions along which it varies, as bits; none: one number, the same everywhere.
    pub over: u64,
    pub ty: Ty,
    /// A number that takes the type of the array beside it.
    pub literal: bool,
    /// A name, a number or a part of an array: repeated rather than named.
    pub short: bool,
    /// A part of an array, not a copy.
    pub view: bool,
    /// How many axes behind the domain's it has (terms of a reduction).
    pub extra: usize,
}

impl Py {
    pub fn atom(text: impl Into<String>, ty: Ty, over: u64) -> Py {
        Py { text: text.into(), level: level::ATOM, over, ty, literal: false, short: true, view: false, extra: 0 }
    }

    pub fn compound(text: impl Into<String>, level: u8, ty: Ty, over: u64) -> Py {
        Py { level, short: false, ..Py::atom(text, ty, over) }
    }

    /// A constant.
    pub fn value(v: Value) -> Py {
        let text = match v.ty {
            Ty::Bool => if v.as_bool() { "True" } else { "False" }.to_string(),
            ty if ty.is_float() => match v.to_string().as_str() {
                "inf" => "np.inf".into(),
                "-inf" => "-np.inf".into(),
                "nan" => "np.nan".into(),
                t => t.to_string(),
            },
            _ => v.to_string(),
        };
        let level = if text.starts_with('-') { level::UNARY } else { level::ATOM };
        Py { level, literal: true, ..Py::atom(text, v.ty, 0) }
    }

    /// The text where something binds as tightly as `at`.
    pub fn at(&self, at: u8) -> String {
        if self.level < at { format!("({})", self.text) } else { self.text.clone() }
    }

    /// The text of a number with its type, where nothing beside it decides.
    pub fn typed(&self) -> String {
        match (self.literal, self.ty) {
            (true, Ty::F16 | Ty::Bf16 | Ty::F32 | Ty::I32 | Ty::U32 | Ty::U64) => {
                format!("{}({})", dtype(self.ty), self.text)
            }
            _ => self.text.clone(),
        }
    }

    /// The same where it stands alone or beside another number.
    fn beside(&self, other: &Py) -> Py {
        if other.over == 0 && self.literal && self.ty != Ty::F64 && self.ty != Ty::I64 && self.ty != Ty::Bool {
            return Py { literal: false, level: level::ATOM, text: self.typed(), ..self.clone() };
        }
        self.clone()
    }

    fn infix(&self, op: &str, level: u8, o: &Py, ty: Ty) -> Py {
        // A single number gets its type; two literals were folded by the compiler.
        let (a, b) = (self.beside(o), o.beside(self));
        let tight = if level == level::COMPARE { level + 1 } else { level };
        let text = format!("{} {op} {}", a.at(tight), b.at(level + 1));
        Py::compound(text, level, ty, self.over | o.over)
    }
}

/// NumPy's name of a type.
pub fn dtype(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "np.bool_",
        Ty::I32 => "np.int32",
        Ty::I64 => "np.int64",
        Ty::U32 => "np.uint32",
        Ty::U64 => "np.uint64",
        Ty::F16 => "np.float16",
        Ty::Bf16 => "bfloat16",
        Ty::F32 => "np.float32",
        Ty::F64 => "np.float64",
        Ty::C64 => "np.complex64",
        Ty::C128 => "np.complex128",
    }
}

/// `a op b`; `None` where NumPy has no short form.
pub fn binary(op: BinaryOp, a: &Py, b: &Py, ty: Ty) -> Option<Py> {
    use BinaryOp as B;
    let over = a.over | b.over;
    let call = |f: &str| {
        let (x, y) = (a.beside(b), b.beside(a));
        Py::compound(format!("{f}({}, {})", x.text, y.text), level::ATOM, ty, over)
    };
    let logical = a.ty == Ty::Bool && over == 0;
    Some(match op {
        B::Add if b.level == level::UNARY && b.text.starts_with('-') => {
            let text = b.text[1..].to_string();
            let positive = Py { level: if b.literal { level::ATOM } else { level::UNARY }, text, ..b.clone() };
            a.infix("-", level::SUM, &positive, ty)
        }
        B::Add => a.infix("+", level::SUM, b, ty),
        B::Sub => a.infix("-", level::SUM, b, ty),
        B::Mul if a == b && !a.literal => Py::compound(format!("{}**2", a.at(level::ATOM)), level::POWER, ty, over),
        B::Mul if ty.is_int() && b.literal && b.text == "-1" => unary(UnaryOp::Neg, a),
        B::Mul => a.infix("*", level::PRODUCT, b, ty),
        B::Div => a.infix("/", level::PRODUCT, b, ty),
        B::IntDiv => a.infix("//", level::PRODUCT, b, ty),
        B::Mod if ty.is_float() => {
            let whole = format!("np.floor({})", a.infix("/", level::PRODUCT, b, ty).text);
            Py::compound(format!("{} - {whole} * {}", a.at(level::SUM), b.at(level::PRODUCT + 1)), level::SUM, ty, over)
        }
        B::Mod => a.infix("%", level::PRODUCT, b, ty),
        B::Min => call("np.minimum"),
        B::Max => call("np.maximum"),
        B::MulHi if ty == Ty::U32 => Py::compound(
            format!(
                "(({}.astype(np.uint64) * {}) >> np.uint64(32)).astype(np.uint32)",
                if a.over == 0 { format!("np.uint32({})", a.text) } else { a.at(level::ATOM) },
                b.at(level::PRODUCT + 1)
            ),
            level::ATOM,
            ty,
            over,
        ),
        B::MulHi => return None,
        B::And if logical => a.infix("and", level::AND, b, ty),
        B::Or if logical => a.infix("or", level::OR, b, ty),
        B::Xor if logical => a.infix("!=", level::COMPARE, b, ty),
        B::And => a.infix("&", level::BIT_AND, b, ty),
        B::Or => a.infix("|", level::BIT_OR, b, ty),
        B::Xor => a.infix("^", level::BIT_XOR, b, ty),
        B::Shl => a.infix("<<", level::SHIFT, b, ty),
        B::Shr => a.infix(">>", level::SHIFT, b, ty),
        B::Eq => a.infix("==", level::COMPARE, b, Ty::Bool),
        B::Ne => a.infix("!=", level::COMPARE, b, Ty::Bool),
        B::Lt => a.infix("<", level::COMPARE, b, Ty::Bool),
        B::Le => a.infix("<=", level::COMPARE, b, Ty::Bool),
        B::Gt => a.infix(">", level::COMPARE, b, Ty::Bool),
        B::Ge => a.infix(">=", level::COMPARE, b, Ty::Bool),
    })
}

/// `op a`
pub fn unary(op: UnaryOp, a: &Py) -> Py {
    let call = |f: &str| Py::compound(format!("{f}({})", a.typed()), level::ATOM, a.ty, a.over);
    match op {
        UnaryOp::Neg => Py::compound(format!("-{}", a.at(level::UNARY)), level::UNARY, a.ty, a.over),
        UnaryOp::Not if a.over == 0 => Py::compound(format!("not {}", a.at(level::NOT)), level::NOT, a.ty, 0),
        UnaryOp::Not => Py::compound(format!("~{}", a.at(level::UNARY)), level::UNARY, a.ty, a.over),
        UnaryOp::Abs => call("np.abs"),
        UnaryOp::Sqrt => call("np.sqrt"),
        UnaryOp::Floor => call("np.floor"),
        UnaryOp::Ceil => call("np.ceil"),
        UnaryOp::Round => call("np.rint"),
        UnaryOp::Trunc => call("np.trunc"),
    }
}

/// `a` where the condition holds, else `b`.
pub fn choice(cond: &Py, a: &Py, b: &Py) -> Py {
    let over = cond.over | a.over | b.over;
    if cond.over == 0 {
        let text =
            format!("{} if {} else {}", parenthesised(&a.typed(), a), cond.at(level::OR), parenthesised(&b.typed(), b));
        return Py::compound(text, level::CHOICE, a.ty, over);
    }
    Py::compound(format!("np.where({}, {}, {})", cond.text, a.typed(), b.typed()), level::ATOM, a.ty, over)
}

fn parenthesised(text: &str, p: &Py) -> String {
    if p.level <= level::CHOICE { format!("({text})") } else { text.to_string() }
}

/// `a` as another type.
pub fn cast(a: &Py, ty: Ty) -> Py {
    if a.over != 0 {
        let text = match (a.ty, ty) {
            (_, Ty::Bool) => {
                return Py::compound(format!("{} != 0", a.at(level::COMPARE + 1)), level::COMPARE, ty, a.over);
            }
            _ => format!("{}.astype({})", a.at(level::ATOM), dtype(ty)),
        };
        return Py::compound(text, level::ATOM, ty, a.over);
    }
    let text = match ty {
        Ty::Bool => return Py::compound(format!("{} != 0", a.at(level::COMPARE + 1)), level::COMPARE, ty, 0),
        Ty::I64 => format!("int({})", a.text),
        Ty::I32 if a.ty.is_int() => format!("np.int32(({} + 2**31) % 2**32 - 2**31)", int(a)),
        Ty::U32 if a.ty.is_int() => format!("np.uint32({} % 2**32)", int(a)),
        Ty::U64 if a.ty.is_int() => format!("np.uint64({} % 2**64)", int(a)),
        _ => format!("{}({})", dtype(ty), a.text),
    };
    Py::compound(text, level::ATOM, ty, 0)
}

/// A number as one of Python's own integers.
fn int(a: &Py) -> String {
    if a.ty == Ty::I64 { a.at(level::PRODUCT) } else { format!("int({})", a.text) }
}

/// The name of an elementary function in NumPy, or a form of it; `None` where NumPy has none.
pub fn elementary(name: &str, args: &[Py]) -> Option<Py> {
    let over = args.iter().fold(0, |m, a| m | a.over);
    let ty = args.first()?.ty;
    let numpy = match name {
        "exp" | "exp2" | "log" | "log2" | "log10" | "sin" | "cos" | "tan" | "sinh" | "cosh" | "tanh" | "expm1"
        | "log1p" | "cbrt" | "hypot" => name.to_string(),
        "asin" => "arcsin".into(),
        "acos" => "arccos".into(),
        "atan" => "arctan".into(),
        "atan2" => "arctan2".into(),
        "pow" => "power".into(),
        _ => return None,
    };
    let all_plain = args.iter().all(|a| a.over == 0);
    let text: Vec<String> = args.iter().map(|a| if all_plain { a.typed() } else { a.text.clone() }).collect();
    Some(Py::compound(format!("np.{numpy}({})", text.join(", ")), level::ATOM, ty, over))
}
