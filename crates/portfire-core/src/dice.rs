//! Seedable randomness: the only source of jitter, tokens and random ids.
//!
//! The generator is xoroshiro128++ (Blackman and Vigna, 2019). It is not for secrets: a token is a
//! fence against stale writers, not a credential.

/// A random source that repeats itself for the same seed.
#[derive(Clone, Debug)]
pub struct Dice([u64; 2]);

impl Dice {
    /// A source for this seed. An all-zero seed is replaced, because the generator would stay at zero.
    pub const fn from_seed(seed: [u64; 2]) -> Self {
        match seed {
            [0, 0] => Self([0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9]),
            other => Self(other),
        }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, mut b] = self.0;
        let result = a.wrapping_add(b).rotate_left(17).wrapping_add(a);
        b ^= a;
        self.0 = [a.rotate_left(49) ^ b ^ (b << 21), b.rotate_left(28)];
        result
    }

    /// A whole number from 0 to `bound - 1`; 0 when `bound` is 0.
    ///
    /// Multiply-and-shift (Lemire, 2019): the bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of a 128-bit product fits 64 bits")
    }

    /// A fraction from 0 (inclusive) to 1 (exclusive).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
