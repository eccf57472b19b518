//! Syntax errors that say more than what was expected: habits of other languages, words that look like another.

use super::ast::AssignOp;
use super::explain::{Stop, describe, generic};
use super::grammar::Rule;
use super::habits;
use super::nearly::nearly;
use super::scan::{Kind, Tok};
use super::words;
use crate::diag::{Diagnostic, did_you_mean};

/// A diagnostic made for this very mistake, or the general one with help.
pub(super) fn hint(stop: &Stop<'_>) -> Option<Diagnostic> {
    if stop.before.is_none() && (stop.expected.has(Rule::item) || stop.expected.has(Rule::one_item)) {
        return Some(unknown_item(stop));
    }
    let special: [fn(&Stop<'_>) -> Option<Diagnostic>; 4] = [unknown_type, reserved_name, equality, second_subscript];
    if let Some(d) = special.iter().find_map(|f| f(stop)) {
        return Some(d);
    }
    nearly(stop).or_else(|| help(stop)).or_else(|| what_to_write(stop)).map(|h| generic(stop).help(h))
}

/// What would stand here, where no habit explains the mistake.
fn what_to_write(stop: &Stop<'_>) -> Option<String> {
    let e = &stop.expected;
    let (found, before) = (stop.word(stop.found), stop.word(stop.before));
    let place = match (stop.found, stop.before) {
        (Some(_), _) => format!("before {}", describe(stop)),
        (None, Some(_)) => format!("behind `{before}`"),
        (None, None) => "here".into(),
    };
    let open = stop.open.last().map(|o| o.text(stop.place.text)).filter(|o| e.closes(o));
    Some(match () {
        _ if open.is_some_and(|o| o != "{") => {
            let open = open.unwrap_or("(");
            format!("close the `{open}`: write `{}` {place}", if open == "(" { ")" } else { "]" })
        }
        _ if e.says("the end of the statement") && stop.found.is_some() => {
            format!("a statement ends with its line or a `;`: begin a new line before `{found}`, or take it away")
        }
        _ if e.says("a value") => format!("write a value {place}: a number, a name, or an expression in parentheses"),
        _ if e.says("a name") => format!("write a name {place}"),
        _ if e.says("a text in double quotes") && stop.found.is_some_and(|t| t.kind == Kind::Word) => {
            let text = stop.found.map_or("", |t| &stop.place.text[t.start..]);
            let path = text.split(|c: char| c.is_whitespace() || "{});".contains(c)).next().unwrap_or(found);
            format!("write the text in double quotes: `\"{path}\"`")
        }
        _ if e.says("a text in double quotes") => format!("write a text in double quotes {place}: `\"…\"`"),
        _ => return one_word(&e.sentence()).map(|w| format!("write {w} {place}")),
    })
}

/// The sentence, if it names one thing.
fn one_word(sentence: &str) -> Option<&str> {
    let single = !sentence.is_empty() && !sentence.contains(", ") && !sentence.contains(" or ");
    single.then_some(sentence)
}

/// A line at the top level that starts no declaration.
fn unknown_item(stop: &Stop<'_>) -> Diagnostic {
    let Some(t) = stop.found else { return generic(stop) };
    let word = stop.word(stop.found);
    let items = words::item_words();
    let d = Diagnostic::error(
        "E0111",
        format!("expected a declaration, found {}", describe(stop)),
        stop.span(t),
        "not a declaration",
    );
    let foreign = match word {
        "def" | "func" | "function" | "fun" | "void" | "proc" | "sub" => {
            Some("write `fn name(x: f32) -> f32 = …`, or `kernel` for arrays")
        }
        "const" | "constexpr" | "static" | "val" => Some("write `let name = …` for a constant"),
        "import" | "include" | "from" | "using" => Some("write `use std.random: uniform`"),
        "struct" | "class" | "type" | "enum" => Some("the types are fixed: scalars and arrays of them"),
        "main" | "program" => Some("write `workflow main { … }`"),
        _ => None,
    };
    let statement =
        ["for", "while", "if", "var", "break", "print", "save", "plot", "animate", "load", "assert", "expect"];
    if let Some(help) = foreign {
        d.help(help)
    } else if statement.contains(&word) || follows_assignment(stop) {
        Diagnostic { message: "a statement cannot stand outside a workflow".into(), ..d }
            .help("put it into `workflow main { … }`; a constant is `let name = …`")
    } else if let Some(near) = did_you_mean(word, items.iter().map(String::as_str)) {
        d.help(format!("did you mean `{near}`?"))
    } else {
        d.help(format!("a declaration starts with {}", listed(&items)))
    }
}

/// Whether `name =`, `name[…] =` or `name(` stands where a declaration should.
fn follows_assignment(stop: &Stop<'_>) -> bool {
    let code: Vec<_> = stop.place.toks.iter().filter(|t| t.is_code()).take(2).collect();
    let second = code.get(1).map_or("", |t| t.text(stop.place.text));
    code.first().is_some_and(|t| t.kind == Kind::Word) && (AssignOp::is(second) || matches!(second, "[" | "("))
}

/// A word where a type belongs.
fn unknown_type(stop: &Stop<'_>) -> Option<Diagnostic> {
    let t = stop.found.filter(|t| t.kind == Kind::Word)?;
    let only_type = stop.expected.says("a type") && !stop.expected.says("`:`");
    if !(only_type || stop.expected.has(Rule::result) || stop.expected.has(Rule::results)) {
        return None;
    }
    let word = stop.word(stop.found);
    let types = words::types();
    let d = Diagnostic::error("E0112", format!("there is no type `{word}`"), stop.span(t), "expected a type");
    Some(match same_type(word).or_else(|| did_you_mean(word, types.iter().map(String::as_str))) {
        _ if whole_numbers(word) => d.help("the integers are `i32`, `i64`, `u32` and `u64`"),
        _ if word == "float" => d.help("did you mean `f32`, or `f64`?"),
        Some(n) => d.help(format!("did you mean `{n}`?")),
        None => d.help(format!("the types are {}", listed(&types))),
    })
}

/// What other languages call a type.
fn same_type(word: &str) -> Option<&'static str> {
    Some(match word {
        "single" | "real" | "float32" => "f32",
        "double" | "float64" => "f64",
        "half" | "float16" => "f16",
        "bfloat16" => "bf16",
        "int" | "integer" | "long" | "int64" | "isize" | "index" => "i64",
        "int32" => "i32",
        "uint" | "usize" | "ulong" | "uint64" => "u64",
        "unsigned" | "uint32" => "u32",
        "boolean" => "bool",
        "complex" | "complex64" => "c64",
        "complex128" => "c128",
        _ => return None,
    })
}

/// Whether a word is a type of integers whose size does not exist here.
fn whole_numbers(word: &str) -> bool {
    let size = word.trim_start_matches('u').trim_start_matches("int").trim_start_matches('i');
    matches!(size, "8" | "16" | "128") && word != size || matches!(word, "byte" | "char" | "short")
}

/// A reserved word where a name belongs.
fn reserved_name(stop: &Stop<'_>) -> Option<Diagnostic> {
    let t = stop.found.filter(|t| t.kind == Kind::Word)?;
    let word = stop.word(stop.found);
    let e = &stop.expected;
    let named = e.has(Rule::ident) || e.says("a name") || e.has(Rule::parameter);
    // Where such a name is used, as well: a word that begins a declaration, in front of a subscript or `=`.
    let element = behind(stop).starts_with(['[', '=']);
    let used = words::item_words().iter().any(|w| w == word) && (e.says("a value") || element);
    if !(used || named && !e.says("a value")) || !words::reserved().iter().any(|w| w == word) {
        return None;
    }
    let d = Diagnostic::error("E0113", format!("`{word}` is a reserved word"), stop.span(t), "cannot be a name");
    Some(d.help(format!("choose another name, such as `{word}_`")))
}

/// `=` for `==` or the other way round.
fn equality(stop: &Stop<'_>) -> Option<Diagnostic> {
    let t = stop.found?;
    match stop.word(stop.found) {
        "==" if stop.expected.says("`=`") => {
            let d = Diagnostic::error("E0106", "expected `=`, found `==`", stop.span(t), "this compares");
            Some(d.help("write `=` to define"))
        }
        "=" if !stop.expected.says("`=`") && stop.expected.says("an operator") => {
            let first = stop.word(stop.first);
            let condition = matches!(first, "if" | "while" | "assert" | "expect" | "else");
            let inside = stop.open.last().map(|o| o.text(stop.place.text));
            let help = match inside {
                Some("(") if !condition => "`==` compares; arguments are given by their place, without names",
                Some("[") => return None,
                _ if condition => "`==` compares",
                _ => "one `=` a statement; `==` compares",
            };
            let message = format!("expected {}, found `=`", stop.expected.sentence());
            if let Some(joint) = joint(stop) {
                let text = joint.text(stop.place.text);
                let d = Diagnostic::error("E0106", message, stop.span(t), "not expected here")
                    .label(stop.span(joint), "this ends a line, so that the next one continues it");
                return Some(d.help(format!("write what belongs behind the `{text}`")));
            }
            Some(Diagnostic::error("E0106", message, stop.span(t), "this defines").help(help))
        }
        _ => None,
    }
}

/// The last operator at the end of a line in the statement at hand.
fn joint(stop: &Stop<'_>) -> Option<Tok> {
    let first = stop.first?;
    let toks = stop.place.toks;
    let inside = toks.windows(2).filter(|w| w[0].start > first.start && w[1].end <= stop.at);
    let ends = inside.filter(|w| w[1].kind == Kind::Newline && matches!(w[0].kind, Kind::Op | Kind::Word));
    ends.map(|w| w[0]).next_back()
}

/// Whether a `]` ends a table, whose `[` follows no name.
fn closes_a_table(stop: &Stop<'_>, end: Tok) -> bool {
    let toks = stop.place.toks.iter().take_while(|t| t.start <= end.start);
    let (mut open, mut last): (Vec<bool>, Option<&Tok>) = (vec![], None);
    for t in toks {
        match t.kind {
            Kind::Open => {
                open.push(last.is_none_or(|l| l.end != t.start || !matches!(l.kind, Kind::Word | Kind::Close)))
            }
            Kind::Close if t.start == end.start => return open.pop().unwrap_or(false),
            Kind::Close => drop(open.pop()),
            _ => {}
        }
        last = Some(t);
    }
    false
}

/// `a[i][j]` and `f(x)[i]`.
fn second_subscript(stop: &Stop<'_>) -> Option<Diagnostic> {
    let t = stop.found.filter(|_| matches!(stop.word(stop.found), "[" | "("))?;
    let before = stop.before.filter(|b| b.end == t.start && b.kind == Kind::Close)?;
    let message = format!("`{}` cannot follow `{}`", stop.word(stop.found), stop.word(stop.before));
    let help = match (stop.word(Some(before)), stop.word(stop.found)) {
        ("]", "[") if closes_a_table(stop, before) => {
            "name the table first, in front of `workflow` or in it: `let table = […]`, then `table[k]`"
        }
        ("]", "[") => "write all indices in one pair of brackets: `a[i, j]`",
        (_, "[") => "name the value with `let` first, then index the name",
        _ => "write `*` for a product; only a name can be called",
    };
    Some(Diagnostic::error("E0106", message, stop.span(t), "not expected here").help(help))
}

/// Help for the general message.
fn help(stop: &Stop<'_>) -> Option<String> {
    let (found, before, first) = (stop.word(stop.found), stop.word(stop.before), stop.word(stop.first));
    let e = &stop.expected;
    let behind = behind(stop);
    let assigned = behind.starts_with('=') && !behind.starts_with("==");
    let fixed = match () {
        _ if e.says("the end of the statement") && matches!(found, "min" | "max") && assigned => {
            return Some(format!("write it without a blank: `{found}=`"));
        }
        _ if e.says("`{`") && stop.found.is_none() && stop.word(stop.next) == "{" => {
            "put the `{` at the end of this line"
        }
        _ if before == "print" && e.says("a text in double quotes") && behind.starts_with('"') => {
            "every text takes `{x}`: write it without the letter before it"
        }
        _ if first == "print" && e.says("a text in double quotes") => "write `print \"{x}\"` to print a value",
        _ if matches!(found, "elif" | "elsif" | "elseif") || matches!(first, "elif" | "elsif" | "elseif") => {
            "write `else if`"
        }
        _ if before == "swap" && first == "swap" && behind.starts_with(',') => {
            let other = behind[1..].split([';', '/', '}', '\n']).next().unwrap_or("").trim();
            return Some(format!("write `{found}, {other} = {other}, {found}`"));
        }
        _ if first == "return" => "a block's last expression is its value: write the expression alone",
        _ if first == "for" && (before == "for" || e.says("`in`")) => "write `for i in 0..n { … }`",
        _ if e.says("`..`") && ranges(stop) => "a range is `0..n`: `for i in 0..n { … }`",
        _ if e.says("`..`") => "a range is `a..b`, or `a..b by step`; `b` is left out",
        _ if e.says("`:`")
            && stop.open.last().is_some_and(|o| o.text(stop.place.text) == "(")
            && e.sentence() == "`:`" =>
        {
            "every parameter has a type: `u: f32[n]`, `alpha: f32`"
        }
        _ if e.says("`:`") && first == "param" => "a parameter is `param n: i64 = 64`",
        _ if e.says("`=`") && first == "param" => "every parameter has a default: `param n: i64 = 64`",
        _ if found == "." => return behind_a_point(stop),
        _ if matches!(found, ":" | "..") && stop.open.last().is_some_and(|o| o.text(stop.place.text) == "[") => {
            "there are no slices: an equation names its elements, as in `u[i] = v[i] for i in 1..n-1`"
        }
        _ if found == ":" && matches!(first, "if" | "while" | "for" | "else" | "elif") => {
            return Some(format!("a block stands in braces: `{first} … {{ … }}`"));
        }
        _ if found == "where" => {
            "a condition is a choice: `if c { a } else { b }`, or a range behind the equation: `for i in 1..n`"
        }
        _ if matches!(first, "import" | "from") => {
            "a library's names come with `use std.stats: dot` at the top of the file"
        }
        _ if first == "use" && found == "*" => "name what is taken: `use std.stats: variance, dot`",
        _ if e.says("`:`") && first == "use" => "say what to take: `use std.random: uniform`",
        _ if e.says("`->`") && first == "kernel" => "a kernel names its result: `-> v: f32[n]`, or its type: `-> f64`",
        _ if e.says("`->`") && first == "fn" => "a function has a result: `-> f32`",
        _ if first == "kernel" && stop.open.is_empty() && e.says("`{`") && found == "(" => {
            "one result a `,`: `-> kx: f64[n], ky: f64[n]`"
        }
        _ if first == "kernel" && e.says("a result such as `v: f32[n]`") && found == "(" => {
            "results stand without parentheses: `-> v: f32[n], e: f64`"
        }
        _ if first == "array" && (e.says("`:`") || e.has(Rule::typed_array)) => {
            "an array is `array u: f32[n, m] in tiles edge clamp`"
        }
        _ if e.has(Rule::dist) || e.has(Rule::star) => {
            "each dimension is `block`, `cyclic`, `cyclic(8)` or `*` (whole): `in (block, *)`"
        }
        _ if e.has(Rule::edge) => "the edges are `clamp`, `periodic`, `mirror`, `odd`, `constant(x)` and `none`",
        _ if e.says("the end of the statement") && matches!(first, "let" | "var") && found == "," => {
            "one name a `let`: begin a new line"
        }
        _ if e.says("the end of the statement") && found == "," => "several values stand in brackets: `a, b = (x, y)`",
        _ if stop.first == stop.found && matches!(found, "+" | "*" | "/" | "and" | "or") => {
            "a line that goes on ends in its operator: move it to the end of the line before"
        }
        _ if matches!(found, "else") => "`else` follows the `}` of its `if`",
        _ if e.says("a value") && matches!(found, "*" | "/" | "^" | "<" | ">" | "==" | "+") => {
            "a value is missing before it"
        }
        _ if e.says("a value") && stop.found.is_some_and(|t| t.kind == Kind::Str) => {
            "text stands only in `print`, `assert` and paths"
        }
        _ if matches!(first, "save" | "plot" | "animate") && e.says("`to`") => {
            let suffix = if first == "save" { "npy" } else { "png" };
            return Some(format!("name the file: `{first} {before} to \"{before}.{suffix}\"`"));
        }
        _ if stop.before == stop.first && matches!(first, "save" | "plot" | "animate") => {
            return Some(format!("write `{first} u to \"file.{}\"`", if first == "save" { "npy" } else { "png" }));
        }
        _ if stop.before == stop.first && first == "load" => "write `load u from \"file.npy\"`",
        _ if e.says("an operator") && words::reductions().iter().any(|w| w == before) => {
            return Some(format!("a reduction names its indices: `{before}[i] …`"));
        }
        _ if e.says("the end of the statement") && found == "if" => {
            "a choice is an expression: `if c { a } else { b }`"
        }
        _ if e.says("an operator")
            && stop.found.is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Number | Kind::Str)) =>
        {
            return joined(stop);
        }
        _ => return None,
    };
    Some(fixed.to_string())
}

/// `np.sum(u)`, `u.shape`: there are no points.
fn behind_a_point(stop: &Stop<'_>) -> Option<String> {
    let before = stop.word(stop.before);
    let name: String = behind(stop).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let is_reduction = words::reductions().contains(&name);
    if !habits::module(before) {
        let array = stop.before.filter(|t| t.kind == Kind::Word).map_or("u", |_| before);
        return habits::attribute(array, &name)
            .or_else(|| Some("values have no attributes or methods: functions take them, as in `abs(x)`".to_string()));
    }
    Some(match habits::function(&name) {
        _ if is_reduction => format!("a reduction names its indices: `{name}[i] u[i]`"),
        _ if words::builtins().contains(&name) => format!("`{name}` is always there: `{name}(x)`, without `{before}.`"),
        Some(habit) => habit,
        None => format!(
            "there is no `{before}`: functions such as `sqrt` are always there, others come with `use std.stats: dot`"
        ),
    })
}

/// Whether the line calls `range`.
fn ranges(stop: &Stop<'_>) -> bool {
    stop.place.toks.windows(2).any(|t| t[0].text(stop.place.text) == "range" && t[1].text(stop.place.text) == "(")
}

/// The text behind the token that was found.
fn behind<'a>(stop: &Stop<'a>) -> &'a str {
    stop.found.and_then(|t| stop.place.text.get(t.end..)).unwrap_or("").trim_start()
}

/// Two values in a row.
fn joined(stop: &Stop<'_>) -> Option<String> {
    let (found, before) = (stop.word(stop.found), stop.word(stop.before));
    let first = stop.first?;
    let starts = stop.before.is_some_and(|b| b.start == first.start);
    let statement = [
        "let", "var", "for", "while", "if", "print", "save", "load", "plot", "animate", "assert", "expect", "array",
        "break",
    ];
    if starts && let Some(near) = did_you_mean(before, statement) {
        return Some(format!("did you mean `{near}`?"));
    }
    if let Some(near) = did_you_mean(found, ["for", "otherwise", "and", "or", "div", "mod", "by", "in", "to"])
        && stop.found.is_some_and(|t| t.kind == Kind::Word)
        && found.len() > 2
    {
        return Some(format!("did you mean `{near}`?"));
    }
    match before {
        _ if found == "then" => {
            Some("no `then`: write `if … { … }`, or `if … { … } else { … }` for a value".to_string())
        }
        "const" | "auto" | "mut" | "int" | "float" | "double" if starts => Some(format!("write `let {found} = …`")),
        _ => Some("write an operator between two values, or begin a new line".to_string()),
    }
}

/// `a`, `b` and `c`
fn listed(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
