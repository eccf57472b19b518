(param_declaration "param" @context name: (identifier) @name) @item
(partition_declaration "partition" @context name: (identifier) @name) @item
(source_file (array_declaration "array" @context name: (identifier) @name) @item)
(fn_declaration "fn" @context name: (identifier) @name) @item
(kernel_declaration "kernel" @context name: (identifier) @name) @item
(workflow_declaration "workflow" @context name: (identifier) @name) @item
(test_declaration "test" @context title: (string) @name) @item
