//! Arrays as NumPy prints them.
