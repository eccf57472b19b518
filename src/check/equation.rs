//! Equations: `out[i, j] = EXPR` to loop nests.

use super::Checker;
use super::cover::{Region, rest_of};
use super::emit::{Builder, Val};
use super::env::{Global, Local};
use super::infer::children;
use super::left::{Index, Left, Only};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Access, Affine, ArrayId, Nest, Op, Reduction, Store, Sym};
use crate::ir::layout::granule;
use crate::ir::program::{NestId, StmtKind};
use crate::source::Span;
use crate::syntax::ast::{AssignOp, BinaryOp, Clause, ExprId, ExprKind, Target};

/// An equation that reads `u[i div k]` is cut into as many parts as this at most.
const MOST_PARTS: i64 = 64;

impl Checker<'_> {
    /// Checks `target[subscripts] = value` and adds its nests. `array` is what the target names, `into` where the elements
    /// go. Returns the regions defined. `earlier`: what `otherwise` excludes.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn equation(
        &mut self,
        target: &Target,
        array: ArrayId,
        into: ArrayId,
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
        earlier: &[Region],
    ) -> Option<Vec<Region>> {
        let left = self.left_of(target, array, into)?;
        let indices = self.indices(&left, clause)?;
        let Clause::Otherwise(at) = clause else {
            let region = self.parts_of_equation(&left, indices, op, value, &[])?;
            self.check_picks(&target.name.name, &region, earlier);
            return Some(vec![region]);
        };
        let plain = left.subs.iter().all(|&s| matches!(self.node(s).kind, ExprKind::Name(_)));
        let everywhere = indices.iter().all(|i| matches!(i.only, Only::Everywhere));
        if !plain || !everywhere || indices.len() != left.subs.len() {
            return self.fail_help(
                "E0272",
                "an equation with `otherwise` has one plain index for each dimension",
                left.target.span,
                "left side",
                "write `out[i, j] = … otherwise`",
            );
        }
        // What scalars pick is left out where the points are; so is everything where strides cut the rest into too many parts.
        let (mut except, known): (Vec<Region>, Vec<Region>) =
            earlier.iter().cloned().partition(|r| !r.picks.is_empty());
        let rest = rest_of(&left.shape, &known).unwrap_or_else(|| {
            except = earlier.to_vec();
            vec![left.shape.iter().map(|&n| (0, n, 1)).collect()]
        });
        if (rest.len() > 1 || !except.is_empty()) && self.has_scan(value) {
            return self.fail_help(
                "E0264",
                format!("a scan runs over one range, and what is left for `otherwise` is {} parts", rest.len().max(2)),
                *at,
                "an equation with a scan",
                "define an array first: `s[i] = scan(+)[i] x[i]`, then read it where it is needed",
            );
        }
        let mut out = vec![];
        for dims in rest {
            let indices = indices.iter().zip(dims).map(|(i, dim)| Index::plain(&i.name, dim)).collect();
            out.push(Region { rest: true, ..self.parts_of_equation(&left, indices, op, value, &except)? });
        }
        Some(out)
    }

    /// The nests of an equation: one, or where it reads `u[i div 2]` or `u[i mod 2]` one for the even and one for the odd
    /// places, in which such subscripts are index arithmetic.
    fn parts_of_equation(
        &mut self,
        left: &Left,
        indices: Vec<Index>,
        op: AssignOp,
        value: ExprId,
        except: &[Region],
    ) -> Option<Region> {
        let whole = self.has_scan(value);
        let by: Vec<i64> =
            indices
                .iter()
                .map(|i| {
                    if matches!(i.only, Only::Everywhere) && !whole {
                        self.divisor_of(value, &i.name, false)
                    } else {
                        1
                    }
                })
                .collect();
        let parts = by.iter().try_fold(1i64, |p, &n| p.checked_mul(n)).filter(|n| *n <= MOST_PARTS).unwrap_or(1);
        if parts == 1 {
            return self.nest_of_equation(left, indices, op, value, except);
        }
        let region = self.region_of(left, &indices)?;
        for part in 0..parts {
            let mut rest = part;
            let cut = |(i, &n): (&Index, &i64)| {
                let first = (rest % n, rest /= n).0;
                let count = (i.count - first + n - 1).div_euclid(n).max(0);
                Index { from: i.from + first * i.by, count, by: i.by * n, ..i.clone() }
            };
            let indices = indices.iter().zip(&by).map(cut).collect();
            self.nest_of_equation(left, indices, op, value, except)?;
        }
        Some(region)
    }

    /// The least common multiple of the constants by which an index is divided in the subscripts of arrays.
    fn divisor_of(&mut self, id: ExprId, index: &str, inside: bool) -> i64 {
        let ast = self.ast();
        let mut out = 1;
        if let ExprKind::Binary { op: BinaryOp::IntDiv | BinaryOp::Mod, left, right, .. } = &ast.expr(id).kind
            && inside
            && self.mentions(*left, index)
        {
            out = self.small_constant(*right).unwrap_or(1);
        }
        let inside = inside || matches!(&ast.expr(id).kind, ExprKind::Index { base, .. } if !self.is_table(&base.name));
        for c in children(&ast, id) {
            let (a, b) = (out, self.divisor_of(c, index, inside));
            let (mut s, mut t) = (a, b);
            while t != 0 {
                (s, t) = (t, s % t);
            }
            out = a / s * b;
        }
        out
    }

    fn is_table(&self, name: &str) -> bool {
        self.env.find(name).is_none()
            && matches!(self.modules[self.module].globals.get(name), Some((Global::Table(..), _)))
    }

    /// A literal or named constant from 2 to 16.
    fn small_constant(&self, id: ExprId) -> Option<i64> {
        let value = |v: &Val| v.as_const().and_then(|c| c.as_int()).map(|i| i as i64);
        let n = match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(v) => *v as i64,
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Val(v)) => value(v)?,
                Some(_) => return None,
                None => match self.modules[self.module].globals.get(n) {
                    Some((Global::Const(v), _)) => value(v)?,
                    _ => return None,
                },
            },
            _ => return None,
        };
        (2..=16).contains(&n).then_some(n)
    }

    /// The domain, and the names of the indices in scope.
    pub(super) fn enter_domain(&mut self, indices: &[Index]) -> (Vec<Interval>, Vec<String>, super::env::Env) {
        let (mut domain, mut env) = (vec![], self.env.clone());
        for (d, ix) in indices.iter().enumerate() {
            let (value, range) = ix.affine(d);
            domain.push(range);
            env = env.with(&ix.name, Local::Val(Val::affine(value)));
        }
        let names = indices.iter().map(|i| i.name.clone()).collect();
        let names = std::mem::replace(&mut self.index_names, names);
        let outer = std::mem::replace(&mut self.env, env);
        (domain, names, outer)
    }

    /// The elements that an equation defines, without its code.
    fn region_of(&mut self, left: &Left, indices: &[Index]) -> Option<Region> {
        let (domain, names, outer) = self.enter_domain(indices);
        self.push_builder(Builder::new_nest(domain.clone()));
        let found = self.left_subscripts(left, indices, &domain);
        self.builders.pop();
        (self.env, self.index_names) = (outer, names);
        Some(Region { dims: found?.1, picks: picked(indices), rest: false, span: left.target.span })
    }

    fn nest_of_equation(
        &mut self,
        left: &Left,
        indices: Vec<Index>,
        op: AssignOp,
        value: ExprId,
        except: &[Region],
    ) -> Option<Region> {
        let (domain, names, outer) = self.enter_domain(&indices);
        self.push_builder(Builder::new_nest(domain.clone()));
        let out = self.equation_body(left, (&indices, &domain), op, value, except);
        (self.env, self.index_names) = (outer, names);
        let mut b = self.builders.pop()?;
        let (region, stores) = out?;
        if domain.iter().all(|d| !d.is_empty()) {
            self.push_nest(&mut b, left.name.clone(), stores, vec![], left.target.span);
        }
        Some(region)
    }

    fn equation_body(
        &mut self,
        left: &Left,
        (indices, domain): (&[Index], &[Interval]),
        op: AssignOp,
        value: ExprId,
        except: &[Region],
    ) -> Option<(Region, Vec<Store>)> {
        let (index, dims) = self.left_subscripts(left, indices, domain)?;
        let ty = self.program.arrays[left.array.0 as usize].element();
        let updated = |c: &mut Self, old: Option<&Val>| {
            let v = c.expr_as(value, ty)?;
            let Some(op) = c.compound(op, ty, left.target.span)? else { return Some(v) };
            let old = match old {
                Some(old) => old.clone(),
                None => c.element(left.array, &index, left.target.span),
            };
            Some(c.builder().binary(op, &old, &v))
        };
        let only = match self.in_none(except, &index) {
            None => self.only_where(indices)?,
            Some(cond) => Some((cond, vec![])),
        };
        let v = match only {
            None => updated(self, None)?,
            Some((cond, facts)) => {
                let old = self.element(left.array, &index, left.target.span);
                let picks = self.picks(indices);
                self.builder().picks = picks;
                self.guarded(&cond, &facts, |c| updated(c, Some(&old)), |_, _| old.clone())?
            }
        };
        let parts = match v.parts() {
            Some((re, im)) => vec![(with_part(&index, 0), re), (with_part(&index, 1), im)],
            None => vec![(index, v)],
        };
        let b = self.builder();
        let mut stores = vec![];
        for (index, v) in parts {
            let value = b.materialise(&v);
            let operand = b.operand(left.into, ty.part(), index.len(), true);
            stores.push(Store { operand, index, value });
        }
        Some((Region { dims, picks: picked(indices), rest: false, span: left.target.span }, stores))
    }

    /// The element at subscripts that are inside the array.
    fn element(&mut self, array: ArrayId, index: &[Affine], span: Span) -> Val {
        let (ty, complex) = (self.program.arrays[array.0 as usize].ty, self.program.arrays[array.0 as usize].complex);
        let b = self.builder();
        let mut load = |index: Vec<Affine>| {
            let operand = b.operand(array, ty, index.len(), false);
            let within = b.within_box();
            let access = b.access(Access { operand, index, within, counters: vec![], checks: vec![], span });
            Val::reg(b.emit(ty, Op::Load(access)), ty)
        };
        if complex {
            let re = load(with_part(index, 0));
            return Val::complex(re, load(with_part(index, 1)));
        }
        load(index.to_vec())
    }

    /// Adds a finished nest and the statement that runs it.
    pub(super) fn push_nest(
        &mut self,
        b: &mut Builder,
        name: String,
        stores: Vec<Store>,
        reductions: Vec<Reduction>,
        span: Span,
    ) {
        let domain = IndexBox::new(b.domain.clone());
        let name = self.naming.last().cloned().unwrap_or(name);
        let mut nest = Nest {
            name,
            span,
            domain,
            operands: std::mem::take(&mut b.operands),
            accesses: std::mem::take(&mut b.accesses),
            code: b.finish(),
            stores,
            reductions,
            checks: std::mem::take(&mut b.checks),
            leaf: vec![],
            only: std::mem::take(&mut b.only),
        };
        nest.leaf = self.leaf_of(&nest);
        self.program.nests.push(nest);
        let id = NestId(self.program.nests.len() as u32 - 1);
        self.emit_stmt(StmtKind::Compute(id), span);
    }

    /// The reduction leaf: the granule of the extent that each dimension runs along, so that it agrees with array cuts.
    fn leaf_of(&self, nest: &Nest) -> Vec<i64> {
        if nest.reductions.is_empty() {
            return vec![1; nest.domain.rank()];
        }
        let leaf = |d: usize| {
            let along = nest.accesses.iter().flat_map(|a| {
                let shape = &self.program.arrays[nest.operands[a.operand.0 as usize].array.0 as usize].shape;
                a.index.iter().zip(shape).filter(move |(ix, _)| ix.terms == [(Sym::Dim(d), 1)]).map(|(_, &n)| n)
            });
            granule(along.max().unwrap_or(nest.domain.dims[d].hi))
        };
        (0..nest.domain.rank()).map(leaf).collect()
    }
}

/// The dimensions of an array in which scalars pick the place.
fn picked(indices: &[Index]) -> Vec<(usize, Val)> {
    let pick = |i: &Index| if let Only::At(v, d, _) = &i.only { Some((*d, v.clone())) } else { None };
    indices.iter().filter_map(pick).collect()
}

/// The subscripts of the real (0) or the imaginary part (1) of an element of an array of complex numbers.
pub(super) fn with_part(index: &[Affine], part: i64) -> Vec<Affine> {
    index.iter().cloned().chain([Affine::constant(part)]).collect()
}
