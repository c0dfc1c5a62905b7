//! `application/link-format` (40), RFC 6690: what registrations and discoveries are written in.

use std::fmt;

use super::{At, DecodeError, Errors, utf8};
use crate::lwm2m::error::Problem;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;

const ERRORS: Errors = Errors(ContentFormat::Link);

/// `<target>;name=value;...`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Link {
    /// What is between the angle brackets.
    pub target: String,
    /// Attributes in the order written, unescaped; a flag has no value.
    pub attributes: Vec<(String, Option<String>)>,
}

impl Link {
    /// A link without attributes.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            attributes: Vec::new(),
        }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes
            .push((name.to_owned(), Some(value.to_string())));
        self
    }

    /// The value of the first attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.as_deref())
    }
}

/// Values of digits and dots are bare, as LwM2M writes them; all others are quoted.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.target)?;
        for (name, value) in &self.attributes {
            write!(f, ";{name}")?;
            match value {
                None => {}
                Some(value) if is_number(value) => write!(f, "={value}")?,
                Some(value) => {
                    f.write_str("=\"")?;
                    for char in value.chars() {
                        let escape = if matches!(char, '"' | '\\') { "\\" } else { "" };
                        write!(f, "{escape}{char}")?;
                    }
                    f.write_str("\"")?;
                }
            }
        }
        Ok(())
    }
}

/// Links with commas between them.
#[must_use]
pub fn encode(links: &[Link]) -> Vec<u8> {
    let written: Vec<String> = links.iter().map(Link::to_string).collect();
    written.join(",").into_bytes()
}

/// All links of a payload; an empty one has none.
pub fn decode(payload: &[u8]) -> Result<Vec<Link>, DecodeError> {
    if payload.len() > limits::PAYLOAD {
        return Err(ERRORS.limit(At::Byte(limits::PAYLOAD), "bytes", limits::PAYLOAD));
    }
    let text = utf8(ERRORS, At::Byte, payload)?;
    let mut reader = Reader { text: &text, at: 0 };
    let mut links = Vec::new();
    reader.blanks();
    if reader.rest().is_empty() {
        return Ok(links);
    }
    loop {
        if links.len() == limits::LINKS {
            return Err(ERRORS.limit(reader.here(), "links", limits::LINKS));
        }
        links.push(reader.link()?);
        reader.blanks();
        if reader.rest().is_empty() {
            return Ok(links);
        }
        reader.expect(',', "`,` between links")?;
        reader.blanks();
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn link(&mut self) -> Result<Link, DecodeError> {
        self.expect('<', "`<` before a target")?;
        let target = self.take_while(|char| char != '>').to_owned();
        self.expect('>', "`>` after a target")?;
        let mut link = Link::new(target);
        loop {
            self.blanks();
            if !self.rest().starts_with(';') {
                return Ok(link);
            }
            self.at += 1;
            self.blanks();
            if link.attributes.len() == limits::LINK_ATTRIBUTES {
                return Err(ERRORS.limit(
                    self.here(),
                    "attributes of a link",
                    limits::LINK_ATTRIBUTES,
                ));
            }
            let name = self.take_while(is_name).to_owned();
            if name.is_empty() {
                return Err(ERRORS.syntax(self.here(), "the name of an attribute is missing"));
            }
            let value = self
                .rest()
                .starts_with('=')
                .then(|| self.value())
                .transpose()?;
            link.attributes.push((name, value));
        }
    }

    fn value(&mut self) -> Result<String, DecodeError> {
        self.at += 1;
        if !self.rest().starts_with('"') {
            let bare = self.take_while(|char| !matches!(char, ',' | ';' | '"' | '<' | ' '));
            if bare.is_empty() {
                return Err(ERRORS.syntax(self.here(), "the value of an attribute is missing"));
            }
            return Ok(bare.to_owned());
        }
        let start = self.at;
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += offset + 1;
                    return Ok(value);
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                char => value.push(char),
            }
        }
        let problem = Problem::Syntax("a quoted value has no end".to_owned());
        Err(ERRORS.problem(At::Byte(start), problem))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn here(&self) -> At {
        At::Byte(self.at)
    }

    fn blanks(&mut self) {
        self.take_while(|char| matches!(char, ' ' | '\t' | '\r' | '\n'));
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !belongs(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn expect(&mut self, char: char, what: &str) -> Result<(), DecodeError> {
        if !self.rest().starts_with(char) {
            return Err(ERRORS.syntax(self.here(), format!("{what} is missing")));
        }
        self.at += char.len_utf8();
        Ok(())
    }
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$&+-.^_`|~*%/".contains(char)
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    digits.starts_with(|char: char| char.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quotes_escapes_and_flags() {
        let links = decode(br#"</a>;title="x, \"y\"; \\";obs;ct=40 , <b>;sz=1"#).unwrap();
        assert_eq!(links[0].attribute("title"), Some(r#"x, "y"; \"#));
        assert_eq!(links[0].attributes[1], ("obs".to_owned(), None));
        assert_eq!(links[1], Link::new("b").with("sz", 1));
        assert_eq!(
            encode(&links),
            br#"</a>;title="x, \"y\"; \\";obs;ct=40,<b>;sz=1"#
        );
        assert_eq!(decode(b""), Ok(vec![]));
    }

    #[test]
    fn says_where_a_link_breaks() {
        for (payload, message) in [
            ("/5/0", "byte 0: `<` before a target is missing"),
            ("</5", "byte 3: `>` after a target is missing"),
            ("</5> </6>", "byte 5: `,` between links is missing"),
            ("</5>,", "byte 5: `<` before a target is missing"),
            ("</5>;=1", "byte 5: the name of an attribute is missing"),
            ("</5>;ver=", "byte 9: the value of an attribute is missing"),
            ("</5>;ver=\"1.0", "byte 9: a quoted value has no end"),
        ] {
            assert_eq!(
                decode(payload.as_bytes()).unwrap_err().to_string(),
                format!("link format payload, {message}")
            );
        }
        assert!(
            decode(&b"</1>,".repeat(limits::LINKS + 1))
                .unwrap_err()
                .code()
                .to_string()
                == "4.13"
        );
    }
}
