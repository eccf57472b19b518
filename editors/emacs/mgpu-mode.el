;;; mgpu-mode.el --- Major mode for mgpu programs -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages
;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Colours, indentation, comments, imenu and the language server (`M-x eglot') for programs that end in .mgpu.

;;; Code:

;; words: begin
(defconst mgpu--reserved
  '(
    "param" "let" "var" "array" "partition" "fn" "kernel" "workflow" "use" "test" "if" "else" "for" "while" "break"
    "true" "false" "and" "or" "not" "div" "mod"))

(defconst mgpu--soft
  '(
    "aligned" "animate" "assert" "auto" "bitand" "bitor" "bitxor" "block" "by" "clamp" "constant" "cyclic" "edge"
    "exclusive" "expect" "from" "grad" "in" "like" "load" "mirror" "none" "odd" "otherwise" "over" "periodic" "plot"
    "print" "reduce" "replicated" "save" "scan" "shl" "shr" "to" "with"))

(defconst mgpu--type
  '(
    "bool" "i32" "i64" "u32" "u64" "f32" "f64" "f16" "bf16" "c64" "c128"))

(defconst mgpu--reduction
  '(
    "sum" "prod" "min" "max" "any" "all" "count" "mean" "argmin" "argmax"))

(defconst mgpu--builtin
  '(
    "abs" "acos" "arg" "asin" "atan" "atan2" "bits" "cbrt" "ceil" "complex" "conj" "cos" "cosh" "erf" "exp" "exp2"
    "expm1" "floor" "fma" "from_bits" "hypot" "im" "inf" "log" "log10" "log1p" "log2" "max" "min" "mulhi" "nan" "pi"
    "pow" "ranks" "re" "round" "select" "sin" "sinh" "sqrt" "tan" "tanh" "trunc"))

;; words: end

(defgroup mgpu nil "Programs of the language mgpu." :group 'languages)

(defcustom mgpu-command "mgpu"
  "The command mgpu, with its path where it is not found."
  :type 'string)

(defcustom mgpu-indent-offset 4
  "Blanks of one level of indentation."
  :type 'integer :safe #'integerp)

(defvar mgpu-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 12" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?_ "_" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?\\ "\\" table)
    (dolist (c (string-to-list "+-*^=<>.,:;"))
      (modify-syntax-entry c "." table))
    table))

(defvar mgpu-font-lock-keywords
  `((,(concat "\\_<" (regexp-opt '("fn" "kernel" "workflow")) "\\_>[ \t]+\\([A-Za-z_][A-Za-z0-9_]*\\)")
     1 font-lock-function-name-face)
    ("\\_<\\(?:param\\|partition\\|array\\|let\\|var\\)\\_>[ \t]+\\([A-Za-z_][A-Za-z0-9_]*\\)"
     1 font-lock-variable-name-face)
    (,(concat "\\_<" (regexp-opt mgpu--reduction t) "\\[") 1 font-lock-builtin-face)
    (,(regexp-opt mgpu--reserved 'symbols) . font-lock-keyword-face)
    (,(regexp-opt mgpu--soft 'symbols) . font-lock-keyword-face)
    (,(regexp-opt mgpu--type 'symbols) . font-lock-type-face)
    (,(regexp-opt mgpu--builtin 'symbols) . font-lock-builtin-face)
    ("\\_<\\(?:0x[0-9a-fA-F_]+\\|[0-9][0-9_]*\\(?:\\.[0-9][0-9_]*\\)?\\(?:[eE][+-]?[0-9]+\\)?\\)\\_>"
     . font-lock-constant-face)))

(defun mgpu--syntactic-face (state)
  "The face of the comment or text of STATE; `///' is documentation."
  (cond ((nth 3 state) font-lock-string-face)
        ((save-excursion (goto-char (nth 8 state)) (looking-at "///\\(?:[^/]\\|$\\)")) font-lock-doc-face)
        (t font-lock-comment-face)))

(defun mgpu--continues-p ()
  "Whether the line at point goes on with the statement of the line before it."
  (or (looking-at "->\\|\\_<otherwise\\_>\\|\\_<for\\_>[^{\n]*$")
      (save-excursion
        (forward-comment (- (point)))
        (and (not (bobp))
             (memq (char-before) (string-to-list "+-*/^=<>,"))
             (not (looking-back "\\_<in[ \t]+\\*\\|=[ \t]+\\*" (line-beginning-position)))))))

(defun mgpu--base (bracket)
  "The indentation of the statement in which BRACKET stands; a brace may end the lines of a long head."
  (save-excursion
    (goto-char bracket)
    (back-to-indentation)
    (while (and (eq (char-after bracket) ?{) (mgpu--continues-p) (zerop (forward-line -1)))
      (back-to-indentation))
    (current-indentation)))

(defun mgpu-indent-line ()
  "Indent the line: one level for each open line of brackets, one more where a statement goes on."
  (interactive)
  (let* ((from-end (- (point-max) (point)))
         (column (save-excursion
                   (back-to-indentation)
                   (let* ((state (syntax-ppss))
                          (inner (nth 1 state))
                          (closes (looking-at "[])}]")))
                     (cond ((nth 3 state) nil)
                           ((null inner) (if (mgpu--continues-p) mgpu-indent-offset 0))
                           (t (let ((base (mgpu--base inner)))
                                (cond (closes base)
                                      ((and (eq (char-after inner) ?{)
                                            ;; A block that begins on its own line.
                                            (save-excursion (goto-char (1+ inner)) (looking-at "[ \t]*\\(//.*\\)?$"))
                                            (mgpu--continues-p))
                                       (+ base (* 2 mgpu-indent-offset)))
                                      (t (+ base mgpu-indent-offset))))))))))
    (when column (indent-line-to column))
    (when (> (- (point-max) from-end) (point))
      (goto-char (- (point-max) from-end)))))

;;;###autoload
(define-derived-mode mgpu-mode prog-mode "mgpu"
  "Major mode for mgpu programs."
  (setq-local comment-start "// "
              comment-end ""
              comment-start-skip "//+[ \t]*"
              indent-tabs-mode nil
              indent-line-function #'mgpu-indent-line
              imenu-generic-expression '((nil "^\\(?:fn\\|kernel\\|workflow\\)[ \t]+\\([A-Za-z0-9_]+\\)" 1)
                                         ("Arrays" "^array[ \t]+\\([A-Za-z0-9_]+\\)" 1)
                                         ("Parameters" "^param[ \t]+\\([A-Za-z0-9_]+\\)" 1))
              font-lock-defaults '(mgpu-font-lock-keywords nil nil nil
                                   (font-lock-syntactic-face-function . mgpu--syntactic-face))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.mgpu\\'" . mgpu-mode))

(with-eval-after-load 'eglot
  (defvar eglot-server-programs)
  (add-to-list 'eglot-server-programs
               `(mgpu-mode . (,mgpu-command "lsp" :initializationOptions (:ranks 4)))))

(provide 'mgpu-mode)
;;; mgpu-mode.el ends here
