//! Elements as files keep them: those of arrays, and the small integers of pictures and instruments, which no array holds.

use crate::ir::elem;
use crate::ir::ty::Ty;

/// The type of a file's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Of(Ty),
    /// Integers of so many bytes (1 or 2), with a sign or without.
    Small {
        bytes: usize,
        signed: bool,
    },
}

impl Stored {
    pub const SMALL: [Stored; 4] = [
        Stored::Small { bytes: 1, signed: false },
        Stored::Small { bytes: 1, signed: true },
        Stored::Small { bytes: 2, signed: false },
        Stored::Small { bytes: 2, signed: true },
    ];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Stored::Of(ty) => ty.size(),
            Stored::Small { bytes, .. } => bytes,
        }
    }

    /// Whether an array of `ty` takes the elements: every value is one of `ty`, or the nearest one for integers of 64 bits in `f64`.
    pub fn widens(self, ty: Ty) -> bool {
        match self {
            Stored::Of(from) => from.widens(ty) && (from == ty || !ty.is_complex()),
            Stored::Small { bytes, signed } => match ty {
                Ty::I32 | Ty::I64 => true,
                Ty::U32 | Ty::U64 => !signed,
                ty => ty.precision().is_some_and(|p| 8 * bytes as u32 <= p),
            },
        }
    }

    /// The bits of an element as one of `ty`, which it widens to.
    pub fn widened(self, element: &[u8], ty: Ty) -> u64 {
        let mut word = [0u8; 8];
        word[..self.size()].copy_from_slice(element);
        let bits = u64::from_le_bytes(word);
        match self {
            Stored::Of(from) => elem::cast(from, ty, bits),
            Stored::Small { bytes, signed } => {
                let unused = 64 - 8 * bytes as u32;
                let value = if signed { (bits << unused) as i64 >> unused } else { bits as i64 };
                elem::cast(Ty::I64, ty, value as u64)
            }
        }
    }
}

impl From<Ty> for Stored {
    fn from(ty: Ty) -> Stored {
        Stored::Of(ty)
    }
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stored::Of(ty) => write!(f, "{ty}"),
            Stored::Small { bytes, signed } => write!(f, "{}{}", if *signed { "i" } else { "u" }, 8 * bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ty::Value;

    #[test]
    fn small_integers_keep_their_values() {
        let [u8s, i8s, u16s, i16s] = Stored::SMALL;
        let value = |s: Stored, bytes: &[u8], ty| Value { ty, bits: s.widened(bytes, ty) }.to_string();
        assert_eq!(value(u8s, &[200], Ty::I32), "200");
        assert_eq!(value(i8s, &[200], Ty::I32), "-56");
        assert_eq!(value(i8s, &[200], Ty::F16), "-56.0");
        assert_eq!(value(u16s, &[0xff, 0xff], Ty::F32), "65535.0");
        assert_eq!(value(i16s, &[0xfe, 0xff], Ty::I64), "-2");
        assert_eq!(value(Stored::Of(Ty::F32), &0.5f32.to_le_bytes(), Ty::F64), "0.5");
        assert!(u8s.widens(Ty::Bf16) && u8s.widens(Ty::U32) && !i8s.widens(Ty::U32) && !u16s.widens(Ty::F16));
        assert!(!u8s.widens(Ty::Bool) && !Stored::Of(Ty::F64).widens(Ty::F32) && !Stored::Of(Ty::I64).widens(Ty::F32));
        assert_eq!(i16s.to_string(), "i16");
    }
}
