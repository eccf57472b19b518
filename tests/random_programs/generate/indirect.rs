//! Draws what depends on values of arrays: subscripts, ends of ranges, scatters; and scans.

use super::expressions::exact;
use super::*;

impl Generator {
    /// An array of small whole numbers, which stay small.
    pub(super) fn array_of_subscripts(&mut self) {
        let ty = *self.r.pick(&[Ty::I64, Ty::I64, Ty::I32, Ty::F64]);
        let rank = self.r.range(1, 3) as usize;
        let extents = self.extents.clone();
        let shape: Vec<i64> = (0..rank).map(|_| (*self.r.pick(&extents)).min([40, 14][rank - 1])).collect();
        let below = match ty {
            Ty::F64 => self.r.range(1, 5),
            _ if self.r.chance(50) => shape[0].min(14),
            _ => self.r.range(1, 9),
        };
        let placement = ["in replicated", "", "in (block)", "in (*)", "in (cyclic(2))"][self.r.range(0, 5) as usize];
        let placement = if rank == 1 { placement } else { ["", "in (*, block)"][self.r.range(0, 2) as usize] };
        let others = [Edge::Clamp, Edge::Periodic, Edge::Mirror, Edge::Constant(0)];
        let edges = (0..rank).map(|_| if self.r.chance(50) { Edge::None } else { *self.r.pick(&others) }).collect();
        let name = format!("a{}", self.program.arrays.len());
        self.program.arrays.push(Array { name, ty, shape, placement: placement.into(), edges, below });
    }

    /// An array that may be written.
    pub(super) fn target(&mut self, scope: &Scope) -> Array {
        let all = self.r.chance(15);
        let open: Vec<Array> = scope.arrays.iter().filter(|a| all || a.below == 0).cloned().collect();
        let open = if open.is_empty() { vec![self.program.arrays[0].clone()] } else { open };
        self.r.pick(&open).clone()
    }

    /// A read of an array of subscripts, and what its values stay below.
    fn subscript(&mut self, scope: &Scope) -> Option<(Expr, i64)> {
        let a = self.of_subscripts(scope)?;
        let reads = *self.r.pick(&[0, 0, 0, 1, 2]);
        Some((self.through(scope, &a, reads), a.below))
    }

    /// A subscript that is a value of the element.
    pub(super) fn indirect(&mut self, scope: &Scope, n: i64, edge: Edge) -> Sub {
        let value = if self.r.chance(60) { self.subscript(scope) } else { None };
        let (value, below) = value.unwrap_or_else(|| (self.leaf(scope, Ty::I64), i64::MAX));
        self.anywhere(value, below, n, edge)
    }

    /// A subscript at a value in `0..below`, brought inside where no edge catches it.
    pub(super) fn anywhere(&mut self, value: Expr, below: i64, n: i64, edge: Edge) -> Sub {
        let (m, konst) = match edge {
            Edge::None if below <= n => (0, if self.r.chance(60) { 0 } else { self.r.range(0, n - below + 1) }),
            Edge::None => (n, 0),
            _ if self.r.chance(25) => (n, 0),
            _ if below < 100 => (0, self.r.range(-n, 4)),
            _ => (self.r.range(1, 3 * n + 2), self.r.range(-n, 2)),
        };
        Sub { konst, terms: vec![], half: None, value: Some((Box::new(value), m)) }
    }

    /// A range whose ends are read from arrays.
    pub(super) fn read_ends(&mut self, scope: &Scope, axis: &mut Axis) {
        let (Some(from), Some(to)) = (self.subscript(scope), self.subscript(scope)) else { return };
        (axis.lo, axis.hi, axis.by, axis.upto) = (0, from.1.max(to.1), 1, None);
        axis.ends = Some(Box::new((from.0, to.0)));
    }

    /// What an equation gives: an expression, sometimes with a scan.
    pub(super) fn value(&mut self, scope: &Scope, axes: &[Axis], left: &[Left], a: &Array) -> Expr {
        if a.below > 0 {
            let open = Array { ty: Ty::I64, below: 0, ..a.clone() };
            let value = self.value(scope, axes, left, &open);
            return self.kept(a, value);
        }
        let depth = self.depth(&a.shape);
        let plain = axes.iter().all(|x| x.by == 1 && x.upto.is_none() && x.hi > x.lo);
        // An equation at an element that a scalar picks has no scans.
        let picked = left.iter().any(|l| matches!(l, Left::Index(n, ..) if axes.iter().all(|x| x.name != *n)));
        if !plain || picked || axes.is_empty() || !self.r.chance(8) {
            return self.expr(scope, a.ty, depth);
        }
        let scan = self.scan(scope, axes, a.ty);
        if a.ty == Ty::Bool || self.r.chance(60) {
            return scan;
        }
        let other = self.leaf(scope, a.ty);
        Expr::Bin(a.ty, self.r.word(&["+", "-"]), Box::new(scan), Box::new(other))
    }

    /// A running reduction along one of the indices.
    pub(super) fn scan(&mut self, scope: &Scope, axes: &[Axis], ty: Ty) -> Expr {
        let axis = self.r.pick(axes).clone();
        let op = match ty {
            Ty::Bool => *self.r.pick(&[Fold::Any, Fold::All]),
            ty if ty.is_float() => *self.r.pick(&[Fold::Sum, Fold::Sum, Fold::Min, Fold::Max]),
            _ => *self.r.pick(&[Fold::Sum, Fold::Sum, Fold::Prod, Fold::Min, Fold::Max]),
        };
        self.cost += axes.iter().map(|x| x.hi - x.lo).product::<i64>() * 4;
        let term = exact(self.expr(scope, ty, 1));
        let exclusive = self.r.chance(30);
        self.by_function(Expr::Scan(ty, (op, exclusive), axis.name, axis.lo, Box::new(term)))
    }

    /// `h[bin[i]] += w[i]` in a workflow.
    pub(super) fn scatter(&mut self, scope: &Scope) -> Option<Stmt> {
        let a = self.target(scope);
        self.accumulation(scope, &a).map(Stmt::Equation)
    }

    /// An equation that accumulates into places named by values.
    pub(super) fn accumulation(&mut self, scope: &Scope, a: &Array) -> Option<Equation> {
        let d = a.shape.iter().position(|&n| n > 1)?;
        if a.ty == Ty::Bool {
            return None;
        }
        let axes: Vec<Axis> = (0..self.r.range(1, 3) as usize)
            .map(|k| {
                let lo = self.r.range(-2, 3);
                let (hi, by) = (lo + self.r.range(1, 15), *self.r.pick(&[1, 1, 2]));
                Axis { name: index_name(k), lo, hi, by, upto: None, ends: None }
            })
            .collect();
        let mut inner = scope.clone();
        self.enter(&mut inner, &axes);
        self.cost += axes.iter().map(|x| x.hi - x.lo).product::<i64>();
        let left = a
            .shape
            .iter()
            .enumerate()
            .map(|(k, &n)| {
                if k != d {
                    return Left::At(self.r.range(0, n));
                }
                // Every index stands on the left.
                let mut place = match self.subscript(&inner) {
                    Some((place, _)) if self.r.chance(60) => place,
                    _ => self.leaf(&inner, Ty::I64),
                };
                for x in &axes {
                    let index = Box::new(Expr::Index(Ty::I64, x.name.clone()));
                    // A multiple of the extent would name one element, which is no scatter.
                    let factor = Some(self.r.range(1, 4)).filter(|f| f % n != 0).unwrap_or(1);
                    let term = Expr::Bin(Ty::I64, "*", Box::new(Expr::Plain(factor)), index);
                    place = Expr::Bin(Ty::I64, "+", Box::new(place), Box::new(term));
                }
                Left::Value(Box::new(place), n)
            })
            .collect();
        if a.below > 0 {
            let value = self.expr(&inner, Ty::I64, 1);
            let (value, op) = (self.kept(a, value), self.r.word(&["min=", "max="]));
            return Some(Equation { target: a.name.clone(), left, op, value, axes, clause: true, otherwise: false });
        }
        let value = self.expr(&inner, a.ty, 1);
        let op = self.r.word(&["+=", "+=", "-=", "*=", "min=", "max="]);
        Some(Equation { target: a.name.clone(), left, op, value, axes, clause: true, otherwise: false })
    }
}
