//! Python-like format specifications.
