//! What a script imports, and whether it can do without.

use serde::Serialize;

use crate::statement::{Block, Statement, statements};
use crate::token::{Kind, Place, Token};

/// One imported module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its name with all dots, `ml.utils`; empty for a bare `from . import`.
    pub module: String,
    /// The names taken out of it with `from`; `*` for all.
    pub names: Vec<String>,
    /// Dots before it: it is relative to the script's own package.
    pub dots: usize,
    /// Where the module's name stands.
    pub place: Place,
    /// In a `try` or one of its branches, an `if`, or a function: the script may start without it.
    pub guarded: bool,
}

impl Import {
    /// The part before the first dot: what the camera looks for first.
    #[must_use]
    pub fn root(&self) -> &str {
        self.module.split('.').next().unwrap_or_default()
    }
}

/// All imports of a script, in order. A statement that is no whole import is left out.
#[must_use]
pub fn imports(text: &str, tokens: &[Token]) -> Vec<Import> {
    let (statements, blocks) = statements(text, tokens);
    let mut imports = Vec::new();
    for statement in &statements {
        let inside = tokens
            .get(statement.first..statement.end)
            .unwrap_or_default();
        let is_word = |token: &&Token| !matches!(token.kind, Kind::Comment | Kind::Nl);
        let words: Vec<Token> = inside.iter().filter(is_word).copied().collect();
        let guarded = is_guarded(text, tokens, &statements, &blocks, statement.block);
        let mut reader = Reader {
            text,
            words: &words,
            guarded,
        };
        imports.extend(reader.statement());
    }
    imports
}

/// Whether one of the blocks around does not always run to its end.
fn is_guarded(
    text: &str,
    tokens: &[Token],
    statements: &[Statement],
    blocks: &[Block],
    mut block: usize,
) -> bool {
    // Each step leads outwards, to a block that was made before.
    while block > 0 {
        let Some(Block { head, outer }) = blocks.get(block) else {
            return false;
        };
        let head = head.and_then(|head| tokens.get(statements.get(head)?.first));
        let word = head.map_or("", |token| token.of(text));
        if !matches!(word, "class" | "with" | "while" | "for" | "finally") {
            return true;
        }
        block = *outer;
    }
    false
}

struct Reader<'t> {
    text: &'t str,
    words: &'t [Token],
    guarded: bool,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.words.first().map_or("", |token| token.of(self.text))
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.peek() == word;
        if is {
            self.words = self.words.get(1..).unwrap_or_default();
        }
        is
    }

    fn name(&mut self) -> Option<(String, Place)> {
        let (first, rest) = self.words.split_first()?;
        if first.kind != Kind::Name {
            return None;
        }
        self.words = rest;
        Some((first.of(self.text).to_owned(), first.place(self.text)))
    }

    fn dotted(&mut self) -> Option<(String, Place)> {
        let (mut module, place) = self.name()?;
        while self.take(".") {
            module.push('.');
            module.push_str(&self.name()?.0);
        }
        Some((module, place))
    }

    fn statement(&mut self) -> Vec<Import> {
        if self.take("import") {
            let mut imports = Vec::new();
            loop {
                let Some((module, place)) = self.dotted() else {
                    return imports;
                };
                imports.push(self.import(module, Vec::new(), 0, place));
                if self.take("as") {
                    self.name();
                }
                if !self.take(",") {
                    return imports;
                }
            }
        }
        if self.take("from") {
            return self.from().into_iter().collect();
        }
        Vec::new()
    }

    fn from(&mut self) -> Option<Import> {
        let begin = self.words.first()?.place(self.text);
        let mut dots = 0;
        loop {
            match self.peek() {
                "." => dots += 1,
                "..." => dots += 3,
                _ => break,
            }
            self.words = self.words.get(1..).unwrap_or_default();
        }
        let (module, place) = match self.peek() {
            "import" if dots > 0 => (String::new(), begin),
            _ => self.dotted()?,
        };
        if !self.take("import") {
            return None;
        }
        let mut names = Vec::new();
        if self.take("*") {
            names.push("*".to_owned());
        } else {
            self.take("(");
            while let Some((name, _)) = self.name() {
                names.push(name);
                if self.take("as") {
                    self.name();
                }
                if !self.take(",") {
                    break;
                }
            }
        }
        Some(self.import(module, names, dots, place))
    }

    fn import(&self, module: String, names: Vec<String>, dots: usize, place: Place) -> Import {
        let guarded = self.guarded;
        Import {
            module,
            names,
            dots,
            place,
            guarded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tokenize;

    fn of(text: &str) -> Vec<(String, Vec<String>, bool)> {
        let (tokens, _) = tokenize(text);
        let imports = imports(text, &tokens).into_iter();
        let row = |one: Import| (".".repeat(one.dots) + &one.module, one.names, one.guarded);
        imports.map(row).collect()
    }

    fn row(module: &str, names: &[&str], guarded: bool) -> (String, Vec<String>, bool) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        (module.to_owned(), names, guarded)
    }

    #[test]
    fn every_form_of_an_import_is_read() {
        assert_eq!(
            of("import sensor, image as i, ml.utils\n"),
            [
                row("sensor", &[], false),
                row("image", &[], false),
                row("ml.utils", &[], false)
            ]
        );
        assert_eq!(
            of("from time import (sleep as s, # why\n  ticks_ms,)\n"),
            [row("time", &["sleep", "ticks_ms"], false)]
        );
        assert_eq!(
            of("from ml.apps import *\n"),
            [row("ml.apps", &["*"], false)]
        );
        assert_eq!(of("from . import a\n"), [row(".", &["a"], false)]);
        assert_eq!(of("from ...b import c\n"), [row("...b", &["c"], false)]);
    }

    #[test]
    fn what_a_script_may_start_without_is_guarded() {
        let text = "\
import sensor
try:
    import usocket as socket
except ImportError:
    import socket
def f():
    import network
if a: import pyb
class C:
    import time
";
        assert_eq!(
            of(text),
            [
                row("sensor", &[], false),
                row("usocket", &[], true),
                row("socket", &[], true),
                row("network", &[], true),
                row("pyb", &[], true),
                row("time", &[], false),
            ]
        );
    }

    #[test]
    fn what_only_looks_like_an_import_is_none() {
        assert_eq!(
            of("x = 'import a'\n# import b\nimport\nfrom c\ny.import_(d)\n"),
            []
        );
    }

    #[test]
    fn the_place_is_that_of_the_modules_name() {
        let text = "x = 1; import sensor\n";
        let (tokens, _) = tokenize(text);
        let Place { line, column } = imports(text, &tokens)[0].place;
        assert_eq!((line, column), (1, 14));
    }
}
