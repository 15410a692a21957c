//! A smaller script that does the same: without comments, strings that are only said, and empty
//! lines.
//!
//! What is kept is copied byte for byte, so nothing inside a string can change. Where a body would
//! become empty, `pass` takes the place of its string.

use crate::finding::{Finding, Rule, Severity};
use crate::statement::{Statement, statements};
use crate::token::{Kind, Token, tokenize};

/// What becomes of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Lines without content are left out.
    Nothing,
    /// Every statement stays in its line, so that messages of the camera point at the same lines of
    /// the original.
    LineNumbers,
}

/// What becomes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    /// `pass` takes its place.
    Passes,
}

/// Takes out what a camera does not need.
///
/// # Errors
/// The first mistake of a script whose tokens are not all right: where a string or a bracket ends
/// could not be known.
pub fn strip(text: &str, keep: Keep) -> Result<String, Finding> {
    let (tokens, findings) = tokenize(text);
    let mut mistakes = findings.into_iter();
    if let Some(mistake) = mistakes.find(|one| one.severity() == Severity::Error) {
        return Err(mistake);
    }
    if let Some(mistake) = stray_block(text, &tokens) {
        return Err(mistake);
    }
    let fates = fates(text, &tokens, keep);
    let mut writer = Writer {
        text,
        keep,
        out: String::with_capacity(text.len()),
    };
    let mut line: Vec<(Token, Fate)> = Vec::new();
    let mut begin = 0;
    for (token, fate) in tokens.iter().zip(fates) {
        match token.kind {
            Kind::Newline | Kind::Nl => {
                writer.line(begin, &line, token);
                begin = token.end;
                line.clear();
            }
            Kind::Indent | Kind::Dedent | Kind::End => {}
            _ => line.push((*token, fate)),
        }
    }
    Ok(writer.out)
}

/// A line that is indented without a colon before it: what it belongs to would change with what is
/// taken out.
fn stray_block(text: &str, tokens: &[Token]) -> Option<Finding> {
    let mut last = "";
    for token in tokens {
        match token.kind {
            Kind::Comment | Kind::Nl | Kind::Newline | Kind::Dedent => {}
            Kind::Indent if last != ":" => {
                let what = "this line is indented without a reason";
                return Some(Finding::new(Rule::Syntax, token.place(text), what));
            }
            Kind::Indent => {}
            _ => last = token.of(text),
        }
    }
    None
}

/// Decides for each token.
fn fates(text: &str, tokens: &[Token], keep: Keep) -> Vec<Fate> {
    let (statements, blocks) = statements(text, tokens);
    let mut fates: Vec<Fate> = tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Comment => Fate::Goes,
            _ => Fate::Stays,
        })
        .collect();
    let is_said = |one: &&Statement| {
        // What follows a string of several lines in its last one would move up.
        let inside = text.get(place(tokens, one.first)..place(tokens, one.end));
        let moves = tokens
            .get(one.end)
            .is_some_and(|token| token.of(text) == ";")
            && inside.is_some_and(|inside| lines(inside) > 0);
        is_said(text, tokens, one) && !(keep == Keep::LineNumbers && moves)
    };
    // The statements a block keeps.
    let mut kept = vec![0_usize; blocks.len()];
    for one in statements.iter().filter(|one| !is_said(one)) {
        if let Some(count) = kept.get_mut(one.block) {
            *count += 1;
        }
    }
    for one in statements.iter().filter(is_said) {
        let needs = one.block > 0 && kept.get(one.block) == Some(&0);
        if needs && let Some(count) = kept.get_mut(one.block) {
            *count += 1;
        }
        let mut fate = if needs { Fate::Passes } else { Fate::Goes };
        for at in one.first..one.end {
            if tokens
                .get(at)
                .is_some_and(|token| token.kind == Kind::String)
                && let Some(place) = fates.get_mut(at)
            {
                *place = fate;
                fate = Fate::Goes;
            }
        }
        // Its semicolon goes with it: the one behind, or, for the last of a line, the one before.
        let behind = tokens.get(one.end).map(|token| token.of(text));
        let is_gone = fates.get(one.first) == Some(&Fate::Goes);
        if is_gone && behind == Some(";") {
            if let Some(fate) = fates.get_mut(one.end) {
                *fate = Fate::Goes;
            }
        } else if is_gone {
            semicolon_before(text, tokens, &mut fates, one.first);
        }
    }
    fates
}

/// Where a token begins.
fn place(tokens: &[Token], at: usize) -> usize {
    tokens.get(at).map_or(0, |token| token.start)
}

/// Takes the nearest semicolon before a token that goes, if only what goes lies between.
fn semicolon_before(text: &str, tokens: &[Token], fates: &mut [Fate], first: usize) {
    for at in (0..first).rev() {
        let (Some(token), Some(fate)) = (tokens.get(at), fates.get_mut(at)) else {
            return;
        };
        match *fate {
            Fate::Stays if token.of(text) == ";" => {
                *fate = Fate::Goes;
                return;
            }
            Fate::Goes => {}
            _ => return,
        }
    }
}

/// A statement of nothing but plain strings. Formatted ones do something, bytes are rare.
fn is_said(text: &str, tokens: &[Token], statement: &Statement) -> bool {
    let inside = tokens
        .get(statement.first..statement.end)
        .unwrap_or_default();
    let is_plain = |token: &Token| {
        let prefix = token.prefix(text);
        token.kind == Kind::String && !prefix.contains(['f', 'b'])
    };
    let is_nothing = |token: &Token| matches!(token.kind, Kind::Comment | Kind::Nl);
    inside
        .iter()
        .all(|token| is_plain(token) || is_nothing(token))
        && inside.iter().any(is_plain)
}

struct Writer<'t> {
    text: &'t str,
    keep: Keep,
    out: String,
}

impl Writer<'_> {
    fn piece(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Breaks a line. A line feed behind a lone carriage return would be no break of its own.
    fn end_line(&mut self, how: &str) {
        let lone = how == "\n" && self.out.ends_with('\r');
        self.out.push_str(if lone { "\r" } else { how });
    }

    /// One line, which may have line breaks inside: its tokens, and the token that ends it.
    fn line(&mut self, begin: usize, tokens: &[(Token, Fate)], end: &Token) {
        let source = self.piece(begin, end.end).to_owned();
        let break_ = self.piece(end.start, end.end).to_owned();
        let before = self.out.len();
        let mut last: Option<(&Token, Fate)> = None;
        for (token, fate) in tokens {
            if *fate != Fate::Goes {
                match last {
                    // What is kept of a line begins where the line began.
                    None => {
                        let first = tokens.first().map_or(token, |(first, _)| first);
                        let indent = self.piece(begin, first.start).to_owned();
                        self.out.push_str(&indent);
                    }
                    Some((last, Fate::Stays)) => {
                        let gap = self.piece(last.end, token.start).to_owned();
                        self.out.push_str(&gap);
                    }
                    Some(_) => self.out.push(' '),
                }
                match fate {
                    Fate::Passes => self.out.push_str("pass"),
                    _ => {
                        let word = self.piece(token.start, token.end).to_owned();
                        self.out.push_str(&word);
                    }
                }
            }
            if *fate != Fate::Goes || last.is_some() {
                last = Some((token, *fate));
            }
        }
        let is_empty = self.out.len() == before;
        if self.keep == Keep::LineNumbers {
            let written = self.out.get(before..).unwrap_or_default();
            let owed = lines(&source).saturating_sub(lines(written) + lines(&break_));
            self.end_line(&break_);
            for _ in 0..owed {
                self.end_line("\n");
            }
        } else if !is_empty {
            self.end_line(&break_);
        }
    }
}

/// Line breaks of any kind.
fn lines(text: &str) -> usize {
    let feeds = text.matches('\n').count();
    let returns = text.matches('\r').count();
    feeds + returns - text.matches("\r\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> String {
        strip(text, Keep::Nothing).unwrap()
    }

    fn same_lines(text: &str) -> String {
        strip(text, Keep::LineNumbers).unwrap()
    }

    #[test]
    fn comments_and_empty_lines_go_and_their_look_alikes_in_strings_stay() {
        assert_eq!(short("# a\n\nx = '# b'  # c\n"), "x = '# b'\n");
        assert_eq!(
            short("x = '''\n# a\n\n    b'''\n"),
            "x = '''\n# a\n\n    b'''\n"
        );
        assert_eq!(short("f(  # a\n    # b\n\n    1)\n"), "f(\n    1)\n");
    }

    #[test]
    fn a_comment_behind_a_joined_line_does_not_join_the_next() {
        assert_eq!(short("x = 1 + \\\n  2 # a\ny\n"), "x = 1 + \\\n  2\ny\n");
        assert_eq!(short("x = 1 \\\n# a\ny\n"), "x = 1\ny\n");
        assert_eq!(same_lines("x = 1 \\\n# a\ny\n"), "x = 1\n\ny\n");
    }

    #[test]
    fn docstrings_go_and_a_body_that_would_be_empty_passes() {
        assert_eq!(short("'a'\nimport b\n"), "import b\n");
        assert_eq!(
            short("class A:\n    '''a\n    b'''\n    def f(self):\n        \"c\"\n"),
            "class A:\n    def f(self):\n        pass\n"
        );
        assert_eq!(short("def f(): 'a'\n"), "def f(): pass\n");
        assert_eq!(short("def f(): 'a' 'b'; 'c'\n"), "def f(): pass\n");
        assert_eq!(short("def f(): 'a'; return 1\n"), "def f(): return 1\n");
        assert_eq!(short("x = 1; 'a'; y = 2; 'b'\n"), "x = 1; y = 2\n");
        assert_eq!(short("'a'; 'b'\nx\n"), "x\n");
        assert_eq!(
            short("if a:\n    'b'\nelse:\n    c\n"),
            "if a:\n    pass\nelse:\n    c\n"
        );
    }

    #[test]
    fn strings_that_are_used_stay() {
        for text in [
            "x = 'a'\n",
            "'a'.join(b)\n",
            "f'{a()}'\n",
            "print('a')\n",
            "'a' % b\n",
        ] {
            assert_eq!(short(text), text);
        }
    }

    #[test]
    fn line_numbers_can_stay_as_they_are() {
        let text = "# a\n'''b\nc'''\ndef f():\n    '''d\n\n    e'''\n    # g\n    return 1\n";
        assert_eq!(same_lines(text), "\n\n\ndef f():\n\n\n\n\n    return 1\n");
        assert_eq!(same_lines("'''a\nb'''; x\n"), "'''a\nb'''; x\n");
        let text = "def f():\r\n    '''a\r\n    b'''\r\nx\r\n";
        assert_eq!(same_lines(text), "def f():\r\n    pass\r\n\nx\r\n");
    }

    #[test]
    fn a_lone_carriage_return_stays_a_line_break_of_its_own() {
        assert_eq!(same_lines("x\r'a'\ny\n"), "x\r\ry\n");
    }

    #[test]
    fn what_cannot_be_read_is_not_touched() {
        assert!(strip("x = 'a\n", Keep::Nothing).is_err());
        assert!(strip("def f():\n    a\n'b'\n  c\n", Keep::Nothing).is_err());
    }
}
