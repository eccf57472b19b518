// The ends of statements. A line's end is a token where a statement may end, unless the next line goes on with it: with `else`, `->`,
// `otherwise`, or a `for … in` without a `{` on its line. Behind an operator, a comma or an open bracket no statement may end,
// so the parser does not ask.
#include "tree_sitter/parser.h"

#include <string.h>

enum Token { NEWLINE };

void *tree_sitter_mgpu_external_scanner_create(void) { return NULL; }
void tree_sitter_mgpu_external_scanner_destroy(void *payload) { (void)payload; }
unsigned tree_sitter_mgpu_external_scanner_serialize(void *payload, char *buffer) {
    (void)payload, (void)buffer;
    return 0;
}
void tree_sitter_mgpu_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
    (void)payload, (void)buffer, (void)length;
}

static bool is_blank(int32_t c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool is_word(int32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool at_line_end(TSLexer *lexer) { return lexer->eof(lexer) || lexer->lookahead == '\n'; }

static void next(TSLexer *lexer) { lexer->advance(lexer, false); }

static void skip_line(TSLexer *lexer) {
    while (!at_line_end(lexer)) next(lexer);
}

static void skip_blanks(TSLexer *lexer) {
    while (is_blank(lexer->lookahead)) next(lexer);
}

// Whether a `{` stands in the rest of the line, outside texts and comments.
static bool line_opens_brace(TSLexer *lexer) {
    bool slash = false;
    while (!at_line_end(lexer)) {
        int32_t c = lexer->lookahead;
        if (c == '{') return true;
        if (c == '/' && slash) return false;
        slash = c == '/';
        next(lexer);
        while (c == '"' && !at_line_end(lexer)) {
            int32_t inner = lexer->lookahead;
            next(lexer);
            if (inner == '"') break;
            if (inner == '\\' && !at_line_end(lexer)) next(lexer);
        }
    }
    return false;
}

// Whether `otherwise` is a name here: something is assigned to it, or it is called or subscripted.
static bool is_left_side(TSLexer *lexer) {
    skip_blanks(lexer);
    int32_t c = lexer->lookahead;
    if (c == '=' || c == '[' || c == '(' || c == ',') return true;
    if (c != '+' && c != '-' && c != '*' && c != '/') return false;
    next(lexer);
    return lexer->lookahead == '=';
}

// Whether the code that comes next goes on with the statement before it. Blank lines and comments do not count.
static bool goes_on(TSLexer *lexer) {
    for (;;) {
        while (is_blank(lexer->lookahead) || lexer->lookahead == '\n') next(lexer);
        if (lexer->lookahead != '/') break;
        next(lexer);
        if (lexer->lookahead != '/') return false;
        skip_line(lexer);
    }
    if (lexer->lookahead == '-') {
        next(lexer);
        return lexer->lookahead == '>';
    }
    char word[16];
    unsigned length = 0;
    while (is_word(lexer->lookahead) && length < sizeof word - 1) {
        word[length++] = (char)lexer->lookahead;
        next(lexer);
    }
    word[length] = 0;
    if (is_word(lexer->lookahead)) return false;
    if (strcmp(word, "else") == 0) return true;
    if (strcmp(word, "otherwise") == 0) return !is_left_side(lexer);
    return strcmp(word, "for") == 0 && !line_opens_brace(lexer);
}

bool tree_sitter_mgpu_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
    (void)payload;
    if (!valid[NEWLINE]) return false;
    while (is_blank(lexer->lookahead)) lexer->advance(lexer, true);
    if (lexer->lookahead != '\n') return false;
    next(lexer);
    lexer->mark_end(lexer);
    lexer->result_symbol = NEWLINE;
    return !goes_on(lexer);
}
