//! Where statements begin and end, and which block holds them. No grammar: it works on whatever
//! the tokens are, also of a script with mistakes.

use crate::token::{Kind, Token};

/// Words that a head of a block begins with.
const OPENERS: [&str; 12] = [
    "if", "elif", "else", "while", "for", "try", "except", "finally", "with", "def", "class",
    "async",
];

/// A small statement, or the head of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its first token, comments and line breaks not counted.
    pub first: usize,
    /// The token behind it: a line break, a semicolon, or what follows the colon of a head.
    pub end: usize,
    /// The block it stands in.
    pub block: usize,
}

/// Statements under one head, or the whole script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The statement that is its head; the script has none.
    pub head: Option<usize>,
    /// The block around it; that of the script is its own.
    pub outer: usize,
}

/// All statements of a script, in order, and the blocks they stand in; the first is the script.
pub(crate) fn statements(text: &str, tokens: &[Token]) -> (Vec<Statement>, Vec<Block>) {
    let mut walk = Walk {
        text,
        statements: Vec::new(),
        blocks: vec![Block {
            head: None,
            outer: 0,
        }],
        block: 0,
        begun: None,
        heads: false,
        depth: 0,
        lambdas: 0,
        is_inline: false,
        opened: None,
    };
    for (at, token) in tokens.iter().enumerate() {
        walk.step(at, token);
    }
    (walk.statements, walk.blocks)
}

struct Walk<'t> {
    text: &'t str,
    statements: Vec<Statement>,
    blocks: Vec<Block>,
    /// The block of what comes next.
    block: usize,
    /// The first token of the statement that is being read.
    begun: Option<usize>,
    /// Its first word opens a block.
    heads: bool,
    depth: usize,
    /// `lambda`s whose colon is still to come.
    lambdas: usize,
    /// The block stands on the line of its head.
    is_inline: bool,
    /// The head whose block may be indented from the next line on.
    opened: Option<usize>,
}

impl Walk<'_> {
    fn step(&mut self, at: usize, token: &Token) {
        match token.kind {
            Kind::Comment | Kind::Nl => {}
            Kind::Indent => {
                let head = self.opened.take();
                self.enter(head);
            }
            Kind::Dedent => self.leave(),
            Kind::Newline | Kind::End => {
                self.finish(at);
                if self.is_inline {
                    self.leave();
                    self.is_inline = false;
                }
                self.depth = 0;
            }
            _ => self.word(at, token),
        }
    }

    fn word(&mut self, at: usize, token: &Token) {
        let word = token.of(self.text);
        if token.kind == Kind::Op && self.depth == 0 && word == ";" {
            self.finish(at);
            return;
        }
        if let Some(head) = self.opened.take() {
            // The block goes on behind the colon.
            self.enter(Some(head));
            self.is_inline = true;
        }
        if self.begun.is_none() {
            self.begun = Some(at);
            self.heads = token.kind == Kind::Name && OPENERS.contains(&word);
        }
        match (token.kind, word) {
            (Kind::Op, "(" | "[" | "{") => self.depth += 1,
            (Kind::Op, ")" | "]" | "}") => self.depth = self.depth.saturating_sub(1),
            (Kind::Name, "lambda") if self.depth == 0 => self.lambdas += 1,
            (Kind::Op, ":") if self.depth == 0 && self.lambdas > 0 => self.lambdas -= 1,
            (Kind::Op, ":") if self.depth == 0 && self.heads => {
                // An annotation in the body has no such head before it.
                self.heads = false;
                self.finish(at + 1);
                self.opened = Some(self.statements.len().saturating_sub(1));
            }
            _ => {}
        }
    }

    fn finish(&mut self, end: usize) {
        self.lambdas = 0;
        if let Some(first) = self.begun.take() {
            let block = self.block;
            self.statements.push(Statement { first, end, block });
        }
    }

    fn enter(&mut self, head: Option<usize>) {
        let outer = self.block;
        self.blocks.push(Block { head, outer });
        self.block = self.blocks.len() - 1;
    }

    fn leave(&mut self) {
        let block = self.blocks.get(self.block);
        self.block = block.map_or(0, |block| block.outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tokenize;

    /// Each statement as its text and the number of blocks around it.
    fn split(text: &str) -> Vec<(String, usize)> {
        let (tokens, _) = tokenize(text);
        let (statements, blocks) = statements(text, &tokens);
        let depth = |mut block: usize| {
            let mut depth = 0;
            while block > 0 {
                block = blocks[block].outer;
                depth += 1;
            }
            depth
        };
        let of = |one: &Statement| {
            let words = tokens[one.first..one.end]
                .iter()
                .map(|token| token.of(text));
            (words.collect::<Vec<_>>().join(" "), depth(one.block))
        };
        statements.iter().map(of).collect()
    }

    fn one(text: &str, depth: usize) -> (String, usize) {
        (text.to_owned(), depth)
    }

    #[test]
    fn blocks_on_lines_of_their_own_and_behind_the_colon_are_blocks() {
        let text = "if a: b; c\nelse:\n    d\n    while e:\n        f\ng\n";
        assert_eq!(
            split(text),
            [
                one("if a :", 0),
                one("b", 1),
                one("c", 1),
                one("else :", 0),
                one("d", 1),
                one("while e :", 1),
                one("f", 2),
                one("g", 0),
            ]
        );
    }

    #[test]
    fn colons_of_lambdas_slices_and_annotations_open_nothing() {
        assert_eq!(split("x: int = 1\n"), [one("x : int = 1", 0)]);
        assert_eq!(
            split("if lambda: a[1:2]: b: int = {1: 2}\n"),
            [
                one("if lambda : a [ 1 : 2 ] :", 0),
                one("b : int = { 1 : 2 }", 1)
            ]
        );
    }
}
