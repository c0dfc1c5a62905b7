//! Transmission parameters and the times derived from them (RFC 7252 4.8).

use std::time::Duration;

use super::limits;

/// What RFC 7252 4.8 lets a deployment choose. NB-IoT wants an `ack_timeout` of 5 to 15 s; all
/// other times follow.
#[derive(Clone, Debug, PartialEq)]
pub struct TransmissionParameters {
    /// ACK_TIMEOUT: the shortest wait before the first retransmission.
    pub ack_timeout: Duration,
    /// ACK_RANDOM_FACTOR: the longest is this much longer; at least 1.
    pub ack_random_factor: f64,
    /// MAX_RETRANSMIT: how often a message is sent again.
    pub max_retransmit: u32,
    /// NSTART: outstanding interactions with one peer (4.7).
    pub nstart: usize,
    /// MAX_LATENCY: how long a datagram may be under way (4.8.2).
    pub max_latency: Duration,
    /// After this an unanswered request is acknowledged by an empty message (5.2.2). Not of the
    /// RFC; half of ACK_TIMEOUT is early enough that the peer does not retransmit.
    pub acknowledge_after: Duration,
}

impl Default for TransmissionParameters {
    fn default() -> Self {
        Self::with_ack_timeout(Duration::from_secs(2))
    }
}

impl TransmissionParameters {
    /// The RFC's defaults around another ACK_TIMEOUT.
    #[must_use]
    pub fn with_ack_timeout(ack_timeout: Duration) -> Self {
        Self {
            ack_timeout,
            ack_random_factor: 1.5,
            max_retransmit: 4,
            nstart: 1,
            max_latency: Duration::from_secs(100),
            acknowledge_after: ack_timeout / 2,
        }
    }

    /// MAX_TRANSMIT_SPAN: from the first transmission to the last.
    #[must_use]
    pub fn max_transmit_span(&self) -> Duration {
        self.spread((1 << self.max_retransmit) - 1)
    }

    /// MAX_TRANSMIT_WAIT: from the first transmission until the sender gives up.
    #[must_use]
    pub fn max_transmit_wait(&self) -> Duration {
        self.spread((1 << (self.max_retransmit + 1)) - 1)
    }

    /// PROCESSING_DELAY: how long a node takes to turn a message into its acknowledgement.
    #[must_use]
    pub fn processing_delay(&self) -> Duration {
        self.ack_timeout
    }

    /// MAX_RTT.
    #[must_use]
    pub fn max_rtt(&self) -> Duration {
        2 * self.max_latency + self.processing_delay()
    }

    /// EXCHANGE_LIFETIME: for so long the id of a confirmable message may not be used again.
    #[must_use]
    pub fn exchange_lifetime(&self) -> Duration {
        self.max_transmit_span() + self.max_rtt()
    }

    /// NON_LIFETIME: the same of a non-confirmable message.
    #[must_use]
    pub fn non_lifetime(&self) -> Duration {
        self.max_transmit_span() + self.max_latency
    }

    /// Brought into the ranges in which all derived times are finite.
    #[must_use]
    pub(super) fn bounded(mut self) -> Self {
        self.ack_timeout = self
            .ack_timeout
            .clamp(Duration::from_millis(1), limits::ACK_TIMEOUT_MAX);
        if !(1.0..=16.0).contains(&self.ack_random_factor) {
            self.ack_random_factor = 1.5;
        }
        self.max_retransmit = self.max_retransmit.min(limits::MAX_RETRANSMIT_MAX);
        self.nstart = self.nstart.max(1);
        self
    }

    /// The wait before the first retransmission (4.2): `fraction` of 0 to 1 in its range.
    pub(super) fn first_wait(&self, fraction: f64) -> Duration {
        let factor = 1.0 + (self.ack_random_factor - 1.0) * fraction;
        self.ack_timeout.mul_f64(factor)
    }

    fn spread(&self, times: u32) -> Duration {
        (self.ack_timeout * times).mul_f64(self.ack_random_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7252 4.8.2, Table 3.
    #[test]
    fn the_defaults_give_the_times_of_table_3() {
        let p = TransmissionParameters::default();
        assert_eq!(p.max_transmit_span(), Duration::from_secs(45));
        assert_eq!(p.max_transmit_wait(), Duration::from_secs(93));
        assert_eq!(p.processing_delay(), Duration::from_secs(2));
        assert_eq!(p.max_rtt(), Duration::from_secs(202));
        assert_eq!(p.exchange_lifetime(), Duration::from_secs(247));
        assert_eq!(p.non_lifetime(), Duration::from_secs(145));
    }

    #[test]
    fn all_times_follow_a_slow_link() {
        let p = TransmissionParameters::with_ack_timeout(Duration::from_secs(10));
        assert_eq!(p.max_transmit_span(), Duration::from_secs(225));
        assert_eq!(p.max_transmit_wait(), Duration::from_secs(465));
        assert_eq!(p.exchange_lifetime(), Duration::from_secs(225 + 210));
        assert_eq!(p.acknowledge_after, Duration::from_secs(5));
    }

    #[test]
    fn absurd_parameters_are_brought_into_range() {
        let p = TransmissionParameters {
            ack_timeout: Duration::MAX,
            ack_random_factor: f64::NAN,
            max_retransmit: u32::MAX,
            nstart: 0,
            ..Default::default()
        };
        let p = p.bounded();
        assert!(p.max_transmit_wait() > Duration::ZERO);
        assert_eq!(p.nstart, 1);
    }
}
