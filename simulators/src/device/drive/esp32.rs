//! Downloads as the updater of an ESP32 makes them (contract IoTaaP B5): one HTTP/1.0 request,
//! no range and no second try; what comes has a length, an MD5 if the server says one, and begins
//! like a firmware.

use ::http::{HeaderMap, Request, StatusCode, Version, header};
use bytes::Bytes;
use fotalab_wire::{
    image,
    net::{Network, http},
};
use md5::{Digest as _, Md5};

use crate::device::firmware::FetchFailure;
use crate::device::{Device, Speaks};
use crate::limits;

/// The first byte of an application for an ESP32.
const MAGIC: u8 = 0xE9;

/// What an updater says of its device.
#[derive(Clone, Debug)]
pub(super) struct Esp32 {
    mac: [u8; 6],
    free: usize,
    sketch_md5: String,
}

impl Esp32 {
    /// The updater of a device of IoTaaP.
    pub(super) fn of(device: &Device) -> Option<Self> {
        if device.persona().speaks != Speaks::Iotaap {
            return None;
        }
        let serial = Md5::digest(device.identity().serial);
        // 24:0A:C4 is Espressif's.
        let mac = [0x24, 0x0A, 0xC4, serial[0], serial[1], serial[2]];
        Some(Self {
            mac,
            free: device.persona().flash_bytes,
            sketch_md5: hex(&Md5::digest(device.firmware().running())),
        })
    }

    /// Downloads a firmware whole.
    pub(super) async fn download(
        &self,
        network: &dyn Network,
        uri: &str,
    ) -> Result<Bytes, FetchFailure> {
        let mac: Vec<String> = self.mac.iter().map(|it| format!("{it:02X}")).collect();
        let request = Request::get(uri)
            .version(Version::HTTP_10)
            .header(header::USER_AGENT, "ESP32-http-Update")
            .header(header::CACHE_CONTROL, "no-cache")
            .header("x-ESP32-STA-MAC", mac.join(":"))
            .header("x-ESP32-AP-MAC", mac.join(":"))
            .header("x-ESP32-free-space", self.free.to_string())
            .header("x-ESP32-sketch-size", "0")
            .header("x-ESP32-sketch-md5", &self.sketch_md5)
            .header("x-ESP32-chip-size", (2 * self.free).to_string())
            .header("x-ESP32-sdk-version", "v4.4")
            .header("x-ESP32-mode", "sketch")
            .body(Bytes::new());
        let request = request.map_err(|_| FetchFailure::NotFound)?;
        let sent = http::send(network, request, limits::HTTP_BODY_BYTES).await;
        let answer = sent.map_err(|_| FetchFailure::Lost)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(FetchFailure::NotFound),
            _ => return Err(FetchFailure::Refused),
        }
        check(answer.headers(), answer.body())?;
        Ok(answer.into_body())
    }
}

fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), FetchFailure> {
    let said = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let length = said("content-length").and_then(|it| it.parse::<usize>().ok());
    if length != Some(body.len()) || body.is_empty() {
        return Err(FetchFailure::Refused);
    }
    let md5 = said("x-md5");
    if md5.is_some_and(|it| !it.trim().eq_ignore_ascii_case(&hex(&Md5::digest(body)))) {
        return Err(FetchFailure::Damaged);
    }
    // Images of fotalab's own are as good for a simulated chip.
    if body.first() == Some(&MAGIC) || body.starts_with(&image::MAGIC) {
        Ok(())
    } else {
        Err(FetchFailure::Foreign)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_checked() {
        let headers = |length: usize, md5: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("content-length", length.into());
            if let Some(md5) = md5 {
                headers.insert("x-md5", md5.parse().expect("a value"));
            }
            headers
        };
        let body = b"\xe9 firmware";
        // printf '\xe9 firmware' | md5sum
        let md5 = hex(&Md5::digest(body));
        assert_eq!(check(&headers(10, Some(&md5.to_uppercase())), body), Ok(()));
        assert_eq!(check(&headers(10, None), body), Ok(()));
        assert_eq!(check(&HeaderMap::new(), body), Err(FetchFailure::Refused));
        assert_eq!(check(&headers(0, None), b""), Err(FetchFailure::Refused));
        let wrong = check(&headers(10, Some("d41d8cd98f00b204e9800998ecf8427e")), body);
        assert_eq!(wrong, Err(FetchFailure::Damaged));
        assert_eq!(
            check(&headers(4, None), b"text"),
            Err(FetchFailure::Foreign)
        );
    }
}
