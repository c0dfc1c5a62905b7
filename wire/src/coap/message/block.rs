//! The value of the Block1 and Block2 options (RFC 7959 2.2).

use std::fmt;

/// A block size as its exponent: 0 to 6 for 16 to 1024 bytes (RFC 7959 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockSize(u8);

impl BlockSize {
    /// 16 bytes.
    pub const MIN: Self = Self(0);
    /// 1024 bytes.
    pub const MAX: Self = Self(6);

    /// From the exponent SZX; 7 is reserved.
    #[must_use]
    pub fn from_szx(szx: u8) -> Option<Self> {
        (szx <= Self::MAX.0).then_some(Self(szx))
    }

    /// The largest block size that is not above `bytes`, and 16 below that.
    #[must_use]
    pub fn at_most(bytes: usize) -> Self {
        let mut size = Self::MAX;
        while size > Self::MIN && size.bytes() > bytes {
            size.0 -= 1;
        }
        size
    }

    /// SZX.
    #[must_use]
    pub fn szx(self) -> u8 {
        self.0
    }

    /// 2 ** (SZX + 4).
    #[must_use]
    pub fn bytes(self) -> usize {
        16 << self.0
    }
}

/// One block's number, whether more follow, and its size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// NUM: below 2 ** 20.
    pub number: u32,
    /// M.
    pub more: bool,
    /// SZX.
    pub size: BlockSize,
}

impl Block {
    /// NUM has twenty bits.
    pub const NUMBER_MAX: u32 = (1 << 20) - 1;

    /// The block that starts at `offset`; `None` where no block of that size starts or NUM ends.
    #[must_use]
    pub fn at(offset: usize, more: bool, size: BlockSize) -> Option<Self> {
        if !offset.is_multiple_of(size.bytes()) {
            return None;
        }
        let number = u32::try_from(offset / size.bytes()).ok()?;
        (number <= Self::NUMBER_MAX).then_some(Self { number, more, size })
    }

    /// From the option's number; `None` for the reserved SZX 7 or more than three bytes.
    #[must_use]
    pub fn from_value(value: u32) -> Option<Self> {
        let number = value >> 4;
        if number > Self::NUMBER_MAX {
            return None;
        }
        Some(Self {
            number,
            more: value & 8 != 0,
            size: BlockSize::from_szx((value & 7) as u8)?,
        })
    }

    /// NUM, M and SZX in one number.
    #[must_use]
    pub fn to_value(self) -> u32 {
        self.number << 4 | u32::from(self.more) << 3 | u32::from(self.size.0)
    }

    /// Where its bytes stand in the body.
    #[must_use]
    pub fn offset(self) -> usize {
        self.number as usize * self.size.bytes()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, more) = (self.number, u8::from(self.more));
        write!(f, "{number}/{more}/{}", self.size.bytes())
    }
}
