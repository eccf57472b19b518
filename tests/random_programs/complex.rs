//! Complex numbers as the language page defines them: two floats, every operation rounded.

use crate::model::{Complex, Expr, Fold, Left};
use crate::reference::Machine;
use crate::values::{binary, negate};
use mgpu::ir::ty::{Ty, Value};

type Pair = (Value, Value);

/// The name under which the imaginary parts of an array are kept.
pub fn imaginary(name: &str) -> String {
    format!("{name}.im")
}

fn times((a, b): Pair, (c, d): Pair) -> Pair {
    let mul = |x, y| binary("*", x, y);
    (binary("-", mul(a, c), mul(b, d)), binary("+", mul(a, d), mul(b, c)))
}

/// Smith's quotient; by zero each part is divided by zero.
fn over((a, b): Pair, (c, d): Pair) -> Pair {
    let op = |name: &str, x: Value, y: Value| binary(name, x, y);
    let size = |v: Value| v.as_f64().abs();
    let one = Value::float(a.ty, 1.0);
    // The quotient of the lesser part by the greater.
    let ratio = |least: Value, most: Value| {
        if size(most) == 0.0 { Value::float(a.ty, 0.0) } else { op("/", least, most) }
    };
    if size(c) >= size(d) {
        let r = ratio(d, c);
        let s = op("/", one, op("+", c, op("*", d, r)));
        let re = op("*", op("+", a, op("*", b, r)), s);
        (re, op("*", op("-", b, op("*", a, r)), s))
    } else {
        let r = ratio(c, d);
        let s = op("/", one, op("+", op("*", c, r), d));
        let re = op("*", op("+", op("*", a, r), b), s);
        (re, op("*", op("-", op("*", b, r), a), s))
    }
}

fn combined(op: &str, x: Pair, y: Pair) -> Pair {
    match op {
        "*" => times(x, y),
        "/" => over(x, y),
        op => (binary(op, x.0, y.0), binary(op, x.1, y.1)),
    }
}

impl Machine<'_> {
    pub fn complex(&mut self, z: &Complex) -> Pair {
        match z {
            Complex::Read(name, subs) => {
                let mut part = |name: String| self.eval(&Expr::Read(Ty::F64, name, subs.clone()));
                (part(name.clone()), part(imaginary(name)))
            }
            Complex::Make(re, im) => (self.eval(re), self.eval(im)),
            Complex::Bin(op, a, b) => {
                let (a, b) = (self.complex(a), self.complex(b));
                combined(op, a, b)
            }
            Complex::Scale(op, a, x) => {
                let (a, x) = (self.complex(a), self.eval(x));
                (binary(op, a.0, x), binary(op, a.1, x))
            }
            Complex::Turned(op, a) => {
                let (re, im) = self.complex(a);
                (if *op == "-" { negate(re) } else { re }, negate(im))
            }
            Complex::If(c, a, b) => {
                let c = self.eval(c).as_bool();
                self.complex(if c { a } else { b })
            }
            Complex::Sum(axis, re, im) => {
                let axes = std::slice::from_ref(axis);
                (self.fold(re.ty(), Fold::Sum, axes, re), self.fold(im.ty(), Fold::Sum, axes, im))
            }
        }
    }

    /// An equation, all of whose values are computed before one is stored.
    pub fn equation_of_complex(
        &mut self,
        target: &str,
        left: &[Left],
        op: &str,
        value: &Complex,
        axes: &[crate::model::Axis],
    ) {
        let (re, im) = (self.scope.arrays[target], self.scope.arrays[&imaginary(target)]);
        let mut found = vec![];
        self.points(axes, &mut vec![], &mut |m, _| {
            let k = m.place(re, left);
            let v = m.complex(value);
            let before = (m.arrays[re].data[k], m.arrays[im].data[k]);
            found.push((k, if op == "=" { v } else { combined(op.trim_end_matches('='), before, v) }));
        });
        for (k, v) in found {
            (self.arrays[re].data[k], self.arrays[im].data[k]) = v;
        }
    }
}
