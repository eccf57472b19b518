// Written from grammar/mgpu.pest by tests/editors.rs.
module.exports = {
  types: [
    "bool", "i32", "i64", "u32", "u64", "f32", "f64", "f16", "bf16", "c64", "c128",
  ],
  reductions: [
    "sum", "prod", "min", "max", "any", "all", "count", "mean", "argmin", "argmax",
  ],
  edges: [
    "clamp", "periodic", "mirror", "odd", "none",
  ],
};
