//! The derivative of a loss by one element at a time: every value goes with its change.

use crate::model::Expr;
use crate::reference::{Machine, Scope};
use crate::values::literal;
use mgpu::ir::ty::{Ty, Value};

impl Machine<'_> {
    /// The derivative by every element of parameter `wrt`, with zeros that have no sign.
    pub fn derivative(&mut self, loss: usize, places: &[usize], wrt: usize) -> Vec<Value> {
        let g = &self.program.losses[loss];
        let mut inner = Scope::default();
        for (p, &a) in g.params.iter().zip(places) {
            inner.arrays.insert(p.name.clone(), a);
        }
        let by = format!("p{wrt}");
        let outer = std::mem::replace(&mut self.scope, inner);
        let count = self.arrays[places[wrt]].data.len();
        let out = (0..count)
            .map(|k| {
                // The array of changes: one at the element, with edges that give no change of their own.
                let mut change = self.arrays[places[wrt]].clone();
                change.data.iter_mut().enumerate().for_each(|(j, v)| *v = Value::f64(f64::from(u8::from(j == k))));
                change.edges.iter_mut().for_each(|e| {
                    if matches!(e, crate::model::Edge::Constant(_)) {
                        *e = crate::model::Edge::Constant(0);
                    }
                });
                self.scope.arrays.insert("change".into(), self.arrays.len());
                self.arrays.push(change);
                let mut sum = 0.0;
                self.points(&g.axes, &mut vec![], &mut |m, _| sum += m.dual(&g.term, &by).1);
                self.arrays.pop();
                Value::f64(sum + 0.0)
            })
            .collect();
        self.scope = outer;
        out
    }

    /// A value and its change.
    fn dual(&mut self, e: &Expr, by: &str) -> (f64, f64) {
        match e {
            Expr::Read(ty, a, subs) => {
                let value = self.eval(e).as_f64();
                let change = Expr::Read(*ty, "change".into(), subs.clone());
                (value, if a == by { self.eval(&change).as_f64() } else { 0.0 })
            }
            Expr::Bin(Ty::F64, op, a, b) => {
                let ((x, dx), (y, dy)) = (self.dual(a, by), self.dual(b, by));
                match *op {
                    "+" => (x + y, dx + dy),
                    "-" => (x - y, dx - dy),
                    _ => (x * y, dx * y + x * dy),
                }
            }
            Expr::Neg(_, a) => {
                let (x, dx) = self.dual(a, by);
                (-x, -dx)
            }
            Expr::If(_, c, a, b) => {
                let c = self.eval(c).as_bool();
                self.dual(if c { a } else { b }, by)
            }
            Expr::Lit(ty, v) => (literal(*ty, *v).as_f64(), 0.0),
            other => panic!("{other:?} is in no loss"),
        }
    }
}
