//! The words of the language, read from the grammar's own text: for messages, completion and the editors' highlighting.

use super::grammar::GRAMMAR;

/// Words that can never be names.
pub fn reserved() -> Vec<String> {
    quoted(body("reserved"))
}

/// Words with a meaning only in their place: `in`, `edge`, `scan`, `print`, ….
pub fn soft() -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (name, body) in rules() {
        let alone = name.starts_with("word_") || name.starts_with("op_") || name == "edge_name";
        if alone && name != "word_char" {
            words.extend(quoted(body).into_iter().filter(|w| is_word(w)));
        }
    }
    let reserved = reserved();
    words.retain(|w| !reserved.contains(w));
    sorted(words)
}

/// The element types; `kernel` is left to the reserved words.
pub fn types() -> Vec<String> {
    let mut words = quoted(body("type_name"));
    words.retain(|w| w != "kernel");
    words
}

/// The edges without a value.
pub fn edges() -> Vec<String> {
    quoted(body("edge_name"))
}

/// The reductions.
pub fn reductions() -> Vec<String> {
    quoted(body("reduce_op"))
}

/// Functions and values that every program has.
pub fn builtins() -> Vec<String> {
    quoted(body("builtin"))
}

/// The words that start a declaration.
pub fn item_words() -> Vec<String> {
    let items = body("item");
    let starts = items.split('|').map(str::trim).filter_map(|rule| body(rule).split_whitespace().next());
    starts.filter_map(|kw| kw.strip_prefix("kw_")).map(str::to_string).collect()
}

/// Every rule of the grammar with the text between its braces.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    GRAMMAR.split("\n\n").flat_map(|part| part.split("\n///")).filter_map(|part| {
        let from = part.lines().position(|l| l.contains(" = ") && l.contains('{') && !l.starts_with("//"))?;
        let start = part.lines().take(from).map(|l| l.len() + 1).sum::<usize>();
        let rule = part.get(start..)?;
        let (name, rest) = rule.split_once(" = ")?;
        let open = rest.find('{')?;
        let close = rest.rfind('}')?;
        Some((name.trim(), rest.get(open + 1..close)?.trim()))
    })
}

/// The text between a rule's braces.
fn body(name: &str) -> &'static str {
    rules().find(|r| r.0 == name).map_or("", |r| r.1)
}

/// The quoted strings of a rule.
fn quoted(body: &str) -> Vec<String> {
    body.split('"').skip(1).step_by(2).map(str::to_string).collect()
}

fn is_word(w: &str) -> bool {
    !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_from_the_grammar() {
        assert_eq!(item_words(), ["use", "param", "let", "partition", "array", "fn", "kernel", "workflow", "test"]);
        assert!(reserved().contains(&"mod".to_string()) && reserved().len() == 22);
        assert!(soft().contains(&"in".to_string()) && soft().contains(&"bitand".to_string()), "{:?}", soft());
        assert!(!soft().contains(&"and".to_string()));
        assert_eq!(types().len(), 11);
        assert_eq!(reductions().len(), 10);
        assert_eq!(edges(), ["clamp", "periodic", "mirror", "odd", "none"]);
        assert!(builtins().contains(&"mulhi".to_string()));
    }
}
