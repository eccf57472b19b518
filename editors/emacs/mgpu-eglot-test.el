;;; mgpu-eglot-test.el --- A session of eglot with `mgpu lsp' -*- lexical-binding: t; -*-

;; Run by scripts/editors.sh where eglot is found; MGPU names the command.

(require 'ert)
(require 'mgpu-mode)
(require 'eglot)
(require 'flymake)

(ert-deftest mgpu-eglot-shows-the-compilers-reports ()
  (setf (cadr (assq 'mgpu-mode eglot-server-programs)) (getenv "MGPU"))
  (let* ((folder (make-temp-file "mgpu" t))
         (file (expand-file-name "wrong.mgpu" folder))
         (eglot-sync-connect t)
         (project-find-functions (list (lambda (_) (cons 'transient folder))))
         reports)
    (with-temp-file file
      (insert "array u: f32[8]\nworkflow main { u[i] = u[i-1] }\n"))
    (with-current-buffer (find-file-noselect file)
      (apply #'eglot (eglot--guess-contact))
      (flymake-mode 1)
      (flymake-start)
      (let ((until (+ (float-time) 20)))
        (while (and (null reports) (< (float-time) until))
          (accept-process-output nil 0.1)
          (setq reports (flymake-diagnostics))))
      (should (string-match-p "reaches -1" (flymake-diagnostic-text (car reports))))
      (eglot-shutdown (eglot-current-server)))))

;;; mgpu-eglot-test.el ends here
