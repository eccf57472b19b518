//! Shrinks a failing program: drops statements, arrays' uses and parts of expressions while the failure stays.

use crate::model::*;
use crate::text::expr;
use crate::{Kind, examine};

/// The smallest program found that fails in the same way.
pub fn minimise(mut p: Program, kind: Kind, native: bool, ranks: &'static [i64]) -> Program {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let still = |p: &Program| {
        // A shrunk program may use what is gone; then even the reference cannot run it.
        std::panic::catch_unwind(|| examine(p, native, ranks)).is_ok_and(|r| r.is_err_and(|e| e.0 == kind))
    };
    let mut tries = 0;
    loop {
        let mut smaller = None;
        for q in candidates(&p) {
            tries += 1;
            if tries > 4000 {
                break;
            }
            if still(&q) {
                smaller = Some(q);
                break;
            }
        }
        match smaller {
            Some(q) => p = q,
            None => break,
        }
    }
    std::panic::set_hook(hook);
    p
}

/// Programs that are one step smaller, the boldest first.
fn candidates(p: &Program) -> Vec<Program> {
    let mut out = vec![];
    for body in fewer(&p.body) {
        out.push(Program { body, ..p.clone() });
    }
    for k in 0..p.arrays.len() {
        let mut q = p.clone();
        q.arrays.remove(k);
        out.push(q);
    }
    for k in 0..p.kernels.len() {
        for e in 0..p.kernels[k].body.len() {
            for value in simpler(&p.kernels[k].body[e].value) {
                let mut q = p.clone();
                // Both halves of an `otherwise` have one value.
                let text = expr(&p.kernels[k].body[e].value);
                q.kernels[k].body.iter_mut().filter(|o| expr(&o.value) == text).for_each(|o| o.value = value.clone());
                out.push(q);
            }
        }
    }
    for k in 0..p.kernels.len() {
        for l in 0..p.kernels[k].locals.len() {
            let mut q = p.clone();
            q.kernels[k].locals.remove(l);
            out.push(q);
            for value in simpler(&p.kernels[k].locals[l].1.value) {
                let mut q = p.clone();
                q.kernels[k].locals[l].1.value = value;
                out.push(q);
            }
        }
    }
    for k in 0..p.functions.len() {
        for value in simpler(&p.functions[k].value) {
            let mut q = p.clone();
            q.functions[k].value = value;
            out.push(q);
        }
    }
    for k in 0..p.totals.len() {
        for value in simpler(&p.totals[k].value) {
            let mut q = p.clone();
            q.totals[k].value = value;
            out.push(q);
        }
    }
    for k in 0..p.workflows.len() {
        for body in fewer(&p.workflows[k].body) {
            let mut q = p.clone();
            q.workflows[k].body = body;
            out.push(q);
        }
    }
    for k in 0..p.arrays.len() {
        if !p.arrays[k].placement.starts_with("aligned")
            && p.arrays[k].placement != "in (block)"
            && p.arrays[k].shape.len() == 1
        {
            let mut q = p.clone();
            q.arrays[k].placement = "in (block)".into();
            out.push(q);
        }
    }
    out
}

/// Lists of statements that are one step smaller.
fn fewer(list: &[Stmt]) -> Vec<Vec<Stmt>> {
    let mut out = vec![];
    for k in 0..list.len() {
        let mut q = list.to_vec();
        q.remove(k);
        out.push(q);
    }
    for k in 0..list.len() {
        let with = |s: Stmt| {
            let mut q = list.to_vec();
            q[k] = s;
            q
        };
        match &list[k] {
            Stmt::For { index, lo, hi, by, body } => {
                out.extend(
                    fewer(body)
                        .into_iter()
                        .map(|body| with(Stmt::For { index: index.clone(), lo: *lo, hi: *hi, by: *by, body })),
                );
                if *hi > lo + 1 {
                    out.push(with(Stmt::For {
                        index: index.clone(),
                        lo: *lo,
                        hi: hi - 1,
                        by: *by,
                        body: body.clone(),
                    }));
                }
            }
            Stmt::While { counter, rounds, body } => {
                out.extend(
                    fewer(body)
                        .into_iter()
                        .map(|body| with(Stmt::While { counter: counter.clone(), rounds: *rounds, body })),
                );
            }
            Stmt::If { cond, then, otherwise } => {
                for b in [then, otherwise] {
                    let mut q = list.to_vec();
                    q.splice(k..k + 1, b.clone());
                    out.push(q);
                }
                out.extend(
                    fewer(then)
                        .into_iter()
                        .map(|then| with(Stmt::If { cond: cond.clone(), then, otherwise: otherwise.clone() })),
                );
                out.extend(
                    simpler(cond)
                        .into_iter()
                        .map(|cond| with(Stmt::If { cond, then: then.clone(), otherwise: otherwise.clone() })),
                );
            }
            Stmt::Equation(e) => out.extend(
                simpler(&e.value).into_iter().map(|value| with(Stmt::Equation(Equation { value, ..e.clone() }))),
            ),
            Stmt::Scalar { name, ty, new, value } => out.extend(
                simpler(value)
                    .into_iter()
                    .map(|value| with(Stmt::Scalar { name: name.clone(), ty: *ty, new: *new, value })),
            ),
            Stmt::BreakIf(c) => out.extend(simpler(c).into_iter().map(|c| with(Stmt::BreakIf(c)))),
            Stmt::Print(parts) => {
                for j in 0..parts.len() {
                    if parts.len() > 1 {
                        let mut q = parts.clone();
                        q.remove(j);
                        out.push(with(Stmt::Print(q)));
                    }
                    for e in simpler(&parts[j]) {
                        let mut q = parts.clone();
                        q[j] = e;
                        out.push(with(Stmt::Print(q)));
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// Expressions of the same type that are one step smaller.
fn simpler(e: &Expr) -> Vec<Expr> {
    let mut out = vec![];
    let ty = e.ty();
    if !matches!(e, Expr::Lit(..) | Expr::Plain(_)) {
        out.push(Expr::Lit(ty, 1));
    }
    let parts: Vec<Expr> = children(e).into_iter().cloned().collect();
    out.extend(parts.iter().filter(|c| c.ty() == ty).cloned());
    for (k, c) in parts.iter().enumerate() {
        for s in simpler(c) {
            let mut q = e.clone();
            *children_mut(&mut q)[k] = s;
            out.push(q);
        }
    }
    if let Expr::Read(t, a, subs) = e {
        for (d, s) in subs.iter().enumerate() {
            if s.konst != 0 {
                let mut q = subs.clone();
                q[d].konst -= s.konst.signum();
                out.push(Expr::Read(*t, a.clone(), q));
            }
        }
    }
    out
}

fn children(e: &Expr) -> Vec<&Expr> {
    match e {
        Expr::Bin(_, _, a, b) | Expr::Call(_, _, a, b) => vec![a, b],
        Expr::Neg(_, a)
        | Expr::Not(a)
        | Expr::Cast(_, a)
        | Expr::Floor(_, a)
        | Expr::Fold(_, _, _, a)
        | Expr::Scan(_, _, _, _, a)
        | Expr::Power(_, a, _)
        | Expr::By(a) => {
            vec![a]
        }
        Expr::Built(_, _, args) | Expr::Apply(_, _, args) => args.iter().collect(),
        Expr::If(_, a, b, c) => vec![a, b, c],
        Expr::Loop { first, stop, step, beside, .. } => {
            let one = [Some(first), stop.as_ref(), Some(step)].into_iter().flatten().map(|b| &**b);
            one.chain(beside.iter().flat_map(|b| [&b.first, &b.step])).collect()
        }
        _ => vec![],
    }
}

fn children_mut(e: &mut Expr) -> Vec<&mut Expr> {
    match e {
        Expr::Bin(_, _, a, b) | Expr::Call(_, _, a, b) => vec![a, b],
        Expr::Neg(_, a)
        | Expr::Not(a)
        | Expr::Cast(_, a)
        | Expr::Floor(_, a)
        | Expr::Fold(_, _, _, a)
        | Expr::Scan(_, _, _, _, a)
        | Expr::Power(_, a, _)
        | Expr::By(a) => {
            vec![a]
        }
        Expr::Built(_, _, args) | Expr::Apply(_, _, args) => args.iter_mut().collect(),
        Expr::If(_, a, b, c) => vec![a, b, c],
        Expr::Loop { first, stop, step, beside, .. } => {
            let one = [Some(first), stop.as_mut(), Some(step)].into_iter().flatten().map(|b| &mut **b);
            one.chain(beside.iter_mut().flat_map(|b| {
                let b = &mut **b;
                [&mut b.first, &mut b.step]
            }))
            .collect()
        }
        _ => vec![],
    }
}
