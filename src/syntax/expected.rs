//! The rules that pest could have gone on with, as words of a sentence.

use super::grammar::Rule;

/// What could have stood where parsing stopped.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// In the order in which they are named, each once.
    words: Vec<&'static str>,
    rules: Vec<Rule>,
}

impl Expected {
    /// Whether a rule is among them.
    pub fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// Whether a word of the sentence is among them.
    pub fn says(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// Whether the bracket that closes `open` is among them.
    pub fn closes(&self, open: &str) -> bool {
        self.says(match open {
            "(" => "`)`",
            "[" => "`]`",
            _ => "`}`",
        })
    }

    /// `A, B or C`; the less telling ones are left out of a long list.
    pub fn sentence(&self) -> String {
        let mut words = self.words.clone();
        for dull in ["an operator", "the end of the statement", "`,`"] {
            if words.len() > 3 {
                words.retain(|w| *w != dull);
            }
        }
        match words.split_last() {
            None => String::new(),
            Some((last, [])) => (*last).to_string(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        }
    }
}

/// Turns rules into words.
pub(super) fn expected_words(rules: &[Rule]) -> Expected {
    let mut words: Vec<(u8, &'static str)> = Vec::new();
    for w in rules.iter().filter_map(|r| word(*r)) {
        if !words.contains(&w) {
            words.push(w);
        }
    }
    words.sort_by_key(|w| w.0);
    let says = |words: &[(u8, &str)], w: &str| words.iter().any(|o| o.1 == w);
    let mut drop: Vec<&str> = Vec::new();
    if says(&words, "a value") {
        drop.extend(["`(`", "`[`", "`{`", "a name", "`if`"]);
    }
    if says(&words, "an operator") || says(&words, "an edge such as `clamp`") {
        drop.extend(["`(`", "`[`"]);
    }
    if says(&words, "the end of the statement") {
        drop.extend(["`}`", "`for` or `otherwise`", "`else`", "a statement"]);
    }
    if says(&words, "the end of the statement") && says(&words, "an operator") && !says(&words, "`=`") {
        drop.push("`,`");
    }
    if rules.contains(&Rule::hole_format) {
        words.iter_mut().filter(|w| w.1 == "the end of the statement").for_each(|w| w.1 = "`}`");
    }
    words.retain(|w| !drop.contains(&w.1));
    Expected { words: words.into_iter().map(|w| w.1).collect(), rules: rules.to_vec() }
}

/// A rule's word, with its rank in a sentence.
fn word(rule: Rule) -> Option<(u8, &'static str)> {
    use Rule::*;
    Some(match rule {
        rparen => (1, "`)`"),
        rbracket => (1, "`]`"),
        rbrace => (2, "`}`"),
        equals => (1, "`=`"),
        colon => (1, "`:`"),
        arrow => (1, "`->`"),
        lparen | arguments | parameters => (2, "`(`"),
        lbracket | subscripts => (2, "`[`"),
        lbrace | block => (2, "`{`"),
        comma => (4, "`,`"),
        dot => (3, "`.`"),
        dotdot => (1, "`..`"),
        word_in | in_clause => (3, "`in`"),
        word_by => (5, "`by`"),
        word_to => (3, "`to`"),
        word_from | from_clause => (4, "`from`"),
        word_like | like_clause => (3, "`like`"),
        word_aligned | aligned_clause => (5, "`aligned`"),
        word_edge | edge_clause => (5, "`edge`"),
        word_over | over_clause => (5, "`over`"),
        word_with | with_clause => (5, "`with`"),
        word_otherwise | clause => (7, "`for` or `otherwise`"),
        kw_for | for_clause | hole_for => (5, "`for`"),
        kw_else | else_block | else_if => (6, "`else`"),
        kw_if => (6, "`if`"),
        assign_op => (1, "`=`"),
        type_name | type_expr | fn_results => (2, "a type"),
        result | results => (2, "a result such as `v: f32[n]`"),
        parameter => (2, "a parameter such as `u: f32[n]`"),
        string => (2, "a text in double quotes"),
        module_path => (2, "a library such as `std.random`"),
        ident | target => (2, "a name"),
        index | binder | binding => (2, "a name"),
        scan_op => (2, "`+`, `*`, `min` or `max`"),
        word_exclusive => (4, "`exclusive`"),
        word_reduce => (2, "a value"),
        placement | dists | dist | star | word_block | word_cyclic => (2, "`block`, `cyclic`, `*` or a partition"),
        word_replicated => (2, "`replicated`"),
        edge | edge_name | word_constant => (2, "an edge such as `clamp`"),
        mesh_side | word_auto => (2, "`auto` or a number"),
        one_hole => (2, "a value"),
        typed_array => (1, "`:`"),
        hole_format => (4, "`:` and a format"),
        item => (2, "a declaration"),
        stmt | array_decl | let_stmt | var_stmt | for_stmt | while_stmt | break_stmt | simple_stmt => {
            (3, "a statement")
        }
        infix => (8, "an operator"),
        expr | values | prefix | reduce | scan | combine | number | boolean | if_chain | paren | table | blank
        | grad | postfix | hole | range => (2, "a value"),
        op_neg | op_not | reduce_op => (2, "a value"),
        nl | EOI => (9, "the end of the statement"),
        _ if is_operator(rule) => (8, "an operator"),
        _ => return None,
    })
}

/// Whether a rule is an operator between two values.
fn is_operator(rule: Rule) -> bool {
    use Rule::*;
    matches!(
        rule,
        op_or | op_and | op_eq | op_ne | op_le | op_ge | op_lt | op_gt | op_bitor | op_bitxor | op_bitand | op_shl
    ) || matches!(rule, op_shr | op_add | op_sub | op_mul | op_div | op_int_div | op_mod | op_pow)
}
