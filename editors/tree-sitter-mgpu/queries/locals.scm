; Names that are known in a part of a program only.
[
  (fn_declaration) (kernel_declaration) (workflow_declaration) (test_declaration) (block) (for_statement) (equation) (reduction)
] @local.scope

(parameter name: (identifier) @local.definition.parameter)
(result name: (identifier) @local.definition.var)
(target name: (identifier) @local.definition.var)
(var_statement name: (identifier) @local.definition.var)
(block (array_declaration name: (identifier) @local.definition.var))
(for_statement index: (identifier) @local.definition.var)
(binder index: (identifier) @local.definition.var)
(index name: (identifier) @local.definition.var)

(identifier) @local.reference
