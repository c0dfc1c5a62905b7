//! Code blocks (`contracts/scenario-dialect.md`, section 1.7), and what to make of one that is not
//! closed: the reference hangs there; here the rest of the file is still read.

use super::{
    super::{Diagnostic, Span, Text, lines::Line},
    blocks::{Content, KEYWORDS, Reader},
};

impl<'a> Reader<'_, 'a> {
    pub(super) fn read_code(&mut self, opening: Line<'a>) {
        let info = &opening.text[3..];
        let fence = Span::new(opening.start, opening.visible().end);
        if info.starts_with('`') {
            return self.read_long_fence(opening);
        }
        let letters = info
            .find(|it: char| !it.is_ascii_alphabetic())
            .unwrap_or(info.len());
        let language = (letters > 0).then(|| info[..letters].to_owned());
        let end = self.fence_end(self.at);
        let mut content: Vec<Line<'a>> = vec![Line {
            text: &info[letters..],
            start: opening.start + 3 + letters,
        }];
        let last = match end {
            Ok(last) | Err(last) => last,
        };
        content.extend_from_slice(&self.lines[self.at + 1..last]);
        // All white space behind the language goes, blank lines and the first indent with it.
        let first = content
            .iter()
            .position(|it| !it.is_blank())
            .unwrap_or(content.len());
        let mut content = content.split_off(first);
        if let Some(first) = content.first_mut() {
            *first = first.trimmed_start();
        }
        let mut code = Text::new();
        for (index, line) in content.iter().enumerate() {
            if index > 0 {
                code.push("\n", line.start.saturating_sub(1));
            }
            code.push(line.text, line.start);
        }
        if end.is_ok() {
            self.at = last + 1;
            self.push(
                Span::new(opening.start, self.lines[last].end()),
                Content::Code { language, code },
            );
            return;
        }
        let near = self.lines[self.at + 1..last]
            .iter()
            .find(|it| it.text.trim_start().starts_with("```"));
        let mut diagnostic = Diagnostic::new(
            "syntax::unclosed-fence",
            fence,
            "this code block is not closed",
        )
        .label("opened here")
        .help("close it with a line of exactly three backticks, without spaces around them");
        if let Some(near) = near {
            diagnostic =
                diagnostic.related(near.visible(), "this line is not exactly three backticks");
        }
        self.diagnostics.push(diagnostic);
        let stop = self
            .lines
            .get(last)
            .map_or_else(|| fence.end, |it| it.start);
        self.at = last;
        self.push(
            Span::new(opening.start, stop),
            Content::Code { language, code },
        );
    }

    /// The line that closes the code block opened at line `opening`, or, where there is none, the
    /// line at which to read on.
    fn fence_end(&self, opening: usize) -> Result<usize, usize> {
        let mut after_blank = false;
        let mut near = None;
        for (at, line) in self.lines.iter().enumerate().skip(opening + 1) {
            if line.text == "```" {
                return Ok(at);
            }
            if self.suspicious && after_blank && begins_something(line) {
                return Err(near.unwrap_or(at));
            }
            if near.is_none() && line.text.trim() == "```" {
                near = Some(at + 1);
            }
            after_blank = line.is_blank();
        }
        Err(near.unwrap_or(self.lines.len()))
    }

    /// Whether a code block of the file is never closed, or another one opens within it.
    pub(super) fn some_fence_is_open(&self) -> bool {
        let mut open = false;
        for line in self.lines {
            let text = line.text.trim_start();
            if !open {
                open = text.starts_with("```") && !text.starts_with("````");
            } else if line.text == "```" {
                open = false;
            } else if opens_with_language(line) {
                return true;
            }
        }
        open
    }

    fn read_long_fence(&mut self, opening: Line<'a>) {
        let fence: usize = opening.text.bytes().take_while(|&it| it == b'`').count();
        self.diagnostics.push(
            Diagnostic::new(
                "syntax::fence",
                Span::new(opening.start, opening.start + fence),
                format!("a code block opens with three backticks, and here are {fence}"),
            )
            .help("write exactly three backticks, and three to close it"),
        );
        self.skip_fence(&opening.text[..fence]);
    }

    pub(super) fn read_tildes(&mut self, opening: Line<'a>) {
        let fence: usize = opening.text.bytes().take_while(|&it| it == b'~').count();
        self.diagnostics.push(
            Diagnostic::new(
                "syntax::fence",
                Span::new(opening.start, opening.start + fence),
                "a code block opens with three backticks, not with tildes",
            )
            .help("write three backticks, and three to close it"),
        );
        self.skip_fence(&opening.text[..fence]);
    }

    /// Reads the block of a wrong fence, so that the step above it has one. Its placeholders are
    /// not looked at.
    fn skip_fence(&mut self, fence: &str) {
        let opening = self.lines[self.at];
        let rest = &self.lines[self.at + 1..];
        let closing = rest.iter().position(|it| it.text.trim() == fence);
        let blank = || rest.iter().position(Line::is_blank).unwrap_or(rest.len());
        self.at += 2 + closing.unwrap_or_else(blank);
        self.at = self.at.min(self.lines.len());
        let code = Content::Code {
            language: None,
            code: Text::new(),
        };
        self.push(opening.visible(), code);
    }
}

fn opens_with_language(line: &Line<'_>) -> bool {
    line.text
        .strip_prefix("```")
        .is_some_and(|it| !it.is_empty() && it.bytes().all(|letter| letter.is_ascii_alphabetic()))
}

/// Whether a line looks like the next heading, step or code block of the file.
fn begins_something(line: &Line<'_>) -> bool {
    let level = line.text.bytes().take_while(|&it| it == b'#').count();
    let word = line.text.split(' ').next().unwrap_or_default();
    (1..=4).contains(&level) && line.text[level..].starts_with(' ')
        || line.text.len() > word.len() && KEYWORDS.contains(&word)
        || line.text.starts_with("<!--")
        || opens_with_language(line)
}
