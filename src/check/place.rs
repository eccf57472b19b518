//! Partitions, edges and the arrays that carry them.

use super::Checker;
use super::counted;
use super::env::Global;
use crate::ir::kernel::ArrayId;
use crate::ir::layout::{Dist, choose_mesh};
use crate::ir::program::{Array, Edge, Placement, Scalar};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, ArrayBody, ArrayDecl, ExprId};

/// Elements of one array, and bytes: more is a diagnostic.
const MOST_ELEMENTS: i64 = 1 << 48;

impl Checker<'_> {
    /// The extents of a shape: constants from 0 up, and their product within limits.
    pub(super) fn shape(&mut self, dims: &[ExprId], span: Span) -> Option<Vec<i64>> {
        if dims.len() > 8 {
            return self.fail_help(
                "E0305",
                format!("{} dimensions, and the limit is 8", dims.len()),
                span,
                "too many dimensions",
                "join two dimensions into one, as in `u[8 * i + j]`",
            );
        }
        let mut out = vec![];
        let mut total: i64 = 1;
        for &d in dims {
            let n = self.const_as(d, Ty::I64, "an extent")?.as_int()? as i64;
            if n < 0 {
                let at = self.span(d);
                return self.fail_help(
                    "E0306",
                    format!("an extent is not negative, and this is {n}"),
                    at,
                    "extent",
                    "write an extent of 0 or more",
                );
            }
            out.push(n);
            total = total.checked_mul(n.max(1)).filter(|t| *t <= MOST_ELEMENTS).unwrap_or(MOST_ELEMENTS + 1);
        }
        if total > MOST_ELEMENTS {
            let text: Vec<String> = out.iter().map(|n| n.to_string()).collect();
            return self.fail_help(
                "E0307",
                format!("an array of {} elements is too large", text.join(" x ")),
                span,
                "the limit is 2^48 elements",
                "make the array smaller, or compute in parts",
            );
        }
        Some(out)
    }

    pub(super) fn placement(&mut self, p: &ast::Placement, rank: usize) -> Option<Placement> {
        match p {
            ast::Placement::Replicated(_) => Some(Placement::Replicated),
            ast::Placement::Named(name) => match self.modules[self.module].globals.get(&name.name).cloned() {
                Some((Global::Partition(p), at)) => {
                    if let Placement::Divided { dists, .. } = &p
                        && dists.len() != rank
                    {
                        let d = crate::diag::Diagnostic::error(
                            "E0280",
                            format!(
                                "the partition `{}` has {}, the array has {rank}",
                                name.name,
                                counted(dists.len(), "dimension")
                            ),
                            name.span,
                            "used here",
                        )
                        .label(at, "declared here")
                        .help(format!(
                            "write one entry for each dimension, such as `(block{})`",
                            ", *".repeat(rank.max(1) - 1)
                        ));
                        self.report(d);
                        return None;
                    }
                    Some(p)
                }
                Some((Global::Broken, _)) => None,
                Some(_) => self.fail_help(
                    "E0281",
                    format!("`{}` is not a partition", name.name),
                    name.span,
                    "used as one",
                    format!(
                        "name a partition, such as `partition {} = (block, *)`, or write one: `in (block, *)`",
                        name.name
                    ),
                ),
                None => self.unknown(&name.name, name.span, "partition"),
            },
            ast::Placement::Aligned(name) => {
                let other = self.array_named(name)?;
                let theirs = self.program.arrays[other.0 as usize].extents().len();
                if theirs != rank {
                    return self.fail_help(
                        "E0280",
                        format!("`{}` has {}, the array has {rank}", name.name, counted(theirs, "dimension")),
                        name.span,
                        "aligned with it",
                        format!(
                            "name an array of {}, or write a partition, as in `in (block, *)`",
                            counted(rank, "dimension")
                        ),
                    );
                }
                Some(Placement::Aligned(other))
            }
            ast::Placement::Dists { dists, over, span } => {
                if dists.len() != rank {
                    return self.fail_help(
                        "E0280",
                        format!("this partition has {}, the array has {rank}", counted(dists.len(), "dimension")),
                        *span,
                        counted(dists.len(), "dimension"),
                        format!(
                            "write one entry for each dimension, such as `(block{})`",
                            ", *".repeat(rank.max(1) - 1)
                        ),
                    );
                }
                self.divided(dists, over.as_deref(), *span)
            }
        }
    }

    /// A partition without its array: the number of its dimensions is its own.
    pub(super) fn divided(
        &mut self,
        dists: &[(ast::Dist, Span)],
        over: Option<&[Option<ExprId>]>,
        span: Span,
    ) -> Option<Placement> {
        let mut out = vec![];
        for (d, at) in dists {
            out.push(match d {
                ast::Dist::Block => Dist::Block,
                ast::Dist::Whole => Dist::Whole,
                ast::Dist::Cyclic(None) => Dist::Cyclic(1),
                ast::Dist::Cyclic(Some(tile)) => {
                    let n = self.const_as(*tile, Ty::I64, "the extent of a tile")?.as_int()? as i64;
                    if !(1..=MOST_ELEMENTS).contains(&n) {
                        return self.fail_help(
                            "E0282",
                            format!("a tile has from 1 to 2^48 indices, and this is {n}"),
                            *at,
                            "tiles",
                            "write how many indices in a row belong to one part, as in `cyclic(16)`",
                        );
                    }
                    Dist::Cyclic(n)
                }
            });
        }
        let blocks = out.iter().filter(|d| **d != Dist::Whole).count();
        let Some(over) = over else { return Some(Placement::Divided { dists: out, over: vec![] }) };
        if over.len() != blocks {
            return self.fail_help(
                "E0282",
                format!(
                    "`over` has {} {} for {}",
                    over.len(),
                    if over.len() == 1 { "entry" } else { "entries" },
                    counted(blocks, "divided dimension")
                ),
                span,
                "this partition",
                "write one entry (a number or `auto`) for each `block` and `cyclic`",
            );
        }
        let mut mesh = vec![];
        for m in over {
            mesh.push(match m {
                None => None,
                Some(id) => {
                    let n = self.const_as(*id, Ty::I64, "a mesh extent")?.as_int()? as i64;
                    if n < 1 {
                        return self.fail_help(
                            "E0282",
                            format!("a mesh extent is at least 1, and this is {n}"),
                            span,
                            "this partition",
                            "write the number of parts along that dimension, or `auto`",
                        );
                    }
                    Some(n)
                }
            });
        }
        if choose_mesh(self.options.ranks, &vec![1 << 20; blocks], &mesh).is_none() {
            let fixed: Vec<String> = mesh.iter().map(|m| m.map_or("auto".into(), |m| m.to_string())).collect();
            return self.fail_help(
                "E0283",
                format!("a mesh over ({}) does not fit {} ranks", fixed.join(", "), self.options.ranks),
                span,
                "this partition",
                "make the product of the extents the number of ranks, or use `auto`",
            );
        }
        Some(Placement::Divided { dists: out, over: mesh })
    }

    pub(super) fn edges(&mut self, edges: &[ast::Edge], ty: Ty, rank: usize) -> Option<Vec<Edge>> {
        let mut out = vec![];
        for e in edges {
            out.push(match e {
                ast::Edge::Clamp(_) => Edge::Clamp,
                ast::Edge::Periodic(_) => Edge::Periodic,
                ast::Edge::Mirror(_) => Edge::Mirror,
                ast::Edge::Odd(at) if !ty.part().is_float() && !ty.is_signed() => {
                    return self.fail_help(
                        "E0284",
                        format!("`odd` turns signs, and `{ty}` has none"),
                        *at,
                        "edge",
                        "choose another edge, such as `mirror`, or a type with signs",
                    );
                }
                ast::Edge::Odd(_) => Edge::Odd,
                ast::Edge::None(_) => Edge::None,
                ast::Edge::Constant(id, _) => {
                    let v = self.known_as(*id, ty, "an edge's constant")?;
                    match v.parts() {
                        Some((re, im)) => complex_edge(re.as_const()?, im.as_const()?),
                        None => Edge::Constant(v.as_const()?),
                    }
                }
            });
        }
        match out.len() {
            0 => Some(vec![Edge::None; rank]),
            1 => Some(vec![out[0]; rank]),
            n if n == rank => Some(out),
            n => {
                let span = edges.iter().map(ast::Edge::span).reduce(Span::to)?;
                self.fail_help(
                    "E0285",
                    format!("{n} edge rules for {}", counted(rank, "dimension")),
                    span,
                    format!("{n} rules"),
                    match n > rank {
                        true => format!("leave out {}, or write one rule for all", n - rank),
                        false => format!("write one rule for all, or {} more (`none` where no read leaves)", rank - n),
                    },
                )
            }
        }
    }

    /// Adds the arrays of a declaration to the program and returns their ids. Extents named in `from` declarations are
    /// bound by the caller.
    pub(super) fn declare_arrays(&mut self, decl: &ArrayDecl) -> Option<Vec<ArrayId>> {
        let proto = match &decl.body {
            ArrayBody::Like(name) => {
                let other = self.array_named(name)?;
                self.program.arrays[other.0 as usize].clone()
            }
            ArrayBody::Typed { ty, placement, edges, .. } => {
                let elem = self.elem_type(ty)?;
                let Some(dims) = &ty.shape else {
                    return self.fail_help(
                        "E0286",
                        "an array needs a shape",
                        ty.span,
                        "no extents",
                        format!("write `{}[n]`", ty.elem.name),
                    );
                };
                let shape = self.shape(dims, ty.span)?;
                let rank = shape.len();
                let placement = match placement {
                    Some(p) => self.placement(p, rank)?,
                    None => Placement::Divided { dists: vec![Dist::Block; rank], over: vec![] },
                };
                let edges = self.edges(edges, elem, rank)?;
                Array::of(String::new(), elem, shape, (placement, edges), decl.span)
            }
        };
        let mut ids = vec![];
        for n in &decl.names {
            ids.push(self.add_array(Array { name: n.name.clone(), span: n.span, temporary: false, ..proto.clone() }));
        }
        Some(ids)
    }

    pub(super) fn add_array(&mut self, a: Array) -> ArrayId {
        self.program.arrays.push(a);
        ArrayId(self.program.arrays.len() as u32 - 1)
    }

    /// The array that a name means.
    pub(super) fn array_named(&mut self, name: &ast::Ident) -> Option<ArrayId> {
        use super::env::Local;
        match self.env.find(&name.name).cloned() {
            Some(Local::Array(id)) => return Some(id),
            Some(Local::Broken) => return None,
            Some(Local::Unset(_)) => {
                return self.fail_help(
                    "E0223",
                    format!("`{}` is read before it is set", name.name),
                    name.span,
                    "read here",
                    format!("set it before: `{} = …`", name.name),
                );
            }
            Some(_) => {
                return self.fail_help(
                    "E0250",
                    format!("`{}` is not an array", name.name),
                    name.span,
                    "used as one",
                    format!("name an array, declared as in `array {}: f64[n]`", name.name),
                );
            }
            None => {}
        }
        match self.modules[self.module].globals.get(&name.name).map(|g| g.0.clone()) {
            Some(Global::Array(id)) => Some(id),
            Some(Global::Broken) => None,
            Some(_) => self.fail_help(
                "E0250",
                format!("`{}` is not an array", name.name),
                name.span,
                "used as one",
                format!("name an array, declared as in `array {}: f64[n]`", name.name),
            ),
            None => self.unknown(&name.name, name.span, "array"),
        }
    }

    /// A new scalar of the workflow; `name` is empty for one that the compiler made. A complex one is two, the first of which is
    /// given.
    pub(super) fn new_scalar(&mut self, name: &str, ty: Ty) -> crate::ir::kernel::ScalarId {
        let id = crate::ir::kernel::ScalarId(self.program.scalars.len() as u32);
        let complex = ty.is_complex();
        let scalar = Scalar { name: name.to_string(), ty: ty.part(), complex };
        if complex {
            self.program.scalars.push(scalar.clone());
        }
        self.program.scalars.push(Scalar { complex: false, ..scalar });
        id
    }

    /// The placement and edges of a temporary: those of the arrays with the same shape, if they agree.
    pub(super) fn temporary_like(&self, shape: &[i64], ty: Ty, among: &[ArrayId]) -> (Placement, Vec<Edge>) {
        let same: Vec<&Array> =
            among.iter().map(|a| &self.program.arrays[a.0 as usize]).filter(|a| a.extents() == shape).collect();
        let block = Placement::Divided { dists: vec![Dist::Block; shape.len()], over: vec![] };
        let none = vec![Edge::None; shape.len()];
        let Some(first) = same.first() else { return (block, none) };
        let laid: Vec<(Placement, Vec<Edge>)> = same.iter().map(|a| a.declared()).collect();
        let (placement, edges) = first.declared();
        let placement = if laid.iter().all(|l| l.0 == placement) { placement } else { block };
        let agree = laid.iter().all(|l| l.1 == edges);
        let edges = if agree { edges.into_iter().map(|e| edge_as(e, ty)).collect() } else { none };
        (placement, edges)
    }
}

/// The edge past which a complex number stands; of zero both parts are alike.
fn complex_edge(re: Value, im: Value) -> Edge {
    if re.bits == 0 && im.bits == 0 { Edge::Constant(re) } else { Edge::Complex(re, im) }
}

/// An edge rule for elements of another type.
fn edge_as(e: Edge, ty: Ty) -> Edge {
    match e {
        Edge::Constant(v) if ty.is_complex() => {
            complex_edge(crate::ir::fold::cast(v, ty.part()), Value::float(ty.part(), 0.0))
        }
        Edge::Complex(re, im) if ty.is_complex() => {
            let [re, im] = [re, im].map(|v| crate::ir::fold::cast(v, ty.part()));
            complex_edge(re, im)
        }
        Edge::Complex(..) => Edge::None,
        Edge::Constant(v) if v.ty != ty.part() => Edge::Constant(crate::ir::fold::cast(v, ty.part())),
        Edge::Odd if !ty.part().is_float() && !ty.is_signed() => Edge::None,
        e => e,
    }
}

/// What a parameter of a type may be set to.
pub(super) fn values(ty: Ty) -> String {
    match ty {
        Ty::Bool => "write `true` or `false`".into(),
        Ty::I32 => format!("write an integer from {} to {}", i32::MIN, i32::MAX),
        Ty::U32 => format!("write an integer from 0 to {}", u32::MAX),
        Ty::U64 => format!("write an integer from 0 to {}", u64::MAX),
        Ty::C64 | Ty::C128 => "write it as Python does: `1.5-2j`, `3`, `0.5j`".into(),
        Ty::F16 => "write a number up to 65504, such as `0.1` or `1e-3`, or `inf`".into(),
        Ty::Bf16 | Ty::F32 => "write a number up to 3.4e38, such as `0.1` or `1e-3`, or `inf`".into(),
        Ty::F64 => "write a number up to 1.8e308, such as `0.1` or `1e-3`, or `inf`".into(),
        _ => format!("write an integer from {} to {}", i64::MIN, i64::MAX),
    }
}

/// The value of a parameter written on the command line.
pub(super) fn parse_value(text: &str, ty: Ty) -> Option<Value> {
    let clean = text.trim().replace('_', "");
    match ty {
        Ty::Bool => clean.parse::<bool>().ok().map(Value::bool),
        ty if ty.is_float() => {
            let v = Value::float(ty, clean.parse().ok()?);
            // Infinity is written, never what a number too large becomes.
            (!v.as_f64().is_infinite() || !clean.contains(|c: char| c.is_ascii_digit())).then_some(v)
        }
        ty => {
            let v = clean.parse::<i128>().ok()?;
            (Value::int(ty, v).as_int() == Some(v)).then_some(Value::int(ty, v))
        }
    }
}
