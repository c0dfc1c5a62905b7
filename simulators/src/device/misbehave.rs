//! Faults below the object tree: what a device does to datagrams (contract 5.2).

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, Kind, Message, MessageView, Transmit};

use super::fault::Fault;
use super::{Device, Peer};
use crate::limits;

impl Device {
    /// Looks whether the last block of a push came again, for devices that do not know message
    /// ids. True: it is refused, and goes no further.
    pub(super) fn rejects_repeated_block(&mut self, datagram: &[u8], from: Peer) -> bool {
        let faults = [Fault::WritesFirstBlockTwice, Fault::RejectsRepeatedBlock];
        let has = |fault| self.kind.persona.fault(fault).is_some();
        if !faults.into_iter().any(has) {
            return false;
        }
        let Ok(view) = MessageView::parse(datagram) else {
            return false;
        };
        let Some(block) = view
            .block(number::BLOCK1)
            .filter(|_| view.code == Code::PUT)
        else {
            return false;
        };
        let again = self.last_block.replace(view.id) == Some(view.id);
        let first = block.number == 0;
        let rejects = again && self.firmware.block_came_again(first, view.payload());
        if rejects {
            let code = Code::REQUEST_ENTITY_INCOMPLETE;
            let mut answer = Message::new(Kind::Acknowledgement, code, view.id);
            answer.token = view.token;
            answer.options.push_block(number::BLOCK1, block);
            self.out.push_back(Transmit {
                to: from,
                payload: answer.to_bytes(),
            });
        }
        rejects
    }

    /// Sends a request of a pull more than once, each time with another message id.
    pub(super) fn copy_request(&mut self, transmit: &Transmit<Peer>) {
        let Some(strike) = self.kind.persona.fault(Fault::AsksManyTimes) else {
            return;
        };
        let is_request = transmit.payload.get(1) == Some(&Code::GET.0);
        if !is_request || self.fetch.is_none() {
            return;
        }
        let copies = strike.amount.min(limits::REQUEST_COPIES).saturating_sub(1);
        for copy in 1..=copies {
            let mut bytes = transmit.payload.to_vec();
            // Far away from the ids that come next.
            if let Some(high) = bytes.get_mut(2) {
                *high = high.wrapping_add(0x20 * copy as u8);
            }
            self.out.push_back(Transmit {
                to: transmit.to,
                payload: bytes.into(),
            });
        }
    }
}
