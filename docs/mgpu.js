// Colours for programs in the book. The words that matter for reading, not all: the editors have the full lists.
(function () {
  if (typeof hljs === "undefined") return;
  hljs.registerLanguage("mgpu", function (hljs) {
    const keywords = {
      keyword:
        "param let var array partition fn kernel workflow use test if else for while break and or not div mod in by to from like " +
        "aligned edge over auto otherwise print assert expect load save plot block replicated clamp periodic mirror odd constant",
      literal: "true false",
      type: "bool i32 i64 u32 u64 f32 f64",
      built_in: "sum prod min max any all count mean argmin argmax sqrt exp log sin cos abs pi ranks",
    };
    return {
      keywords: keywords,
      contains: [hljs.COMMENT("//", "$"), { className: "string", begin: '"', end: '"' }, hljs.C_NUMBER_MODE],
    };
  });
  document.querySelectorAll("code.language-mgpu").forEach(function (block) {
    block.removeAttribute("data-highlighted");
    (hljs.highlightElement || hljs.highlightBlock)(block);
  });
})();
