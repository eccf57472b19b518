//! The text of programs.

use crate::model::*;
use mgpu::ir::ty::Ty;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const ITEM: &str = "    ";
/// The file of the module.
pub const MODULE: &str = "module.mgpu";

/// The name of the function that combines like a reduction.
fn function(op: Fold, ty: Ty) -> String {
    format!("by_{}_{ty}", format!("{op:?}").to_lowercase())
}

/// What that function begins with.
fn start(op: Fold, ty: Ty) -> String {
    match (op, ty) {
        (Fold::Any, _) => "false".into(),
        (Fold::All, _) => "true".into(),
        (Fold::Prod, _) => "1".into(),
        (Fold::Min, ty) if ty.is_float() => "inf".into(),
        (Fold::Max, ty) if ty.is_float() => "-inf".into(),
        (Fold::Min, Ty::I32) => i32::MAX.to_string(),
        (Fold::Min, Ty::I64) => i64::MAX.to_string(),
        (Fold::Min, Ty::U32) => u32::MAX.to_string(),
        (Fold::Min, Ty::U64) => u64::MAX.to_string(),
        (Fold::Max, Ty::I32) => format!("{} - 1", -i32::MAX),
        (Fold::Max, Ty::I64) => format!("{} - 1", -i64::MAX),
        _ => "0".into(),
    }
}

/// The declarations of the functions that a text uses.
fn functions(text: &str) -> String {
    let mut out = String::new();
    for op in FREE {
        for ty in Ty::ALL {
            let name = function(*op, ty);
            let value = match op {
                Fold::Sum => "a + b",
                Fold::Prod => "a * b",
                Fold::Min => "min(a, b)",
                Fold::Max => "max(a, b)",
                Fold::Any => "a or b",
                _ => "a and b",
            };
            if text.contains(&format!("({name},")) {
                let _ = writeln!(out, "fn {name}(a: {ty}, b: {ty}) -> {ty} = {value}");
            }
        }
    }
    out
}

impl Program {
    /// The program's text, and that of its module.
    pub fn text(&self) -> (String, String) {
        let (shared, names) = self.shared();
        let own = self.own();
        if self.module && !names.is_empty() {
            let head = format!("use \"{MODULE}\": {}\n{}", names.join(", "), functions(&own));
            return (head + &own, functions(&shared) + &shared);
        }
        let text = shared + &own;
        (functions(&text) + &text, String::new())
    }

    /// Leaves `SEED.mgpu` in a folder, and its module beside it in the way of the suite.
    pub fn write(&self, folder: &Path, seed: u64) {
        let (text, module) = self.text();
        std::fs::write(folder.join(format!("{seed}.mgpu")), text).unwrap();
        if !module.is_empty() {
            std::fs::write(folder.join(format!("{seed}.in.{MODULE}")), module).unwrap();
        }
    }

    /// Both in one, to be read.
    pub fn whole_text(&self) -> String {
        let (text, module) = self.text();
        if module.is_empty() { text } else { format!("{text}--- {MODULE}\n{module}") }
    }

    /// What may stand in a module, and the names of it.
    fn shared(&self) -> (String, Vec<String>) {
        let (mut out, mut names) = (String::new(), vec![]);
        names.extend(self.tables.iter().map(|t| t.name.clone()));
        names.extend((0..self.functions.len()).map(|k| format!("f{k}")));
        names.extend(self.kernels.iter().map(|k| k.name.clone()));
        names.extend((0..self.totals.len()).map(|k| format!("h{k}")));
        names.extend((0..self.losses.len()).map(|k| format!("g{k}")));
        for t in &self.tables {
            let _ = writeln!(out, "let {} = {}", t.name, rows(&t.shape, &t.values));
        }
        for (k, f) in self.functions.iter().enumerate() {
            let name = format!("f{k}");
            let seen = self.seen(&name, k, f.params[0].1);
            let params: Vec<String> = f.params.iter().map(|(n, t)| format!("{n}: {}", seen(*t))).collect();
            let _ = writeln!(out, "fn f{k}({}) -> {} = {}", params.join(", "), seen(f.value.ty()), expr(&f.value));
        }
        for (number, k) in self.kernels.iter().enumerate() {
            let seen = self.seen(&k.name, number, k.params.first().map_or(Ty::Bool, |p| p.ty));
            let port = |p: &Port| format!("{}: {}[{}]", p.name, seen(p.ty), p.extents.join(", "));
            let mut params: Vec<String> = k.params.iter().map(port).collect();
            params.extend(k.scalars.iter().map(|(n, t)| format!("{n}: {}", seen(*t))));
            let results: Vec<String> = k.results.iter().map(port).collect();
            let _ = writeln!(out, "kernel {}({}) -> {} {{", k.name, params.join(", "), results.join(", "));
            for (place, e) in k.body.iter().enumerate() {
                k.locals
                    .iter()
                    .filter(|l| l.0 == place)
                    .for_each(|l| out += &format!("{ITEM}{}\n", intermediate(&l.1)));
                // An equation without operator is the second half of an `otherwise`, for the reference only.
                if !e.op.is_empty() {
                    out += &format!("{ITEM}{}\n", equation(e));
                }
            }
            out += "}\n";
        }
        for (k, h) in self.totals.iter().enumerate() {
            let params: Vec<String> = h.params.iter().map(port).collect();
            let _ = writeln!(out, "kernel h{k}({}) -> {} = {}", params.join(", "), h.value.ty(), expr(&h.value));
        }
        for (k, g) in self.losses.iter().enumerate() {
            let params: Vec<String> = g.params.iter().map(port).collect();
            let axes: Vec<String> = g.axes.iter().map(range).collect();
            let _ = writeln!(
                out,
                "kernel g{k}({}) -> f64 = sum[{}] ({})",
                params.join(", "),
                axes.join(", "),
                expr(&g.term)
            );
        }
        (out, names)
    }

    /// The name of a type in the declaration with this number: a variable where it is that of the first argument. What nobody calls is
    /// checked with types of its own.
    fn seen(&self, name: &str, number: usize, first: Ty) -> impl Fn(Ty) -> String {
        let wanted = self.generic > 0 && number.is_multiple_of(self.generic) && first != Ty::Bool;
        let generic = wanted && self.called().contains(name);
        move |ty: Ty| if generic && ty == first { "T".to_string() } else { ty.to_string() }
    }

    /// The functions and kernels that the program's own statements call, and those that these do.
    fn called(&self) -> BTreeSet<String> {
        let plain = Program { generic: 0, module: false, ..self.clone() };
        let (mut text, mut out) = (plain.own(), BTreeSet::new());
        let lines = plain.shared().0;
        let bodies: Vec<(String, &str)> = ["fn ", "kernel "]
            .iter()
            .flat_map(|word| {
                lines
                    .match_indices(word)
                    .filter(|(at, _)| *at == 0 || lines.as_bytes()[at - 1] == b'\n')
                    .map(|(at, _)| at + word.len())
            })
            .map(|at| (lines[at..].split('(').next().unwrap_or_default().to_string(), &lines[at..]))
            .collect();
        loop {
            let found = bodies.iter().find(|(name, _)| !out.contains(name) && text.contains(&format!("{name}(")));
            let Some((name, rest)) = found else { return out };
            let end = ["\nfn ", "\nkernel "].iter().filter_map(|w| rest.find(w)).min().unwrap_or(rest.len());
            text += &rest[name.len() + 1..end];
            out.insert(name.clone());
        }
    }

    /// Whether a kernel's results follow from its first array, so that a workflow may be handed it.
    pub fn may_be_handed(&self, kernel: usize) -> bool {
        let k = &self.kernels[kernel];
        let Some(first) = k.params.first() else { return false };
        k.results.len() == 1 && k.results[0].extents.iter().all(|n| first.extents.contains(n))
    }

    /// What stands in the program's own file.
    fn own(&self) -> String {
        let mut out = String::new();
        self.arrays.iter().chain(&self.complex).for_each(|a| out += &format!("{}\n", array(a)));
        for w in &self.workflows {
            let _ = writeln!(out, "workflow {}({}) -> {} {{", w.name, port(&w.param), port(&w.result));
            self.stmts(&w.body, 1, &mut out);
            out += "}\n";
        }
        let mut main = "workflow main {\n".to_string();
        self.stmts(&self.body, 1, &mut main);
        for (k, kernel) in self.kernels.iter().enumerate() {
            if main.contains(&format!("= with{k}(")) {
                let (from, to) = (port(&kernel.params[0]), Port { name: "x".into(), ..kernel.results[0].clone() });
                let from = from.replacen(&kernel.params[0].name, "a", 1);
                let _ = writeln!(out, "workflow with{k}(op: kernel, {from}) -> {} {{ x = op(a) }}", port(&to));
            }
        }
        out += &main;
        for a in &self.arrays {
            let _ = writeln!(out, "{ITEM}print \"{} {{{}}}\"", a.name, a.name);
        }
        out + "}\n"
    }
}

fn rows(shape: &[i64], values: &[i64]) -> String {
    let Some((_, inner)) = shape.split_first() else { return values[0].to_string() };
    let each = values.chunks(inner.iter().product::<i64>() as usize).map(|v| rows(inner, v));
    format!("[{}]", each.collect::<Vec<_>>().join(", "))
}

fn array(a: &Array) -> String {
    let shape: Vec<String> = a.shape.iter().map(|n| n.to_string()).collect();
    let edges: Vec<String> = a.edges.iter().map(|e| edge(*e, a.ty)).collect();
    format!("array {}: {}[{}] {} edge ({})", a.name, a.ty, shape.join(", "), a.placement, edges.join(", "))
}

fn intermediate(l: &Intermediate) -> String {
    let at = if l.indices.is_empty() { String::new() } else { format!("[{}]", l.indices.join(", ")) };
    format!("let {}{at} = {}", l.name, expr(&l.value))
}

/// The word of a reduction.
fn word(op: Fold) -> String {
    if op == Fold::Once { "sum".into() } else { format!("{op:?}").to_lowercase() }
}

fn list(of: &[Expr]) -> String {
    of.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn edge(e: Edge, ty: Ty) -> String {
    match e {
        Edge::None => "none".into(),
        Edge::Clamp => "clamp".into(),
        Edge::Periodic => "periodic".into(),
        Edge::Mirror => "mirror".into(),
        Edge::Odd => "odd".into(),
        Edge::Constant(v) if ty == Ty::Bool => format!("constant({})", v != 0),
        Edge::Constant(v) => format!("constant({v})"),
    }
}

fn port(p: &Port) -> String {
    format!("{}: {}[{}]", p.name, p.ty, p.extents.join(", "))
}

fn range(a: &Axis) -> String {
    let lo = a.lo.to_string();
    let hi = a.upto.clone().unwrap_or(a.hi.to_string());
    if let Some(ends) = &a.ends {
        return format!("{} in {}..{}", a.name, expr(&ends.0), expr(&ends.1));
    }
    let by = if a.by == 1 { String::new() } else { format!(" by {}", a.by) };
    format!("{} in {lo}..{hi}{by}", a.name)
}

fn equation(e: &Equation) -> String {
    let clause = match (e.otherwise, e.clause) {
        (true, _) => " otherwise".to_string(),
        (_, true) => ranges(&e.axes),
        _ => String::new(),
    };
    format!("{} {} {}{clause}", place(&e.target, &e.left), e.op, expr(&e.value))
}

fn place(target: &str, at: &[Left]) -> String {
    format!("{target}[{}]", at.iter().map(left).collect::<Vec<_>>().join(", "))
}

fn ranges(axes: &[Axis]) -> String {
    if axes.is_empty() {
        return String::new();
    }
    format!(" for {}", axes.iter().map(range).collect::<Vec<_>>().join(", "))
}

fn complex(z: &Complex) -> String {
    match z {
        Complex::Read(a, subs) => format!("{a}[{}]", subs.iter().map(sub).collect::<Vec<_>>().join(", ")),
        Complex::Make(re, im) => format!("complex({}, {})", expr(re), expr(im)),
        Complex::Bin(op, a, b) => format!("({} {op} {})", complex(a), complex(b)),
        Complex::Scale(op, a, x) => format!("({} {op} {})", complex(a), expr(x)),
        Complex::Turned(op, a) => format!("({op}({}))", complex(a)),
        Complex::If(c, a, b) => format!("(if {} {{ {} }} else {{ {} }})", expr(c), complex(a), complex(b)),
        Complex::Sum(axis, re, im) => format!("(sum[{}] complex({}, {}))", range(axis), expr(re), expr(im)),
    }
}

fn left(l: &Left) -> String {
    match l {
        Left::At(k) => k.to_string(),
        Left::Value(e, 0) => expr(e),
        Left::Value(e, m) => format!("{} mod {m}", expr(e)),
        Left::Index(n, 1, 0) => n.clone(),
        Left::Index(n, 1, k) if *k < 0 => format!("{n} - {}", -k),
        Left::Index(n, 1, k) => format!("{n} + {k}"),
        Left::Index(n, c, k) => format!("{c} * {n} + {k}"),
    }
}

fn sub(s: &Sub) -> String {
    let mut out = String::new();
    if let Some((n, rest)) = &s.half {
        out = format!("{n} {} 2", if *rest { "mod" } else { "div" });
    }
    if let Some((e, m)) = &s.value {
        out = if *m == 0 { expr(e) } else { format!("{} mod {m}", expr(e)) };
    }
    for (n, c) in &s.terms {
        match (out.is_empty(), *c) {
            (true, 1) => out += n,
            (true, c) => out += &format!("{c} * {n}"),
            (false, c) if c < 0 => out += &format!(" - {} * {n}", -c),
            (false, 1) => out += &format!(" + {n}"),
            (false, c) => out += &format!(" + {c} * {n}"),
        }
    }
    match (out.is_empty(), s.konst) {
        (true, k) => k.to_string(),
        (_, 0) => out,
        (_, k) if k < 0 => format!("{out} - {}", -k),
        (_, k) => format!("{out} + {k}"),
    }
}

/// Every expression is written so that it stands anywhere.
pub fn expr(e: &Expr) -> String {
    match e {
        Expr::Lit(Ty::Bool, v) => (*v != 0).to_string(),
        Expr::Lit(ty, v) => format!("{ty}({v})"),
        Expr::Plain(v) => v.to_string(),
        Expr::Floor(_, a) => format!("floor({})", expr(a)),
        Expr::Index(Ty::I64, n) => n.clone(),
        Expr::Index(ty, n) => format!("{ty}({n})"),
        Expr::Scalar(_, n) => n.clone(),
        Expr::Local(_, name, subs) if subs.is_empty() => name.clone(),
        Expr::Read(_, a, subs) | Expr::Local(_, a, subs) => {
            format!("{a}[{}]", subs.iter().map(sub).collect::<Vec<_>>().join(", "))
        }
        Expr::Built(_, f, args) => format!("{f}({})", list(args)),
        Expr::Power(_, a, k) => format!("({}^{k})", expr(a)),
        Expr::Apply(_, k, args) => format!("f{k}({})", list(args)),
        Expr::Part(_, im, z) => format!("{}({})", if *im { "im" } else { "re" }, complex(z)),
        Expr::Total(_, k, arrays) => format!("h{k}({})", arrays.join(", ")),
        Expr::Bin(_, op, a, b) => format!("({} {op} {})", expr(a), expr(b)),
        Expr::Call(_, f, a, b) => format!("{f}({}, {})", expr(a), expr(b)),
        Expr::Neg(_, a) => format!("(-{})", expr(a)),
        Expr::Not(a) => format!("(not {})", expr(a)),
        Expr::If(_, c, a, b) => format!("(if {} {{ {} }} else {{ {} }})", expr(c), expr(a), expr(b)),
        Expr::Cast(ty, a) => format!("{ty}({})", expr(a)),
        Expr::Fold(_, op, axes, term) => {
            let axes: Vec<String> = axes.iter().map(range).collect();
            format!("({}[{}] ({}))", word(*op), axes.join(", "), expr(term))
        }
        Expr::By(inner) => match &**inner {
            Expr::Fold(ty, op, axes, term) => {
                let axes = axes.iter().map(range).collect::<Vec<_>>().join(", ");
                format!("(reduce({}, {})[{axes}] ({}))", function(*op, *ty), start(*op, *ty), expr(term))
            }
            Expr::Scan(ty, (op, exclusive), index, _, term) => {
                let kind = if *exclusive { ", exclusive" } else { "" };
                format!("(scan({}, {}{kind})[{index}] ({}))", function(*op, *ty), start(*op, *ty), expr(term))
            }
            e => expr(e),
        },
        Expr::Scan(_, (op, exclusive), index, _, term) => {
            let op = match op {
                Fold::Sum => "+".to_string(),
                Fold::Prod => "*".to_string(),
                op => format!("{op:?}").to_lowercase(),
            };
            let kind = if *exclusive { ", exclusive" } else { "" };
            format!("(scan({op}{kind})[{index}] ({}))", expr(term))
        }
        Expr::Loop { var, first, axis, inner, stop, step, beside, .. } => {
            let stop = stop.as_ref().map_or(String::new(), |s| format!("if {} {{ break }}; ", expr(s)));
            let mut step = format!("{var} = {}", expr(step));
            if let Some(inner) = inner {
                step = format!("for {} {{ {step} }}", range(inner));
            }
            let (mut more, mut value) = (String::new(), var.clone());
            if let Some(b) = beside {
                let other = format!("{} = {}", b.var, expr(&b.step));
                step = if b.ahead { format!("{other}; {step}") } else { format!("{step}; {other}") };
                more = format!("var {} = {}; ", b.var, expr(&b.first));
                value = format!("{var} + {}", b.var);
            }
            format!("{{ var {var} = {}; {more}for {} {{ {stop}{step} }}; {value} }}", expr(first), range(axis))
        }
    }
}

impl Program {
    fn stmts(&self, list: &[Stmt], depth: usize, out: &mut String) {
        for s in list {
            let pad = ITEM.repeat(depth);
            let _ = match s {
                Stmt::Equation(e) => writeln!(out, "{pad}{}", equation(e)),
                Stmt::OfComplex { target, left, op, value, axes, clause } => {
                    let clause = if *clause { ranges(axes) } else { String::new() };
                    writeln!(out, "{pad}{} {op} {}{clause}", place(target, left), complex(value))
                }
                Stmt::Grad { loss, target, arrays, wrt, rank } => {
                    let _ = writeln!(out, "{pad}{target} = grad g{loss}({}) for p{wrt}", arrays.join(", "));
                    let all: Vec<&str> = ["i", "j", "k", "l", "h"].into_iter().take(*rank).collect();
                    writeln!(out, "{pad}{target}[{}] += 0", all.join(", "))
                }
                Stmt::Copy(to, from, None) => writeln!(out, "{pad}{to} = {from}"),
                Stmt::Copy(to, from, Some(k)) => {
                    writeln!(out, "{pad}save {from} to \"file{k}.npy\"\n{pad}load {to} from \"file{k}.npy\"")
                }
                Stmt::Keep(name, array) => writeln!(out, "{pad}let {name} = {array}"),
                Stmt::Call { kernel, targets, arrays, scalars, handed } if *handed && self.may_be_handed(*kernel) => {
                    let rest: Vec<String> = arrays[1..].iter().cloned().chain(scalars.iter().map(expr)).collect();
                    let args = [vec!["_".to_string()], rest].concat().join(", ");
                    writeln!(out, "{pad}{} = with{kernel}(k{kernel}({args}), {})", targets[0], arrays[0])
                }
                Stmt::Call { kernel, targets, arrays, scalars, .. } => {
                    let args: Vec<String> = arrays.iter().cloned().chain(scalars.iter().map(expr)).collect();
                    writeln!(out, "{pad}{} = k{kernel}({})", targets.join(", "), args.join(", "))
                }
                Stmt::CallWorkflow { workflow, target, array } => writeln!(out, "{pad}{target} = w{workflow}({array})"),
                Stmt::Scalar { name, new, value, .. } => {
                    writeln!(out, "{pad}{}{name} = {}", if *new { "var " } else { "" }, expr(value))
                }
                Stmt::For { index, lo, hi, by, body } => {
                    let by = if *by == 1 { String::new() } else { format!(" by {by}") };
                    let _ = writeln!(out, "{pad}for {index} in {lo}..{hi}{by} {{");
                    self.stmts(body, depth + 1, out);
                    writeln!(out, "{pad}}}")
                }
                Stmt::While { counter, rounds, body } => {
                    let _ = writeln!(out, "{pad}var {counter} = 0");
                    let _ = writeln!(out, "{pad}while {counter} < {rounds} {{\n{pad}{ITEM}{counter} += 1");
                    self.stmts(body, depth + 1, out);
                    writeln!(out, "{pad}}}")
                }
                Stmt::If { cond, then, otherwise } => {
                    let _ = writeln!(out, "{pad}if {} {{", expr(cond));
                    self.stmts(then, depth + 1, out);
                    if !otherwise.is_empty() {
                        let _ = writeln!(out, "{pad}}} else {{");
                        self.stmts(otherwise, depth + 1, out);
                    }
                    writeln!(out, "{pad}}}")
                }
                Stmt::Declare(a) => writeln!(out, "{pad}{}", array(a)),
                Stmt::Places { names, op, axes, term } => {
                    let axes: Vec<String> = axes.iter().map(range).collect();
                    writeln!(out, "{pad}let {} = {}[{}] ({})", names.join(", "), word(*op), axes.join(", "), expr(term))
                }
                Stmt::BreakIf(c) => writeln!(out, "{pad}if {} {{ break }}", expr(c)),
                Stmt::Print(list) => {
                    let holes: Vec<String> = list.iter().map(|e| format!("{{{}}}", expr(e))).collect();
                    writeln!(out, "{pad}print \"{}\"", holes.join(" "))
                }
                Stmt::PrintArray(a) => writeln!(out, "{pad}print \"{{{a}}}\""),
            };
        }
    }
}
