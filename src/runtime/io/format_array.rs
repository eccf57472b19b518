//! Arrays as NumPy's `str` prints them: brackets, aligned columns, at most eight digits, large ones abridged.

use crate::ir::format::{complex_text, format_value};
use crate::ir::index_box::Interval;
use crate::ir::ty::{Ty, Value};

/// Arrays with more elements than this are abridged.
const THRESHOLD: i64 = 1000;
/// Items shown at each end of an abridged dimension.
const EDGE_ITEMS: i64 = 3;
/// Characters of a line, brackets included.
const LINE: usize = 75;
/// Digits after the point of floats.
const DIGITS: usize = 8;

/// Prints an array given whole, in row-major order, as NumPy 2.4 does; `spec` formats each element instead.
pub fn format_array(ty: Ty, shape: &[i64], data: &[u8], spec: Option<&str>) -> String {
    let element = |index: &[i64]| {
        let at = index.iter().zip(shape).fold(0i64, |at, (i, n)| at * n + i) as usize * ty.size();
        let mut bytes = [0; 8];
        if let Some(source) = data.get(at..at + ty.size()) {
            bytes[..ty.size()].copy_from_slice(source);
        }
        Value { ty, bits: u64::from_le_bytes(bytes) }
    };
    format_elements(ty, shape, &element, spec)
}

/// The intervals of each dimension whose elements [`format_elements`] shows: whole, or the first and last three.
pub fn shown(shape: &[i64]) -> Vec<Vec<Interval>> {
    let elements = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(d)).unwrap_or(i64::MAX);
    let cut = |n: i64| elements > THRESHOLD && n > 2 * EDGE_ITEMS;
    let parts = |&n: &i64| match cut(n) {
        true => vec![Interval::new(0, EDGE_ITEMS), Interval::new(n - EDGE_ITEMS, n)],
        false => vec![Interval::new(0, n)],
    };
    shape.iter().map(parts).collect()
}

/// Prints an array whose elements `element` fetches by index; only those that [`shown`] names are asked for.
pub fn format_elements(ty: Ty, shape: &[i64], element: &dyn Fn(&[i64]) -> Value, spec: Option<&str>) -> String {
    if shape.contains(&0) {
        return "[]".into();
    }
    let axes = shown(shape);
    let mut values = vec![];
    visit(&axes, &mut vec![], &mut |index| values.push(element(index)));
    let words = match spec.filter(|s| !s.is_empty()) {
        Some(spec) => columns(values.iter().map(|&v| format_value(v, Some(spec)).unwrap_or_else(|_| v.to_string()))),
        None if shape.is_empty() => values.iter().map(|&v| alone(v)).collect(),
        None if ty.is_float() => floats(&values, false),
        // A column of only true is as wide as one with false.
        None if ty == Ty::Bool => values.iter().map(|&v| format!("{:>5}", alone(v))).collect(),
        None => columns(values.iter().map(|&v| alone(v))),
    };
    let mut words = words.into_iter();
    if axes.is_empty() {
        return words.next().unwrap_or_default();
    }
    brackets(&axes, &mut words, " ", LINE)
}

/// Prints an array of complex numbers, whose parts `element` fetches, as [`format_elements`] does.
pub fn format_complex(shape: &[i64], element: &dyn Fn(&[i64]) -> (Value, Value), spec: Option<&str>) -> String {
    if shape.contains(&0) {
        return "[]".into();
    }
    let axes = shown(shape);
    let mut values = vec![];
    visit(&axes, &mut vec![], &mut |index| values.push(element(index)));
    let words = match spec.filter(|s| !s.is_empty()) {
        Some(_) => columns(values.iter().map(|(re, im)| complex_text(*re, *im, spec))),
        None if shape.is_empty() => values.iter().map(|(re, im)| complex_text(*re, *im, None)).collect(),
        None => {
            let (re, im): (Vec<Value>, Vec<Value>) = values.into_iter().unzip();
            // The `j` stands before the blanks that pad a number.
            let imaginary = |text: String| {
                let digits = text.trim_end().len();
                format!("{}j{}", &text[..digits], &text[digits..])
            };
            floats(&re, false).into_iter().zip(floats(&im, true)).map(|(re, im)| re + &imaginary(im)).collect()
        }
    };
    let mut words = words.into_iter();
    if axes.is_empty() {
        return words.next().unwrap_or_default();
    }
    brackets(&axes, &mut words, " ", LINE)
}

/// Calls `f` with every index of a product of unions of intervals, the last index fastest.
fn visit(axes: &[Vec<Interval>], index: &mut Vec<i64>, f: &mut dyn FnMut(&[i64])) {
    let Some((first, rest)) = axes.split_first() else { return f(index) };
    for i in first.iter().flat_map(|part| part.lo..part.hi) {
        index.push(i);
        visit(rest, index, f);
        index.pop();
    }
}

/// One value as NumPy prints it alone.
fn alone(v: Value) -> String {
    match v.ty {
        Ty::Bool => if v.as_bool() { "True" } else { "False" }.into(),
        _ => v.to_string(),
    }
}

/// Pads all words to the widest, on the left.
fn columns(words: impl Iterator<Item = String>) -> Vec<String> {
    let words: Vec<String> = words.collect();
    let width = words.iter().map(|w| w.chars().count()).max().unwrap_or(0);
    words.into_iter().map(|w| " ".repeat(width - w.chars().count()) + &w).collect()
}

/// Floats as NumPy's `FloatingFormat` aligns them: point under point, scientific when the magnitudes ask for it; with `plus`
/// every one has a sign.
fn floats(values: &[Value], plus: bool) -> Vec<String> {
    let finite: Vec<Value> = values.iter().copied().filter(|v| v.as_f64().is_finite()).collect();
    let scientific = wants_scientific(&finite);
    let signed = |p: Parts| match plus && !p.whole.starts_with('-') {
        true => Parts { whole: format!("+{}", p.whole), ..p },
        false => p,
    };
    let mut parts: Vec<Parts> = finite.iter().map(|&v| signed(Parts::of(v, scientific))).collect();
    let longest = |f: fn(&Parts) -> usize| parts.iter().map(f).max().unwrap_or(0);
    let (fraction, exponent) = (longest(|p| p.fraction.len()), longest(|p| p.exponent.len()));
    let right = if scientific { fraction + exponent + 2 } else { fraction };
    let special = |v: &Value| match v.as_f64() {
        x if x.is_nan() && plus => "+nan",
        x if x.is_nan() => "nan",
        x if x > 0.0 && plus => "+inf",
        x if x > 0.0 => "inf",
        _ => "-inf",
    };
    let specials = values.iter().filter(|v| !v.as_f64().is_finite()).map(|v| special(v).len());
    let left = longest(|p| p.whole.len()).max(specials.max().unwrap_or(0).saturating_sub(right + 1));
    if scientific {
        // All get equally many digits: those of the exact value, where the shortest are fewer.
        parts = finite.iter().map(|v| signed(Parts::exact(v.as_f64(), fraction))).collect();
    }
    let mut next = parts.into_iter();
    let mut word = |v: &Value| match if v.as_f64().is_finite() { next.next() } else { None } {
        None => format!("{:>1$}", special(v), left + right + 1),
        Some(p) if scientific => {
            format!("{:>left$}.{}e{}{:0>exponent$}", p.whole, p.fraction, p.sign, p.exponent)
        }
        Some(p) => format!("{:>left$}.{:<right$}", p.whole, p.fraction),
    };
    values.iter().map(&mut word).collect()
}

/// NumPy's rule: scientific from 1e8 (1e6 for `f32`, 1e3 for `f16`, and here `bf16`) up, below 1e-4, or when magnitudes differ by more than 1000.
fn wants_scientific(finite: &[Value]) -> bool {
    let sizes = || finite.iter().map(|v| v.as_f64().abs()).filter(|&x| x != 0.0);
    let (largest, smallest) = (sizes().fold(0.0, f64::max), sizes().fold(f64::INFINITY, f64::min));
    if largest == 0.0 {
        return false;
    }
    // Compared in the arrays' own type, as NumPy does.
    match finite[0].ty {
        ty @ (Ty::F16 | Ty::Bf16) => {
            let near = |x| Value::float(ty, x).as_f64();
            largest >= 1000.0 || smallest < near(0.0001) || near(largest / smallest) > 1000.0
        }
        Ty::F32 => largest >= 1e6 || (smallest as f32) < 0.0001f32 || largest as f32 / smallest as f32 > 1000.0,
        _ => largest >= 1e8 || smallest < 0.0001 || largest / smallest > 1000.0,
    }
}

/// The pieces of a float's text; `whole` has the sign.
struct Parts {
    whole: String,
    fraction: String,
    /// The sign and the digits of the exponent, empty in positional form.
    sign: char,
    exponent: String,
}

impl Parts {
    /// The shortest digits that read back, or the exact value rounded where they are more than eight after the point.
    fn of(v: Value, scientific: bool) -> Parts {
        let x = v.as_f64();
        let text = |digits: Option<usize>| match (digits, v.ty, scientific) {
            (Some(n), _, true) => format!("{x:.n$e}"),
            (Some(n), _, false) => format!("{x:.n$}"),
            (None, Ty::F32, true) => format!("{:e}", x as f32),
            (None, Ty::F32, false) => format!("{}", x as f32),
            (None, _, true) => v.shortest_digits(),
            (None, _, false) => v.shortest_digits().parse().map_or_else(|_| x.to_string(), |d: f64| d.to_string()),
        };
        let mut parts = Parts::split(&text(None));
        // Of two equally near decimals Rust takes the larger, NumPy the even one, as rounding the exact value does.
        let even = text(Some(parts.fraction.len()));
        let reads_back = match v.ty {
            Ty::F32 => even.parse() == Ok(x as f32),
            ty => even.parse().is_ok_and(|e| Value::float(ty, e).bits == v.bits),
        };
        if parts.fraction.len() > DIGITS {
            parts = Parts::split(&text(Some(DIGITS)));
        } else if reads_back {
            parts = Parts::split(&even);
        }
        parts.fraction.truncate(parts.fraction.trim_end_matches('0').len());
        parts
    }

    /// The scientific form with so many digits after the point.
    fn exact(x: f64, digits: usize) -> Parts {
        Parts::split(&format!("{x:.digits$e}"))
    }

    fn split(text: &str) -> Parts {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, ""));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
        let exponent = if text.contains('e') { format!("{digits:0>2}") } else { String::new() };
        Parts { whole: whole.into(), fraction: fraction.into(), sign, exponent }
    }
}

/// Nested brackets around the words of the shown elements; lines wrap at `room` characters.
fn brackets(axes: &[Vec<Interval>], words: &mut dyn Iterator<Item = String>, indent: &str, room: usize) -> String {
    let Some((first, rest)) = axes.split_first() else { return words.next().unwrap_or_default() };
    let abridged = first.len() > 1;
    let items: i64 = first.iter().map(|part| part.len()).sum();
    let mut text = String::new();
    let mut line = indent.to_string();
    for k in 0..items {
        let dots = abridged && k == EDGE_ITEMS;
        if rest.is_empty() {
            for word in dots.then(|| "...".to_string()).into_iter().chain(words.next()) {
                if line.chars().count() > indent.len() {
                    // A word that follows another: its blank stands before it, or it opens a new line.
                    line.push(' ');
                }
                let full = line.chars().count() + word.chars().count() > room.saturating_sub(1);
                if full && line.chars().count() > indent.len() {
                    text += line.trim_end();
                    text.push('\n');
                    line = indent.to_string();
                }
                line += &word;
            }
            continue;
        }
        let gap = "\n".repeat(rest.len());
        if dots {
            text += &format!("{indent}...{gap}");
        }
        let inner = brackets(rest, words, &format!("{indent} "), room.saturating_sub(1));
        text += &format!("{indent}{inner}{}", if k + 1 < items { &gap } else { "" });
    }
    if rest.is_empty() {
        text += &line;
    }
    format!("[{}]", &text[indent.len()..])
}

#[cfg(test)]
#[path = "format_array_tests.rs"]
mod tests;
