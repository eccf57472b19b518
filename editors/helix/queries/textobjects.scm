; What `mif`, `maf`, `mia`, `]f`, `]c` and their kin select and go to.
[(fn_declaration) (kernel_declaration) (workflow_declaration) (test_declaration)] @function.around
(kernel_declaration (block) @function.inside)
(workflow_declaration (block) @function.inside)
(test_declaration (block) @function.inside)
(parameter) @parameter.inside @parameter.around
[(comment) (doc_comment)] @comment.inside @comment.around
