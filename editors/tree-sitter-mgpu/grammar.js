/**
 * The syntax of mgpu for editors. `grammar/mgpu.pest` is its definition; this grammar accepts what that one accepts, and a little
 * more. The ends of statements come from `src/scanner.c`. Words that are no keyword everywhere are keywords only where the parser can
 * use them, which is the rule of the language.
 */
/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

const { types, reductions, edges } = require("./words.js");

const PREC = {
  or: 1, and: 2, not: 3, condition: 4, compare: 5, bitor: 6, bitxor: 7, bitand: 8, shift: 9, add: 10, reduce: 11, multiply: 12,
  negate: 13, power: 14,
};

/** The reductions whose term is a condition. */
const conditions = ["count", "any", "all"];

/** The words that begin a statement and may be names. */
const statements = ["print", "assert", "expect", "load", "save", "plot", "animate"];

const list = (rule) => seq(rule, repeat(seq(",", rule)));
const listed = (rule) => seq(list(rule), optional(","));

module.exports = grammar({
  name: "mgpu",

  externals: ($) => [$._newline],
  extras: ($) => [/[ \t\r\n\uFEFF]/, $.comment, $.doc_comment],
  word: ($) => $.identifier,
  supertypes: ($) => [$.expression, $.statement],
  conflicts: ($) => [
    // `sum[k]` is a reduction before a term, else an element of an array `sum`.
    [$._reduction_head, $._soft_name],
    [$._condition_head, $._soft_name],
    // `scan(max)[i] x[i]`, and a call of a function `scan`.
    [$._scan_head, $._soft_name],
    [$._combination_head, $._soft_name],
  ],

  rules: {
    source_file: ($) => seq(repeat(";"), repeat(seq($._item, repeat1($._end))), optional($._item)),

    _end: ($) => choice($._newline, ";"),

    _item: ($) => choice(
      $.use_declaration, $.param_declaration, $.let_declaration, $.partition_declaration, $.array_declaration,
      $.fn_declaration, $.kernel_declaration, $.workflow_declaration, $.test_declaration,
    ),

    // ------------------------------------------------------------ declarations

    use_declaration: ($) => seq("use", field("module", choice($.string, $.module_path)), ":", list(field("name", $.identifier))),
    module_path: ($) => seq($.identifier, repeat(seq(".", $.identifier))),
    param_declaration: ($) => seq("param", field("name", $.identifier), ":", field("type", $.type), "=", field("value", $.expression)),
    let_declaration: ($) => seq(
      "let", field("name", $.identifier), optional(seq(":", field("type", $.type))), "=", field("value", $.expression),
    ),
    partition_declaration: ($) => seq("partition", field("name", $.identifier), "=", field("placement", $._placement)),

    _placement: ($) => choice($.replicated, $.distributions, $.identifier),
    replicated: () => "replicated",
    distributions: ($) => seq(choice(seq("(", listed($.distribution), ")"), $.distribution), optional($.over_clause)),
    distribution: ($) => choice("block", seq("cyclic", optional(seq("(", $.expression, ")"))), "*"),
    over_clause: ($) => seq("over", "(", listed(choice("auto", $.expression)), ")"),

    array_declaration: ($) => seq(
      "array", list(field("name", $.identifier)),
      choice(
        $.like_clause,
        seq(
          ":", field("type", $.type), optional($.from_clause), optional(choice($.in_clause, $.aligned_clause)),
          optional($.edge_clause),
        ),
      ),
    ),
    like_clause: ($) => seq("like", $.identifier),
    from_clause: ($) => seq("from", $.string),
    in_clause: ($) => seq("in", $._placement),
    aligned_clause: ($) => seq("aligned", $.identifier),
    edge_clause: ($) => seq("edge", choice(seq("(", listed($.edge), ")"), $.edge)),
    edge: ($) => choice(...edges, seq("constant", "(", $.expression, ")")),

    type: ($) => prec.right(seq($.type_name, optional(seq("[", listed($.expression), "]")))),
    type_name: ($) => choice(...types, "kernel", alias($.identifier, $.type_variable)),

    fn_declaration: ($) => seq(
      "fn", field("name", $.identifier), field("parameters", $.parameters), "->",
      field("result", choice($.type, seq("(", listed($.type), ")"))), $._body,
    ),
    _body: ($) => choice(seq("=", field("value", $.expression)), field("body", $.block)),
    parameters: ($) => seq("(", optional(listed($.parameter)), ")"),
    parameter: ($) => seq(field("name", $.identifier), ":", field("type", $.type)),
    kernel_declaration: ($) => seq(
      "kernel", field("name", $.identifier), field("parameters", $.parameters), "->", field("results", $.results), $._body,
    ),
    results: ($) => list($.result),
    result: ($) => seq(optional(seq(field("name", $.identifier), ":")), field("type", $.type)),
    workflow_declaration: ($) => seq(
      "workflow", field("name", $.identifier), optional(field("parameters", $.parameters)),
      optional(seq("->", field("results", $.results))), field("body", $.block),
    ),
    test_declaration: ($) => seq("test", field("title", $.string), optional($.with_clause), field("body", $.block)),
    with_clause: ($) => seq("with", list($.binding)),
    binding: ($) => seq(field("name", $.identifier), "=", field("value", $.expression)),

    // ------------------------------------------------------------ statements

    block: ($) => seq("{", repeat(";"), repeat(seq($.statement, repeat1($._end))), optional($.statement), "}"),

    statement: ($) => choice(
      $.array_declaration, $.let_statement, $.var_statement, $.for_statement, $.while_statement, $.break_statement,
      $.print_statement, $.assert_statement, $.expect_statement, $.load_statement, $.save_statement, $.plot_statement, $.animate_statement,
      $.equation, $.expression_statement,
    ),

    let_statement: ($) => seq(
      "let", list($.target), optional(seq(":", field("type", $.type))), "=", list(field("value", $.expression)),
    ),
    target: ($) => seq(field("name", $.identifier), optional($.subscripts)),
    var_statement: ($) => seq(
      "var", field("name", $.identifier), optional(seq(":", field("type", $.type))), "=", field("value", $.expression),
    ),
    for_statement: ($) => seq("for", field("index", $.identifier), "in", $.range, field("body", $.block)),
    while_statement: ($) => seq("while", field("condition", $.expression), field("body", $.block)),
    break_statement: () => "break",
    print_statement: ($) => seq("print", $.text),
    assert_statement: ($) => prec(1, seq("assert", field("condition", $.expression), optional(seq(",", $.text)))),
    expect_statement: ($) => prec(1, seq("expect", field("condition", $.expression))),
    load_statement: ($) => seq("load", field("array", $.identifier), "from", $.text),
    save_statement: ($) => seq("save", field("array", $.identifier), "to", $.text),
    plot_statement: ($) => seq("plot", field("array", $.identifier), "to", $.text),
    animate_statement: ($) => seq("animate", field("array", $.identifier), "to", $.text),

    equation: ($) => seq(
      field("left", $._expressions), field("operator", choice("=", "+=", "-=", "*=", "/=", "min=", "max=")), field("right", $._expressions),
      optional(choice($.for_clause, $.otherwise)),
    ),
    expression_statement: ($) => $._expressions,
    _expressions: ($) => list($.expression),
    for_clause: ($) => seq("for", list($.binder)),
    otherwise: () => "otherwise",
    binder: ($) => seq(field("index", $.identifier), "in", $.range),
    range: ($) => seq(field("start", $.expression), "..", field("end", $.expression), optional(seq("by", field("step", $.expression)))),

    // ------------------------------------------------------------ expressions

    expression: ($) => choice(
      $.number, $.boolean, $.blank, $._name, $.if_expression, $.block, $.parenthesized, $.table, $.gradient, $.call, $.element,
      $.unary, $.binary, $.reduction, $.scan, $.combination,
    ),

    _name: ($) => choice($.identifier, alias($._soft_name, $.identifier)),
    _soft_name: () => choice(...reductions, "scan", "reduce", "grad", ...statements),

    call: ($) => seq(field("function", $._name), field("arguments", $.arguments)),
    arguments: ($) => seq("(", optional(listed($.expression)), ")"),
    element: ($) => seq(field("array", $._name), $.subscripts),
    subscripts: ($) => seq("[", listed($.expression), "]"),
    parenthesized: ($) => seq("(", listed($.expression), ")"),
    table: ($) => seq("[", listed($.expression), "]"),
    blank: () => "_",

    if_expression: ($) => prec.right(seq(
      "if", field("condition", $.expression), field("then", $.block),
      optional(seq("else", field("else", choice($.block, $.if_expression)))),
    )),

    gradient: ($) => prec.right(seq("grad", choice($._name, $.call, $.element), "for", list($.identifier))),

    reduction: ($) => choice(
      prec.dynamic(1, prec(PREC.condition, seq($._condition_head, field("term", $.expression)))),
      prec.dynamic(1, prec(PREC.reduce, seq($._reduction_head, field("term", $.expression)))),
    ),
    _condition_head: ($) => seq(field("operator", choice(...conditions)), $.indices),
    _reduction_head: ($) => seq(field("operator", choice(...reductions.filter((r) => !conditions.includes(r)))), $.indices),
    indices: ($) => seq("[", listed($.index), "]"),
    index: ($) => seq(field("name", $.identifier), optional(seq("in", $.range))),
    scan: ($) => prec.dynamic(1, prec(PREC.reduce, seq($._scan_head, field("term", $.expression)))),
    _scan_head: ($) => seq(
      "scan", "(", field("operator", choice("+", "*", $._name)),
      optional(choice(seq(",", "exclusive"), seq(",", field("start", $.expression), optional(seq(",", "exclusive"))))), ")", $.indices,
    ),
    combination: ($) => prec.dynamic(1, prec(PREC.reduce, seq($._combination_head, field("term", $.expression)))),
    _combination_head: ($) => seq("reduce", "(", field("operator", $._name), ",", field("start", $.expression), ")", $.indices),

    unary: ($) => choice(
      prec(PREC.negate, seq(field("operator", "-"), field("argument", $.expression))),
      prec(PREC.not, seq(field("operator", "not"), field("argument", $.expression))),
    ),

    binary: ($) => {
      const operators = [
        [PREC.or, "or"], [PREC.and, "and"], [PREC.compare, choice("==", "!=", "<=", ">=", "<", ">")], [PREC.bitor, "bitor"],
        [PREC.bitxor, "bitxor"], [PREC.bitand, "bitand"], [PREC.shift, choice("shl", "shr")], [PREC.add, choice("+", "-")],
        [PREC.multiply, choice("*", "/", "div", "mod")],
      ];
      const binary = (operator) => seq(field("left", $.expression), field("operator", operator), field("right", $.expression));
      return choice(
        ...operators.map(([power, words]) => prec.left(power, binary(words))),
        prec.right(PREC.power, binary("^")),
      );
    },

    // ------------------------------------------------------------ text

    /** A text with holes: what a print, an assert or a path has. */
    text: ($) => seq('"', repeat(choice($._characters, $.escape, $.hole)), '"'),
    _characters: () => token.immediate(prec(1, /[^"\\{}\n]+/)),
    escape: () => token.immediate(prec(1, choice(/\\[^\n]/, "{{", "}}"))),
    hole: ($) => seq(token.immediate("{"), $.expression, optional(seq("for", $.binder)), optional($.format), "}"),
    format: () => /:[^}"\n]*/,

    string: () => /"(\\[^\n]|[^"\\\n])*"/,

    // ------------------------------------------------------------ tokens

    identifier: () => /[A-Za-z_][A-Za-z0-9_]*/,
    boolean: () => choice("true", "false"),
    number: () => token(choice(/0x[0-9a-fA-F_]+/, /[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?/)),
    comment: () => token(choice(/\/\/([^\/\n][^\n]*)?/, /\/\/\/\/[^\n]*/)),
    doc_comment: () => /\/\/\/([^\/\n][^\n]*)?/,
  },
});
