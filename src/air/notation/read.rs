//! Reads messages as scenarios write them.

use fotalab_wire::coap::message::{Code, Kind};

use super::{CodeNotation, Line, Notation, PayloadNotation};
use crate::{
    air::{
        Outcome,
        show::{Form, OPTIONS},
        unhex,
    },
    plan::Mistake,
    trace::code_named,
};

/// Several messages, one in each line; empty lines and those behind `#` do not count.
pub(crate) fn read_lines(text: &str) -> Result<Vec<Line>, Mistake> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(at, line)| (at + 1, line.trim()));
    let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let read: Vec<Line> = said
        .map(|(at, line)| match line {
            "..." | "…" => Ok(Line::Gap),
            _ => read_line(line)
                .map(|it| Line::Message(Box::new(it)))
                .map_err(|why| Mistake::in_line(at, why)),
        })
        .collect::<Result<_, _>>()?;
    if read.iter().all(|it| *it == Line::Gap) {
        return Err(Mistake::in_line(1, "there is no message in the code block"));
    }
    Ok(read)
}

/// One message in several lines.
pub(crate) fn read_block(text: &str) -> Result<Notation, Mistake> {
    let mut lines = text.lines().enumerate();
    let first = lines.find(|(_, line)| !line.trim().is_empty());
    let (at, line) = first.ok_or_else(|| Mistake::in_line(1, "there is no message in it"))?;
    let mut notation = read_line(line).map_err(|why| Mistake::in_line(at + 1, why))?;
    let mut payload = None;
    for (at, line) in lines.by_ref() {
        if line.trim().is_empty() {
            payload = Some(at);
            break;
        }
        let wrong = |why| Mistake::in_line(at + 1, why);
        let line = line.trim();
        match (line.strip_prefix('!'), line.split_once(':')) {
            (Some(name), _) => notation.absent.push(option(name.trim()).map_err(wrong)?),
            (None, Some((name, value))) => {
                notation.take(name.trim(), value.trim()).map_err(wrong)?;
                notation.text.push_str(&format!(" {line}"));
            }
            (None, None) => {
                let why = format!("`{line}` is no option such as `Content-Format: 40`");
                return Err(wrong(why));
            }
        }
    }
    if payload.is_some() {
        let rest: Vec<&str> = lines.map(|(_, line)| line).collect();
        let body = rest.join("\n");
        let body = body.trim_end_matches('\n');
        if !body.is_empty() {
            notation.payload = Some(
                payload_of(body)
                    .map_err(|why| Mistake::in_line(payload.map_or(1, |at| at + 2), why))?,
            );
        }
    }
    Ok(notation)
}

/// One message in one line.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_line(text: &str) -> Result<Notation, String> {
    let text = text.trim();
    let mut notation = Notation {
        text: text.to_owned(),
        ..Notation::default()
    };
    let mut rest = text;
    for (arrow, up) in [("->", false), ("→", false), ("<-", true), ("←", true)] {
        if let Some(behind) = rest.strip_prefix(arrow) {
            notation.up = Some(up);
            rest = behind.trim_start();
            break;
        }
    }
    rest = notation.take_remarks(rest)?;
    rest = notation.take_payload(rest)?;
    let mut words = rest.split_whitespace().peekable();
    let mut word = words.next().unwrap_or("*");
    if let Some(kind) = kind(word) {
        notation.kind = Some(kind);
        word = words.next().unwrap_or("*");
    } else if word == "*" && words.peek().is_some_and(|next| code(next).is_some()) {
        word = words.next().unwrap_or("*");
    }
    notation.code = code(word).ok_or_else(|| {
        format!(
            "`{word}` is no method, such as GET, and no code, such as 2.05 or 4.*{}",
            if text.is_empty() {
                ""
            } else {
                ", in a message"
            }
        )
    })?;
    if let Some(path) = words.next_if(|it| it.starts_with('/') || *it == "*" || it.starts_with('?'))
    {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        notation.path = (!path.is_empty()).then(|| path.to_owned());
        let items = query.split('&').filter(|it| !it.is_empty());
        notation.query = items.map(str::to_owned).collect();
    }
    while let Some(word) = words.next() {
        if let Some(name) = word.strip_prefix('!') {
            notation.absent.push(option(name)?);
            continue;
        }
        let Some((name, value)) = word.split_once(':') else {
            return Err(format!("`{word}` is no option such as `Block1: 0/1/512`"));
        };
        let value = match value {
            "" => words.next().unwrap_or_default(),
            value => value,
        };
        notation.take(name, value)?;
    }
    Ok(notation)
}

impl Notation {
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "MID" | "mid" => {
                if value != "*" && value.parse::<u16>().is_err() {
                    return Err(format!("MID: `{value}` is no number from 0 to 65535"));
                }
                self.id = Some(value.to_owned());
            }
            "Token" | "token" => {
                let hex = value.strip_prefix("hex:").unwrap_or(value);
                let plain = hex.replace('*', "");
                if plain.chars().any(|it| !it.is_ascii_hexdigit()) {
                    return Err(format!("Token: `{value}` is not hexadecimal"));
                }
                self.token = Some(hex.to_ascii_lowercase());
            }
            _ => self.options.push((option(name)?, value.to_owned())),
        }
        Ok(())
    }

    /// The words in parentheses at the end.
    fn take_remarks<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let mut rest = text.trim_end();
        while let Some(before) = rest.strip_suffix(')') {
            let Some((before, remark)) = before.rsplit_once('(') else {
                break;
            };
            // Parentheses can also end a payload's text.
            if before.trim_end().is_empty() || remark.contains([']', '[']) {
                break;
            }
            self.outcome = match remark.trim() {
                "again" => {
                    self.again = true;
                    self.outcome
                }
                "delivered" => Some(Outcome::Delivered),
                "lost" => Some(Outcome::Lost),
                "duplicated" => Some(Outcome::Duplicated),
                "corrupted" => Some(Outcome::Corrupted),
                "late" => Some(Outcome::Late),
                other => {
                    return Err(format!(
                        "`({other})` is none of (lost), (delivered), (duplicated), (corrupted), \
                         (late), (again)"
                    ));
                }
            };
            rest = before.trim_end();
        }
        Ok(rest)
    }

    /// What stands in brackets at the end.
    fn take_payload<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let Some(inner) = text.strip_suffix(']') else {
            return Ok(text);
        };
        let Some((before, payload)) = inner.split_once('[') else {
            return Err("a `]` ends the message, but no `[` begins its payload".to_owned());
        };
        self.payload = Some(payload_of(payload)?);
        Ok(before.trim_end())
    }
}

fn payload_of(text: &str) -> Result<PayloadNotation, String> {
    if text.is_empty() {
        return Ok(PayloadNotation::Empty);
    }
    if let Some(digits) = text.strip_prefix("hex:") {
        return unhex(digits)
            .map(PayloadNotation::Bytes)
            .ok_or_else(|| format!("`{text}` is no hexadecimal digits in pairs"));
    }
    let length = text.strip_suffix(" bytes").or(text.strip_suffix(" byte"));
    if let Some(length) = length.and_then(|it| it.parse().ok()) {
        return Ok(PayloadNotation::Length(length));
    }
    if text.starts_with('/')
        && let Some((path, value)) = text.split_once(" = ")
    {
        return Ok(PayloadNotation::Value(
            path.trim().to_owned(),
            value.trim().to_owned(),
        ));
    }
    Ok(PayloadNotation::Text(text.to_owned()))
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "CON" => Kind::Confirmable,
        "NON" => Kind::NonConfirmable,
        "ACK" => Kind::Acknowledgement,
        "RST" => Kind::Reset,
        _ => return None,
    })
}

fn code(word: &str) -> Option<CodeNotation> {
    match word {
        "*" => return Some(CodeNotation::Any),
        "empty" => return Some(CodeNotation::Is(Code::EMPTY)),
        "IPATCH" => return Some(CodeNotation::Is(Code::IPATCH)),
        _ => {}
    }
    if let Some(class) = word.strip_suffix(".*") {
        let class = class.parse().ok().filter(|it| *it < 8)?;
        return Some(CodeNotation::Class(class));
    }
    code_named(word).map(CodeNotation::Is)
}

fn option(name: &str) -> Result<u16, String> {
    let named = OPTIONS
        .iter()
        .find(|(_, known, _)| known.eq_ignore_ascii_case(name));
    if let Some((number, ..)) = named {
        return Ok(*number);
    }
    let digits = name
        .strip_prefix("Option-")
        .or_else(|| name.strip_prefix("Option "))
        .unwrap_or(name);
    if let Ok(number) = digits.parse() {
        return Ok(number);
    }
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let nearest = OPTIONS
        .iter()
        .map(|(_, known, _)| *known)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.unwrap_or_default();
    Err(format!(
        "there is no option `{name}`; did you mean `{nearest}`? One without a name is `Option-{}`",
        65_000
    ))
}

/// How the value of an option is written.
pub(super) fn form(number: u16) -> Form {
    OPTIONS
        .iter()
        .find(|(known, ..)| *known == number)
        .map_or(Form::Bytes, |(.., form)| *form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all_its_parts() {
        let line = "<- NON 2.05 /5/0/3 Observe: * Content-Format:0 !ETag MID: 7 Token:A1 [/5/0/3 = 2] (lost)";
        let read = read_line(line).expect("good");
        assert_eq!(read.up, Some(true));
        assert_eq!(read.kind, Some(Kind::NonConfirmable));
        assert_eq!(read.code, CodeNotation::Is(Code::CONTENT));
        assert_eq!(read.path.as_deref(), Some("/5/0/3"));
        assert_eq!(read.options, [(6, "*".to_owned()), (12, "0".to_owned())]);
        assert_eq!(read.absent, [4]);
        assert_eq!(read.token.as_deref(), Some("a1"));
        assert_eq!(read.outcome, Some(Outcome::Lost));
        let value = PayloadNotation::Value("/5/0/3".into(), "2".into());
        assert_eq!(read.payload, Some(value));
    }

    #[test]
    fn a_block_has_an_option_in_each_line() {
        let read = read_block("ACK 2.01\nLocation-Path: rd\nLocation-Path: *\n\nhex: 00 ff")
            .expect("good");
        assert_eq!(read.options.len(), 2);
        assert_eq!(read.payload, Some(PayloadNotation::Bytes(vec![0, 255])));
        let read = read_block("NON POST /dp\n\nimage:new[0..64]").expect("good");
        assert_eq!(read.image(), Some(("new".to_owned(), Some((0, 64)))));
    }

    #[test]
    fn mistakes_are_told() {
        for (line, part) in [
            ("-> CON FETHC /5", "no method"),
            ("-> CON GET /5 Blokc1:0/1/512", "did you mean `Block1`"),
            ("-> CON GET /5 Observe", "no option such as"),
            ("-> ACK 2.5", "no method"),
            ("-> CON GET /5 (gone)", "none of (lost)"),
            ("-> CON GET /5 MID:x", "no number"),
            ("-> CON GET /5 0]", "no `[`"),
        ] {
            let why = read_line(line).expect_err(line);
            assert!(why.contains(part), "{line}: {why}");
        }
        assert_eq!(
            read_lines("GET /5\n# why\n\nGTE /5")
                .expect_err("typo")
                .line,
            4
        );
        assert_eq!(
            read_block("CON GET /5\nObserve 0")
                .expect_err("no colon")
                .line,
            2
        );
    }
}
