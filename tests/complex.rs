//! Complex numbers against the same programs written with two real arrays each: random expressions give the same bits, in
//! arrays, loops inside elements and sums, past edges, on one rank and on three.

mod support;

use std::collections::BTreeMap;
use support::run;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

/// A real expression, with its value where it is made of literals.
#[derive(Clone)]
struct Part {
    text: String,
    value: Option<f64>,
}

/// An expression as it is written with complex numbers, and its parts as they are written with real ones.
#[derive(Clone)]
struct Both {
    text: String,
    re: Part,
    im: Part,
}

fn literal(x: f64) -> Part {
    Part { text: format!("({x:?})"), value: Some(x) }
}

fn op(a: &Part, name: &str, b: &Part) -> Part {
    let value = a.value.zip(b.value).map(|(x, y)| match name {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        _ => x / y,
    });
    Part { text: format!("({} {name} {})", a.text, b.text), value }
}

fn neg(a: &Part) -> Part {
    Part { text: format!("(-{})", a.text), value: a.value.map(|x| -x) }
}

/// Whether an imaginary part is that of a real number.
fn none(p: &Part) -> bool {
    p.value.is_some_and(|v| v.to_bits() == 0)
}

fn both(text: String, re: Part, im: Part) -> Both {
    Both { text, re, im }
}

fn times(a: &Both, b: &Both) -> Both {
    let text = format!("({} * {})", a.text, b.text);
    if none(&b.im) {
        return both(text, op(&a.re, "*", &b.re), op(&a.im, "*", &b.re));
    }
    if none(&a.im) {
        return both(text, op(&b.re, "*", &a.re), op(&b.im, "*", &a.re));
    }
    let re = op(&op(&a.re, "*", &b.re), "-", &op(&a.im, "*", &b.im));
    both(text, re, op(&op(&a.re, "*", &b.im), "+", &op(&a.im, "*", &b.re)))
}

/// The parts of Smith's quotient.
const QUOTIENT: &str = "
fn over_re(a: f64, b: f64, c: f64, d: f64) -> f64 {
    let r = if abs(c) >= abs(d) { ratio(d, c) } else { ratio(c, d) }
    if abs(c) >= abs(d) { (a + b * r) * (1 / (c + d * r)) } else { (b + a * r) * (1 / (d + c * r)) }
}
fn over_im(a: f64, b: f64, c: f64, d: f64) -> f64 {
    let r = if abs(c) >= abs(d) { ratio(d, c) } else { ratio(c, d) }
    if abs(c) >= abs(d) { (b - a * r) * (1 / (c + d * r)) } else { (b * r - a) * (1 / (d + c * r)) }
}
fn ratio(a: f64, b: f64) -> f64 = if b == 0 { 0.0 } else { a / b }
";

/// A quotient of numbers that are not all literals.
fn over(a: &Both, b: &Both) -> Both {
    let text = format!("({} / {})", a.text, b.text);
    if none(&b.im) {
        return both(text, op(&a.re, "/", &b.re), op(&a.im, "/", &b.re));
    }
    let parts = [&a.re, &a.im, &b.re, &b.im].map(|p| p.text.as_str()).join(", ");
    let [re, im] = ["re", "im"].map(|part| format!("over_{part}({parts})"));
    both(text, Part { text: re, value: None }, Part { text: im, value: None })
}

impl Random {
    fn number(&mut self) -> f64 {
        (self.below(30) as f64 - 14.5) / 4.0
    }

    /// An expression of arrays `z0 … z2` and `x`, at points where `index` may lead past the ends.
    fn expr(&mut self, depth: usize, index: &str) -> Both {
        if depth == 0 || self.below(8) == 0 {
            return match self.below(6) {
                0 => {
                    let (a, b) = (literal(self.number()), literal(self.number()));
                    both(format!("complex({}, {})", a.text, b.text), a, b)
                }
                1 => {
                    let a = literal(self.number());
                    both(a.text.clone(), a, literal(0.0))
                }
                2 => both(format!("x[{index}]"), Part { text: format!("x[{index}]"), value: None }, literal(0.0)),
                _ => {
                    let (k, by) = (self.below(3), self.below(7) as i64 - 3);
                    let at = format!("[{index} + {by}]");
                    let part = |name: &str| Part { text: format!("{name}{k}{at}"), value: None };
                    both(format!("z{k}{at}"), part("re"), part("im"))
                }
            };
        }
        let a = self.expr(depth - 1, index);
        let mut b = self.expr(depth - 1, index);
        // At least one complex number that is not a literal: real ones have operations of their own.
        if none(&a.im) && none(&b.im) || a.re.value.is_some() && b.re.value.is_some() {
            let part = |name: &str| Part { text: format!("{name}1[{index}]"), value: None };
            b = both(format!("z1[{index}]"), part("re"), part("im"));
        }
        let join = |name: &str| {
            both(format!("({} {name} {})", a.text, b.text), op(&a.re, name, &b.re), op(&a.im, name, &b.im))
        };
        match self.below(8) {
            0 | 1 => join("+"),
            2 => join("-"),
            3 | 4 => times(&a, &b),
            5 => over(&a, &b),
            6 => {
                let whole = times(&a, &b);
                both(format!("conj({})", whole.text), whole.re, neg(&whole.im))
            }
            _ => {
                let cond = format!("x[{index}] > {:?}", self.number());
                let choice = |a: &str, b: &str| format!("(if {cond} {{ {a} }} else {{ {b} }})");
                let part = |a: &Part, b: &Part| Part { text: choice(&a.text, &b.text), value: None };
                both(choice(&a.text, &b.text), part(&a.re, &b.re), part(&a.im, &b.im))
            }
        }
    }
}

const EDGES: [&str; 5] = ["clamp", "periodic", "mirror", "odd", "constant(0)"];

/// The program with complex numbers and the one with real ones.
fn programs(r: &mut Random) -> (String, String) {
    let n = 3 + r.below(30);
    let edge = EDGES[r.below(5) as usize];
    let placement = ["in (block)", "in replicated"][(r.below(5) == 0) as usize];
    let rest = format!("{placement} edge {edge}");
    let mut one = format!("array z0, z1, z2: c128[{n}] {rest}\narray t: c128[4]\narray x: f64[{n}] {rest}\n");
    let mut two = format!(
        "array re0, re1, re2, im0, im1, im2: f64[{n}] {rest}\narray tre, tim: f64[4]\narray x: f64[{n}] {rest}\n"
    );
    let (mut a, mut b) = (String::new(), String::new());
    a += "    x[i] = f64(i * 7 mod 5) / 2 - 1\n";
    b += "    x[i] = f64(i * 7 mod 5) / 2 - 1\n";
    for k in 0..3 {
        let (p, q) = (1 + r.below(9), 1 + r.below(9));
        a += &format!("    z{k}[i] = complex(f64(i * {p} mod 11) / 4 - 1.25, f64(i * {q} mod 7) / 8 - 0.375)\n");
        b += &format!("    re{k}[i] = f64(i * {p} mod 11) / 4 - 1.25\n    im{k}[i] = f64(i * {q} mod 7) / 8 - 0.375\n");
    }
    for _ in 0..3 {
        let (k, e) = (r.below(3), r.expr(3, "i"));
        a += &format!("    z{k}[i] = {}\n", e.text);
        // Both sides are read before either is written.
        b += &format!("    let kept_re = re{k}\n    let kept_im = im{k}\n");
        let old = |text: &str| text.replace(&format!("re{k}["), "kept_re[").replace(&format!("im{k}["), "kept_im[");
        b += &format!("    re{k}[i] = {}\n    im{k}[i] = {}\n", old(&e.re.text), old(&e.im.text));
    }
    for at in 0..2 {
        let e = r.expr(2, "i");
        a += &format!("    t[{at}] = sum[i in 0..{n}] {}\n", e.text);
        b += &format!(
            "    tre[{at}] = sum[i in 0..{n}] {}\n    tim[{at}] = sum[i in 0..{n}] {}\n",
            e.re.text, e.im.text
        );
    }
    let saved =
        |names: &str| -> String { names.split(' ').map(|n| format!("    save {n} to \"{n}.npy\"\n")).collect() };
    one += &format!("workflow main {{\n{a}{}}}\n", saved("z0 z1 z2 t"));
    two += QUOTIENT;
    two += &format!("workflow main {{\n{b}{}}}\n", saved("re0 re1 re2 im0 im1 im2 tre tim"));
    (one, two)
}

fn files(program: &str, ranks: u64) -> BTreeMap<String, Vec<f64>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.mgpu");
    std::fs::write(&file, program).unwrap();
    let path = file.display().to_string();
    let args = ["run", &path, "-q", "--executor", "vm", "-n", &ranks.to_string()].map(String::from);
    let got = run(&args, dir.path());
    assert_eq!(got.exit, 0, "{program}\n{}", got.err);
    let numbers = |data: &[u8]| {
        let head = u16::from_le_bytes([data[8], data[9]]) as usize + 10;
        data[head..].chunks(8).map(|c| f64::from_le_bytes(c.try_into().unwrap())).collect()
    };
    let arrays = got.files.iter().filter(|f| f.0.ends_with(".npy"));
    arrays.map(|(name, data)| (name.trim_end_matches(".npy").to_string(), numbers(data))).collect()
}

#[test]
fn complex_programs_do_what_real_ones_do() {
    for seed in 1..=60 {
        let mut r = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1);
        let (one, two) = programs(&mut r);
        let wanted = files(&two, 1);
        for ranks in [1, 3] {
            let found = files(&one, ranks);
            for (z, parts) in
                [("z0", ["re0", "im0"]), ("z1", ["re1", "im1"]), ("z2", ["re2", "im2"]), ("t", ["tre", "tim"])]
            {
                let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                for (k, c) in found[z].chunks(2).enumerate() {
                    let want = parts.map(|p| wanted[p][k]);
                    assert!(
                        same(c[0], want[0]) && same(c[1], want[1]),
                        "seed {seed}, {ranks} ranks: {z}[{k}] is {c:?}, not {want:?}\n{one}\n{two}"
                    );
                }
            }
        }
    }
}
