//! Draws equations of complex numbers, whose parts go back to real arrays at the end of the program.

use super::expressions::exact;
use super::*;

impl Generator {
    /// Arrays of complex numbers of one type, each with two real arrays for its parts.
    pub(super) fn arrays_of_complex(&mut self, scope: &mut Scope) -> Vec<Stmt> {
        let ty = *self.r.pick(&[Ty::C64, Ty::C128]);
        let mut parts = vec![];
        for k in 0..self.r.range(1, 3) {
            let declared = self.program.arrays.len();
            self.array();
            let mut z = self.program.arrays.remove(declared);
            (z.name, z.ty) = (format!("z{k}"), ty);
            let whole_axes = whole(&z.shape);
            let subs: Vec<Sub> = (0..z.shape.len()).map(own).collect();
            for imaginary in [false, true] {
                let name = format!("a{}", self.program.arrays.len());
                let edges = vec![Edge::None; z.shape.len()];
                let a = Array { name: name.clone(), ty: ty.part(), edges, below: 0, ..z.clone() };
                self.program.arrays.push(a.clone());
                scope.arrays.push(a);
                let value = Expr::Part(ty.part(), imaginary, Box::new(Complex::Read(z.name.clone(), subs.clone())));
                let (left, axes) = (plain(&z.shape), whole_axes.clone());
                parts.push(Stmt::Equation(Equation {
                    target: name,
                    left,
                    op: "=",
                    value,
                    axes,
                    clause: false,
                    otherwise: false,
                }));
            }
            self.program.complex.push(z.clone());
            scope.complex.push(z);
        }
        parts
    }

    /// An equation for an array of complex numbers.
    pub(super) fn of_complex(&mut self, scope: &Scope) -> Option<Stmt> {
        if scope.complex.is_empty() {
            return None;
        }
        let z = self.r.pick(&scope.complex).clone();
        let (left, axes, clause) =
            if self.r.chance(30) { self.part(&z.shape) } else { (plain(&z.shape), whole(&z.shape), false) };
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        let value = Box::new(self.complex(&inner, z.ty, 2));
        let op = self.r.word(&["=", "=", "=", "+=", "*="]);
        Some(Stmt::OfComplex { target: z.name, left, op, value, axes, clause })
    }

    /// A part of an element, as a value of the type.
    pub(super) fn of_part(&mut self, scope: &Scope, ty: Ty) -> Option<Expr> {
        let known: Vec<Array> = scope.complex.iter().filter(|z| z.ty.part() == ty).cloned().collect();
        if known.is_empty() {
            return None;
        }
        let z = self.r.pick(&known).clone();
        let read = self.read_complex(scope, &z);
        Some(Expr::Part(ty, self.r.chance(50), Box::new(read)))
    }

    fn read_complex(&mut self, scope: &Scope, z: &Array) -> Complex {
        Complex::Read(z.name.clone(), self.subs(scope, z))
    }

    fn complex(&mut self, scope: &Scope, ty: Ty, depth: usize) -> Complex {
        let real = |g: &mut Generator| g.expr(scope, ty.part(), 1);
        if depth == 0 || scope.indices.iter().any(|i| i.lo >= i.hi) {
            if self.r.chance(30) || scope.indices.iter().any(|i| i.lo >= i.hi) {
                // With an imaginary part of 0 it would be a real number, which acts on both parts.
                let im = match real(self) {
                    Expr::Lit(ty, 0) => Expr::Lit(ty, 1),
                    im => im,
                };
                return Complex::Make(real(self), im);
            }
            let z = self.r.pick(&scope.complex).clone();
            return self.read_complex(scope, &z);
        }
        let one = |g: &mut Generator| Box::new(g.complex(scope, ty, depth - 1));
        match self.r.range(0, 9) {
            0 | 1 => Complex::Bin(self.r.word(&["+", "-"]), one(self), one(self)),
            2 | 3 => Complex::Bin("*", one(self), one(self)),
            4 => Complex::Bin("/", one(self), one(self)),
            5 => Complex::Scale(self.r.word(&["*", "/"]), one(self), real(self)),
            6 => {
                let c = self.expr(scope, Ty::Bool, 1);
                Complex::If(c, one(self), one(self))
            }
            7 => {
                let n = self.r.pick(&scope.complex).shape[0].min(20);
                let name = self.name("red");
                let axis = Axis { name: name.clone(), lo: 0, hi: n, by: 1, upto: None, ends: None };
                let mut inner = scope.clone();
                inner.indices.push(Ix { name, lo: 0, hi: n, narrows: false, halves: false, free: false });
                let mut part = || exact(self.leaf(&inner, ty.part()));
                Complex::Sum(axis, part(), part())
            }
            _ => Complex::Turned(self.r.word(&["-", "conj"]), one(self)),
        }
    }
}

/// The subscript that is a dimension's own index.
fn own(d: usize) -> Sub {
    Sub { konst: 0, terms: vec![(index_name(d), 1)], half: None, value: None }
}
