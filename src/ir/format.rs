//! Values as text by Python's format specifications: `[[fill]align][sign][0][width][,][.precision][type]`.

use crate::ir::ty::{Ty, Value};

/// The widest field and the most digits that a specification may ask for.
const MOST: usize = 1000;

/// Formats `v` as Python's `format(v, spec)` does; without a specification, as the shortest text that reads back.
///
/// Two additions to Python: `s` takes any value, and a `bool` without a type stays `true` or `false`.
pub fn format_value(v: Value, spec: Option<&str>) -> Result<String, String> {
    let Some(text) = spec.filter(|s| !s.is_empty()) else { return Ok(v.to_string()) };
    let spec = Spec::parse(text)?;
    spec.check(v.ty)?;
    Ok(spec.apply(v))
}

/// Whether `spec` can format values of type `ty`; the error says what to write instead.
pub fn check_spec(spec: &str, ty: Ty) -> Result<(), String> {
    Spec::parse(spec)?.check(ty)
}

/// A complex number: by a specification, else as Python's `str` shows it.
pub fn complex_text(re: Value, im: Value, spec: Option<&str>) -> String {
    if let Some(spec) = spec.filter(|s| !s.is_empty()) {
        let text = |v: Value| format_value(v, Some(spec)).unwrap_or_else(|_| v.to_string());
        let (re, im) = (text(re), text(im));
        let plus = if im.starts_with('-') { "" } else { "+" };
        return format!("{re}{plus}{im}j");
    }
    let bare = |v: Value| {
        let text = v.to_string();
        text.strip_suffix(".0").map_or(text.clone(), str::to_string)
    };
    let imaginary = bare(im);
    if re.as_f64() == 0.0 && re.as_f64().is_sign_positive() {
        return format!("{imaginary}j");
    }
    let plus = if imaginary.starts_with('-') { "" } else { "+" };
    format!("({}{plus}{imaginary}j)", bare(re))
}

/// A parsed specification.
struct Spec {
    fill: char,
    align: Option<char>,
    /// `+`, `-` or a blank, where one is written.
    sign: Option<char>,
    width: usize,
    comma: bool,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn parse(text: &str) -> Result<Spec, String> {
        let chars: Vec<char> = text.chars().collect();
        let at = |k: usize| chars.get(k).copied();
        let is_align = |c: Option<char>| c.is_some_and(|c| "<>=^".contains(c));
        let mut spec = Spec { fill: ' ', align: None, sign: None, width: 0, comma: false, precision: None, kind: None };
        let mut k = 0;
        let fill_given = is_align(at(1));
        if fill_given {
            (spec.fill, spec.align, k) = (chars[0], at(1), 2);
        } else if is_align(at(0)) {
            (spec.align, k) = (at(0), 1);
        }
        if at(k).is_some_and(|c| "+- ".contains(c)) {
            (spec.sign, k) = (at(k), k + 1);
        }
        if !fill_given && at(k) == Some('0') {
            (spec.fill, k) = ('0', k + 1);
            spec.align = spec.align.or(Some('='));
        }
        let digits = |k: &mut usize| {
            let start = *k;
            while at(*k).is_some_and(|c| c.is_ascii_digit()) {
                *k += 1;
            }
            let number: String = chars[start..*k].iter().collect();
            match number.parse::<usize>() {
                Ok(n) if n <= MOST => Ok(Some(n)),
                _ if number.is_empty() => Ok(None),
                _ => Err(format!("the format `{text}` asks for {number} places; {MOST} is the most")),
            }
        };
        spec.width = digits(&mut k)?.unwrap_or(0);
        if at(k) == Some(',') {
            (spec.comma, k) = (true, k + 1);
        }
        if at(k) == Some('.') {
            k += 1;
            let missing = || format!("the format `{text}` has no number of digits after its `.`; write it as in `.3e`");
            spec.precision = Some(digits(&mut k)?.ok_or_else(missing)?);
        }
        if let Some(c) = at(k) {
            (spec.kind, k) = (Some(c), k + 1);
        }
        let known = spec.kind.is_none_or(|c| "dfeg%xbs".contains(c));
        if !known || k < chars.len() {
            let rest: String = chars[k - 1..].iter().collect();
            let form = "[[fill]align][sign][0][width][,][.precision][type]";
            return Err(format!(
                "the format `{text}` has `{rest}` where a type (d f e g % x b s) may stand; the form is {form}"
            ));
        }
        Ok(spec)
    }

    /// Whether values of type `ty` are shown as text, not as a number.
    fn is_text(&self, ty: Ty) -> bool {
        self.kind == Some('s') || (ty == Ty::Bool && self.kind.is_none())
    }

    fn check(&self, ty: Ty) -> Result<(), String> {
        let kind = self.kind.unwrap_or(if ty.is_float() { 'g' } else { 'd' });
        if self.is_text(ty) {
            if self.comma || self.sign.is_some() || self.align == Some('=') && self.fill != '0' {
                return Err("a text takes no sign, `,` or `=`; write a width alone, as in `>8`".into());
            }
        } else if ty.is_float() && matches!(kind, 'd' | 'x' | 'b') {
            return Err(format!("the format `{kind}` takes integers, this value is {ty}; write `.0f` or `.3e`"));
        } else if self.precision.is_some() && matches!(kind, 'd' | 'x' | 'b') {
            return Err(format!("digits after a point need a float format, this value is {ty}; write `.3f`"));
        } else if self.comma && matches!(kind, 'x' | 'b') {
            return Err(format!("`,` groups decimal digits only; write `d` in place of `{kind}`"));
        }
        Ok(())
    }

    fn apply(&self, v: Value) -> String {
        if self.is_text(v.ty) {
            let text: String = v.to_string().chars().take(self.precision.unwrap_or(usize::MAX)).collect();
            // Python's `0` before the width fills texts but does not push them to the right.
            let align = if self.align == Some('=') { Some('<') } else { self.align };
            return self.pad("", &text, align.unwrap_or('<'));
        }
        match (v.as_int(), self.kind) {
            (Some(n), None | Some('d' | 'x' | 'b')) => {
                let digits = match self.kind {
                    Some('x') => format!("{:x}", n.unsigned_abs()),
                    Some('b') => format!("{:b}", n.unsigned_abs()),
                    _ => n.unsigned_abs().to_string(),
                };
                self.number(n < 0, &digits)
            }
            _ => {
                let x = v.as_f64();
                let text = match self.kind {
                    None if self.precision.is_none() => positive(v).to_string(),
                    kind => float_text(x.abs(), kind, self.precision),
                };
                self.number(x.is_sign_negative() && !x.is_nan(), &text)
            }
        }
    }

    /// Puts sign, grouping and padding around the text of an absolute value.
    fn number(&self, negative: bool, text: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (_, Some('+')) => "+",
            (_, Some(' ')) => " ",
            _ => "",
        };
        let whole = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        if !self.comma || whole == 0 {
            return self.pad(sign, text, self.align.unwrap_or('>'));
        }
        let (digits, rest) = text.split_at(whole);
        let zeros = self.fill == '0' && self.align == Some('=');
        let least = if zeros { self.width.saturating_sub(sign.len() + rest.len()) } else { 0 };
        self.pad(sign, &(group(digits, least) + rest), self.align.unwrap_or('>'))
    }

    fn pad(&self, sign: &str, text: &str, align: char) -> String {
        let blanks = self.width.saturating_sub(sign.len() + text.chars().count());
        let before = match align {
            '<' => 0,
            '^' => blanks / 2,
            _ => blanks,
        };
        let fill = |n: usize| self.fill.to_string().repeat(n);
        let after = fill(blanks - before);
        if align == '=' {
            format!("{sign}{}{text}", fill(blanks))
        } else {
            format!("{}{sign}{text}{after}", fill(before))
        }
    }
}

/// The absolute value of a float, with its type kept.
fn positive(v: Value) -> Value {
    match v.ty {
        Ty::F32 => Value::f32(f32::from_bits(v.bits as u32).abs()),
        Ty::F16 | Ty::Bf16 => Value { ty: v.ty, bits: v.bits & 0x7fff },
        _ => Value::f64(v.as_f64().abs()),
    }
}

/// Groups digits by three, with zeros before them up to `least` characters, as CPython's thousands grouping does.
fn group(digits: &str, least: usize) -> String {
    let (mut rest, mut least, mut groups) = (digits, least as i64, vec![]);
    loop {
        let len = 3.min((rest.len() as i64).max(least).max(1)) as usize;
        let (before, taken) = rest.split_at(rest.len().saturating_sub(len));
        groups.push(format!("{}{taken}", "0".repeat(len - taken.len())));
        rest = before;
        least -= len as i64;
        if rest.is_empty() && least <= 0 {
            break;
        }
        least -= 1;
    }
    groups.reverse();
    groups.join(",")
}

/// The text of `x >= 0` (or NaN) in one of the types `f e g %`, or in Python's mixed form for a precision without type.
fn float_text(x: f64, kind: Option<char>, precision: Option<usize>) -> String {
    if !x.is_finite() {
        return format!("{}{}", if x.is_nan() { "nan" } else { "inf" }, if kind == Some('%') { "%" } else { "" });
    }
    let p = precision.unwrap_or(6);
    match kind {
        Some('f') => format!("{x:.p$}"),
        Some('e') => scientific(x, p).0,
        // Near the largest float the product overflows, as it does in Python.
        Some('%') => format!("{}%", float_text(x * 100.0, Some('f'), Some(p))),
        kind => {
            let p = p.max(1);
            let (text, exponent) = scientific(x, p - 1);
            let limit = if kind.is_none() { p as i32 - 1 } else { p as i32 };
            if exponent < -4 || exponent >= limit {
                let (mantissa, tail) = text.split_once('e').unwrap_or((&text, ""));
                return format!("{}e{tail}", trimmed(mantissa));
            }
            let places = (p as i32 - 1 - exponent).max(0) as usize;
            let text = trimmed(&format!("{x:.places$}")).to_string();
            if kind.is_none() && !text.contains('.') { text + ".0" } else { text }
        }
    }
}

/// Scientific form with at least two digits of exponent, and the exponent.
fn scientific(x: f64, places: usize) -> (String, i32) {
    let text = format!("{x:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    (format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()), exponent)
}

/// Without trailing zeros after a point, and without the point if nothing follows.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
