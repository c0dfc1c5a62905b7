//! `Captured`: what crossed a link, as a pcapng file that Wireshark opens.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-05.html>, sections in brackets.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{Datagram, Fate, Link};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
/// Raw IP, version 4 or 6 by its first nibble.
const LINKTYPE_RAW: u16 = 101;
/// `TLSK`: lines in the format of NSS key logs [4.7].
const TLS_KEY_LOG: u32 = 0x544c_534b;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_IF_NAME: u16 = 2;
const OPTION_IF_TSRESOL: u16 = 9;
const UDP: u8 = 17;
const HOP_LIMIT: u8 = 64;

/// Writes a pcapng file, a block at a time.
#[derive(Debug)]
pub struct Pcapng<W> {
    out: W,
    epoch: Duration,
    /// IP identification, as a host counts its packets.
    packets: u16,
}

impl<W: Write> Pcapng<W> {
    /// Begins a file with its section [4.1] and one interface [4.2] with nanosecond times.
    /// `epoch` is the time since 1970 at which the world began.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(out: W, epoch: Duration) -> io::Result<Self> {
        let mut file = Self {
            out,
            epoch,
            packets: 0,
        };
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        section.extend(u64::MAX.to_le_bytes());
        file.block(SECTION_HEADER, &section)?;

        let mut interface = Vec::new();
        interface.extend(LINKTYPE_RAW.to_le_bytes());
        interface.extend(0_u16.to_le_bytes());
        interface.extend(0_u32.to_le_bytes());
        option(&mut interface, OPTION_IF_NAME, b"fotalab");
        option(&mut interface, OPTION_IF_TSRESOL, &[9]);
        option(&mut interface, OPTION_END, &[]);
        file.block(INTERFACE_DESCRIPTION, &interface)?;
        Ok(file)
    }

    /// Writes one datagram [4.3] with IP and UDP headers made for it.
    ///
    /// # Errors
    /// What the writer says; both addresses must be of one family.
    pub fn datagram(&mut self, at: Duration, datagram: &Datagram) -> io::Result<()> {
        self.remarked(at, datagram, "")
    }

    /// The same with a comment [3.5], unless that is empty.
    ///
    /// # Errors
    /// As above.
    pub fn remarked(&mut self, at: Duration, datagram: &Datagram, comment: &str) -> io::Result<()> {
        self.packets = self.packets.wrapping_add(1);
        let packet = ip_packet(datagram, self.packets)
            .ok_or_else(|| io::Error::other("a datagram between IPv4 and IPv6, or above 64 KiB"))?;
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let nanos = self.epoch.saturating_add(at).as_nanos();
        let mut block = Vec::with_capacity(packet.len() + 24);
        block.extend(0_u32.to_le_bytes());
        block.extend(
            u32::try_from((nanos >> 32) & 0xffff_ffff)
                .unwrap_or(0)
                .to_le_bytes(),
        );
        block.extend(
            u32::try_from(nanos & 0xffff_ffff)
                .unwrap_or(0)
                .to_le_bytes(),
        );
        block.extend(length.to_le_bytes());
        block.extend(length.to_le_bytes());
        block.extend(packet);
        pad(&mut block);
        if !comment.is_empty() {
            option(&mut block, OPTION_COMMENT, comment.as_bytes());
            option(&mut block, OPTION_END, &[]);
        }
        self.block(ENHANCED_PACKET, &block)
    }

    /// Writes key log lines (`CLIENT_RANDOM ...`) [4.7], which lets everybody who has the file
    /// read what was encrypted. Wireshark wants them before the packets they open.
    ///
    /// # Errors
    /// What the writer says.
    pub fn secrets(&mut self, key_log: &str) -> io::Result<()> {
        let mut block = Vec::new();
        block.extend(TLS_KEY_LOG.to_le_bytes());
        block.extend(
            u32::try_from(key_log.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        block.extend(key_log.as_bytes());
        pad(&mut block);
        self.block(DECRYPTION_SECRETS, &block)
    }

    /// The writer, when the file is complete.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let total = u32::try_from(body.len() + 12).map_err(io::Error::other)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&total.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&total.to_le_bytes())
    }
}

/// Where on the link the capture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// As sent: what is lost later is in the file.
    Sent,
    /// As delivered: with losses, duplicates and addresses as the receiver has them.
    Delivered,
}

/// Captures what crosses the link inside.
///
/// The first error of the writer ends the capture, not the traffic: ask [`Captured::error`].
#[derive(Debug)]
pub struct Captured<L, W> {
    link: L,
    file: Pcapng<W>,
    tap: Tap,
    error: Option<io::Error>,
}

impl<L: Link, W: Write + Send> Captured<L, W> {
    /// Captures at `tap` of `link`.
    pub fn new(link: L, file: Pcapng<W>, tap: Tap) -> Self {
        Self {
            link,
            file,
            tap,
            error: None,
        }
    }

    /// The file, to add secrets to it.
    pub fn file_mut(&mut self) -> &mut Pcapng<W> {
        &mut self.file
    }

    /// The link inside.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Why the capture ended early.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    fn write(&mut self, now: Duration, datagram: &Datagram) {
        if self.error.is_none() {
            self.error = self.file.datagram(now, datagram).err();
        }
    }
}

impl<L: Link, W: Write + Send> Link for Captured<L, W> {
    fn send(&mut self, now: Duration, datagram: Datagram) -> Fate {
        if self.tap == Tap::Sent {
            self.write(now, &datagram);
        }
        self.link.send(now, datagram)
    }

    fn poll_deliver(&mut self, now: Duration) -> Option<Datagram> {
        let datagram = self.link.poll_deliver(now)?;
        if self.tap == Tap::Delivered {
            self.write(now, &datagram);
        }
        Some(datagram)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.link.poll_timeout()
    }
}

fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend(value);
    pad(block);
}

/// The datagram with its IP (RFC 791, RFC 8200) and UDP (RFC 768) headers.
fn ip_packet(datagram: &Datagram, identification: u16) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(datagram.bytes.len() + 8).ok()?;
    let mut udp = Vec::with_capacity(usize::from(udp_length));
    udp.extend(datagram.from.port().to_be_bytes());
    udp.extend(datagram.to.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend_from_slice(&datagram.bytes);
    let checksum = match udp_checksum(datagram.from, datagram.to, &udp)? {
        0 => 0xffff,
        sum => sum,
    };
    udp.splice(6..8, checksum.to_be_bytes());

    let mut packet = Vec::with_capacity(udp.len() + 40);
    match (datagram.from.ip(), datagram.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend(udp_length.checked_add(20)?.to_be_bytes());
            packet.extend(identification.to_be_bytes());
            packet.extend([0x40, 0, HOP_LIMIT, UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let header = !sum(&packet, 0);
            packet.splice(10..12, header.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(udp_length.to_be_bytes());
            packet.extend([UDP, HOP_LIMIT]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => return None,
    }
    packet.extend(udp);
    Some(packet)
}

fn udp_checksum(from: SocketAddr, to: SocketAddr, udp: &[u8]) -> Option<u16> {
    let mut pseudo = Vec::with_capacity(40);
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            pseudo.extend(from.octets());
            pseudo.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            pseudo.extend(from.octets());
            pseudo.extend(to.octets());
        }
        _ => return None,
    }
    pseudo.extend([0, UDP]);
    pseudo.extend(u16::try_from(udp.len()).ok()?.to_be_bytes());
    Some(!sum(udp, sum(&pseudo, 0)))
}

/// The one's complement sum of 16-bit words (RFC 1071).
fn sum(bytes: &[u8], start: u16) -> u16 {
    let total = bytes.chunks(2).fold(u64::from(start), |total, word| {
        let high = word.first().copied().unwrap_or(0);
        let low = word.get(1).copied().unwrap_or(0);
        total + u64::from(u16::from_be_bytes([high, low]))
    });
    let mut folded = total;
    while folded > 0xffff {
        folded = (folded >> 16) + (folded & 0xffff);
    }
    u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::net::VirtualLink;

    fn datagram(from: &str, to: &str, bytes: &'static [u8]) -> Datagram {
        Datagram {
            from: from.parse().expect("an address"),
            to: to.parse().expect("an address"),
            bytes: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn checksums_sum_to_all_ones() {
        let packet = ip_packet(&datagram("127.0.0.1:5683", "127.1.2.3:40000", b"abc"), 7)
            .expect("one family");
        assert_eq!(sum(&packet[..20], 0), 0xffff);
        let mut pseudo = packet[12..20].to_vec();
        pseudo.extend([0, UDP, 0, 11]);
        assert_eq!(sum(&packet[20..], sum(&pseudo, 0)), 0xffff);
        // RFC 1071, section 3: the sum of 00 01 f2 03 f4 f5 f6 f7 is dd f2.
        assert_eq!(sum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7], 0), 0xddf2);
    }

    #[test]
    fn a_capture_is_blocks_that_add_up() {
        let file = Pcapng::new(Vec::new(), Duration::from_secs(1_700_000_000)).expect("memory");
        let mut link = Captured::new(VirtualLink::new(), file, Tap::Sent);
        link.file_mut()
            .secrets("CLIENT_RANDOM 00 11\n")
            .expect("memory");
        link.send(
            Duration::from_millis(5),
            datagram("[::1]:1", "[::1]:2", b"hello"),
        );
        link.send(
            Duration::from_millis(6),
            datagram("10.0.0.1:1", "127.0.0.1:2", b""),
        );
        assert!(link.error().is_none());
        let bytes = link.file.into_inner();
        let mut kinds = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("four"));
            let length = word(4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(length - 4) as usize, length);
            kinds.push(word(0));
            rest = &rest[length..];
        }
        assert_eq!(
            kinds,
            [
                SECTION_HEADER,
                INTERFACE_DESCRIPTION,
                DECRYPTION_SECRETS,
                ENHANCED_PACKET,
                ENHANCED_PACKET
            ]
        );
    }
}
