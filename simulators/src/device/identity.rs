//! Who a device says it is: made up from its seed, so that nothing has to be kept.

use fake::Fake as _;
use fake::faker::company::en::CompanyName;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// What stands in /3/0 and on the label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// /3/0/0.
    pub manufacturer: String,
    /// /3/0/1.
    pub model: String,
    /// /3/0/2.
    pub serial: String,
    /// 15 digits with their check digit (3GPP TS 23.003 annex B).
    pub imei: String,
}

impl Identity {
    /// The one that belongs to a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let manufacturer: String = CompanyName().fake_with_rng(&mut random);
        let letter = char::from(b'A' + random.random_range(0..26_u8));
        let model = format!("{letter}{}", random.random_range(100..1_000_u32));
        let serial = format!("{:012X}", random.random::<u64>() >> 16);
        // 35 is the reporting body of most modules; the rest is free.
        let digits = format!("35{:012}", random.random_range(0..1_000_000_000_000_u64));
        Self {
            imei: format!("{digits}{}", luhn(&digits)),
            manufacturer,
            model,
            serial,
        }
    }
}

/// The digit that makes the sum of Luhn's rule a multiple of ten.
fn luhn(digits: &str) -> u32 {
    let doubled = digits.bytes().rev().enumerate().map(|(index, byte)| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        match index % 2 {
            0 if digit > 4 => 2 * digit - 9,
            0 => 2 * digit,
            _ => digit,
        }
    });
    (10 - doubled.sum::<u32>() % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_identity_and_another_seed_another() {
        let one = Identity::of_seed(1);
        assert_eq!(one, Identity::of_seed(1));
        assert_ne!(one.imei, Identity::of_seed(2).imei);
        assert_eq!(one.imei.len(), 15);
        assert!(!one.manufacturer.is_empty() && !one.model.is_empty());
    }

    /// The example of 3GPP TS 23.003 annex B and of every phone.
    #[test]
    fn the_check_digit_is_luhns() {
        assert_eq!(luhn("49015420323751"), 8);
    }
}
