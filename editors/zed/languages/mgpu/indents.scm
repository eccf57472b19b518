(block "}" @end) @indent
(parameters ")" @end) @indent
(arguments ")" @end) @indent
(parenthesized ")" @end) @indent
(subscripts "]" @end) @indent
(table "]" @end) @indent
