//! What code blocks and arguments with CoAP messages hold, for the plan.

use super::{Defaults, encode, read_block, read_line, read_lines};
use crate::plan::{Form, Mistake};

/// Messages, one in each line, for the plan.
pub(crate) static MESSAGES: Form = Form {
    name: "CoAP messages, one in each line",
    example: "-> CON GET /3/0/3\n<- ACK 2.05 [/3/0/3 = 1.0.0]",
    required: true,
    check: |_, code| read_lines(code).map(drop),
    secrets: Form::no_secrets,
};

/// One message in several lines that others are compared with, for the plan.
pub(crate) static MESSAGE: Form = Form {
    name: "a CoAP message: type and code, an option in each line, an empty line, the payload",
    example: "ACK 2.01\nLocation-Path: rd\nLocation-Path: *",
    required: true,
    check: |_, code| read_block(code).map(drop),
    secrets: Form::no_secrets,
};

/// One message in several lines that is sent, for the plan.
pub(crate) static OUTGOING: Form = Form {
    name: "a CoAP message: type and code, an option in each line, an empty line, the payload",
    example: "CON POST /rd?ep=tester&lt=60&lwm2m=1.1\nContent-Format: 40\n\n</5/0>",
    required: true,
    check: |_, code| {
        let notation = read_block(code)?;
        let image = notation.image().is_some();
        let defaults = Defaults::default();
        let sendable = if image {
            notation.with_payload(vec![0])
        } else {
            notation
        };
        encode(&sendable, &defaults)
            .map(drop)
            .map_err(|why| Mistake::in_line(1, why))
    },
    secrets: Form::no_secrets,
};

/// Looks at an argument that is a message in one line.
pub(crate) fn in_one_line(text: &str) -> Result<(), (String, String)> {
    let help = "write for example `-> CON PUT /5/0/0 Block1: 0/1/512`; `fotalab steps --format md` \
                says more";
    read_line(text)
        .map(drop)
        .map_err(|why| (why, help.to_owned()))
}
