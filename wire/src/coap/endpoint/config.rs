//! What is chosen once for an endpoint.

use std::sync::Arc;

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
    /// Gives the memory of its queues back whenever they are empty, for endpoints of which there
    /// are thousands.
    pub frugal: bool,
    /// Peers, at most [`limits::PEERS_MAX`].
    pub peers: usize,
}

impl Config {
    /// With parameters in their ranges; the same one if they are.
    pub(super) fn bounded(config: Arc<Self>) -> Arc<Self> {
        let parameters = config.parameters.clone().bounded();
        if parameters == config.parameters {
            return config;
        }
        Arc::new(Self {
            parameters,
            ..(*config).clone()
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parameters: TransmissionParameters::default(),
            block_size: BlockSize::MAX,
            token_length: 4,
            understood: Vec::new(),
            frugal: false,
            peers: limits::PEERS_MAX,
        }
    }
}
