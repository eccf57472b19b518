;;; mgpu-mode-test.el --- Tests of mgpu-mode -*- lexical-binding: t; -*-

;; Run by scripts/editors.sh: emacs --batch -L editors/emacs -l mgpu-mode-test.el -f ert-run-tests-batch-and-exit

(require 'ert)
(require 'imenu)
(require 'mgpu-mode)

(defvar mgpu-test-root
  (expand-file-name "../.." (file-name-directory (or load-file-name buffer-file-name))))

(defun mgpu-test-programs ()
  "The examples and the library."
  (append (directory-files (expand-file-name "examples" mgpu-test-root) t "\\.mgpu\\'")
          (directory-files (expand-file-name "stdlib" mgpu-test-root) t "\\.mgpu\\'")))

(defun mgpu-test-face (text part)
  "The face of PART in the line TEXT."
  (with-temp-buffer
    (insert text)
    (mgpu-mode)
    (font-lock-ensure)
    (goto-char (point-min))
    (search-forward part)
    (get-text-property (match-beginning 0) 'face)))

(defun mgpu-test-lines ()
  "The lines of the buffer."
  (split-string (buffer-substring-no-properties (point-min) (point-max)) "\n"))

(ert-deftest mgpu-colours ()
  (let ((line "kernel energy(u: f32[n]) -> f64 = sum[i] sqrt(u[i] mod 2) // all\n"))
    (should (eq (mgpu-test-face line "kernel") 'font-lock-keyword-face))
    (should (eq (mgpu-test-face line "energy") 'font-lock-function-name-face))
    (should (eq (mgpu-test-face line "f32") 'font-lock-type-face))
    (should (eq (mgpu-test-face line "sum") 'font-lock-builtin-face))
    (should (eq (mgpu-test-face line "sqrt") 'font-lock-builtin-face))
    (should (eq (mgpu-test-face line "mod") 'font-lock-keyword-face))
    (should (eq (mgpu-test-face line "2)") 'font-lock-constant-face))
    (should (eq (mgpu-test-face line "all") 'font-lock-comment-face)))
  (should (eq (mgpu-test-face "/// What it is\nfn f" "What") 'font-lock-doc-face))
  (should (eq (mgpu-test-face "print \"for {x}\"\n" "for") 'font-lock-string-face)))

(ert-deftest mgpu-files-open-in-the-mode-and-keep-their-indentation ()
  (should (> (length (mgpu-test-programs)) 12))
  (dolist (file (mgpu-test-programs))
    (let ((buffer (find-file-noselect file)))
      (with-current-buffer buffer
        (should (eq major-mode 'mgpu-mode))
        (font-lock-ensure)
        (let ((before (mgpu-test-lines)))
          (indent-region (point-min) (point-max))
          ;; The lines that moved, not the whole text.
          (let ((moved (seq-filter #'identity (seq-mapn (lambda (a b) (unless (equal a b) (list file a b)))
                                                        before (mgpu-test-lines)))))
            (should-not moved)))
        (set-buffer-modified-p nil))
      (kill-buffer buffer))))

(ert-deftest mgpu-comments-and-the-index ()
  (with-temp-buffer
    (insert "kernel k(u: f32[n]) -> v: f32[n] {\n    v[i] = u[i]\n}\n")
    (mgpu-mode)
    (should (assoc "k" (funcall imenu-create-index-function)))
    (comment-region (point-min) (point-max))
    (should (string-prefix-p "// kernel" (buffer-string)))))

;;; mgpu-mode-test.el ends here
