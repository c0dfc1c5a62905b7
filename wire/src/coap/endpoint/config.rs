//! What is chosen once for an endpoint.

use crate::coap::TransmissionParameters;
use crate::coap::limits;
use crate::coap::message::BlockSize;

/// What is chosen once for an endpoint.
#[derive(Clone, Debug)]
pub struct Config {
    /// For all peers that have none of their own.
    pub parameters: TransmissionParameters,
    /// The largest block that is sent, and proposed for what is received.
    pub block_size: BlockSize,
    /// Bytes of a token, 1 to 8.
    pub token_length: usize,
    /// Critical options that the application understands beside those of RFC 7252 and 7959.
    pub understood: Vec<u16>,
    /// Peers, at most [`limits::PEERS_MAX`].
    pub peers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parameters: TransmissionParameters::default(),
            block_size: BlockSize::MAX,
            token_length: 4,
            understood: Vec::new(),
            peers: limits::PEERS_MAX,
        }
    }
}
