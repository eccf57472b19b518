//! Arrays as pictures.
