//! Whether a script follows MicroPython's grammar. The first mistake is found, as on the camera.
//!
//! A parser by recursive descent over the tokens, one function a rule, that builds nothing. Of an
//! expression it knows one thing, whether something can be assigned to it. Rules and their names are
//! those of micropython `py/grammar.h` (2014 to 2025: newer rules are taken too, since the firmware
//! is not known here); what stands in the wrong place is from `py/compile.c`.

mod block;
mod expression;

use crate::finding::{Finding, Rule};
use crate::token::{Kind, Token};

/// Brackets, blocks and operators inside each other; the stack of this program ends somewhere.
const DEEPEST: usize = 200;

const KEYWORDS: [&str; 36] = [
    "False",
    "None",
    "True",
    "__debug__",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
];

/// The first mistake in the grammar of a script whose tokens are all right.
#[must_use]
pub fn syntax(text: &str, tokens: &[Token]) -> Option<Finding> {
    let is_word = |token: &&Token| !matches!(token.kind, Kind::Comment | Kind::Nl);
    let tokens: Vec<Token> = tokens.iter().filter(is_word).copied().collect();
    let mut parser = Parser {
        text,
        tokens: &tokens,
        at: 0,
        depth: 0,
        is_function: false,
        is_loop: false,
        star: None,
    };
    parser.file().err()
}

type Parsed<T> = Result<T, Finding>;

/// What an expression is, as far as assignments care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A name, an attribute or an element.
    Place,
    /// Several of them.
    Places,
    /// A value.
    Value,
}

struct Parser<'t> {
    text: &'t str,
    /// Without comments and line breaks that end nothing.
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    is_function: bool,
    is_loop: bool,
    /// The first `*` before a value that nothing has made a target of yet.
    star: Option<usize>,
}

impl<'t> Parser<'t> {
    // --- looking ---

    fn kind(&self) -> Kind {
        self.tokens
            .get(self.at)
            .map_or(Kind::End, |token| token.kind)
    }

    /// The text of the token here; of strings nothing, so that none is taken for an operator.
    fn word(&self) -> &'t str {
        self.word_at(0)
    }

    fn word_at(&self, ahead: usize) -> &'t str {
        match self.tokens.get(self.at + ahead) {
            Some(token) if matches!(token.kind, Kind::Name | Kind::Op) => token.of(self.text),
            _ => "",
        }
    }

    fn is_name(&self) -> bool {
        self.kind() == Kind::Name && !KEYWORDS.contains(&self.word())
    }

    // --- taking ---

    fn next(&mut self) {
        self.at += 1;
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.word() == word;
        self.at += usize::from(is);
        is
    }

    fn take_kind(&mut self, kind: Kind) -> bool {
        let is = self.kind() == kind;
        self.at += usize::from(is);
        is
    }

    fn want(&mut self, word: &str) -> Parsed<()> {
        match self.take(word) {
            true => Ok(()),
            false => Err(self.mistake(&format!("`{word}` should stand here"))),
        }
    }

    fn name(&mut self) -> Parsed<()> {
        if !self.is_name() {
            return Err(self.mistake("a name should stand here"));
        }
        self.next();
        Ok(())
    }

    fn mistake(&self, what: &str) -> Finding {
        let found = match self.kind() {
            Kind::Newline => ", not the end of the line",
            Kind::Indent => ", and this line is indented without a reason",
            Kind::Dedent | Kind::End => ", not the end of the block",
            _ => "",
        };
        self.finding(Rule::Syntax, format!("{what}{found}"))
    }

    fn finding(&self, rule: Rule, message: String) -> Finding {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        let place = token.map_or(crate::Place::START, |token| token.place(self.text));
        Finding::new(rule, place, message)
    }

    /// Does something one level deeper.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEEPEST {
            let text = "this is nested too deeply to be looked at".to_owned();
            return Err(self.finding(Rule::TooDeep, text));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    // --- statements ---

    fn file(&mut self) -> Parsed<()> {
        while self.kind() != Kind::End {
            if !self.take_kind(Kind::Newline) {
                self.statement()?;
            }
        }
        Ok(())
    }

    fn statement(&mut self) -> Parsed<()> {
        self.deeper(|this| match this.word() {
            "if" | "while" => this.conditional(),
            "for" => this.for_loop(),
            "try" => this.try_block(),
            "with" => this.with_block(),
            "def" => this.function(),
            "class" => this.class(),
            "@" => this.decorated(),
            "async" => {
                this.next();
                match this.word() {
                    "def" => this.function(),
                    "with" => this.with_block(),
                    "for" => this.for_loop(),
                    _ => Err(this.mistake("`def`, `with` or `for` should stand behind `async`")),
                }
            }
            _ => this.simple(),
        })
    }

    fn simple(&mut self) -> Parsed<()> {
        loop {
            self.small()?;
            self.no_star()?;
            if !self.take(";") || self.kind() == Kind::Newline {
                break;
            }
        }
        match self.take_kind(Kind::Newline) {
            true => Ok(()),
            false => Err(self.mistake(self.surprise())),
        }
    }

    /// A `*` must have become part of a target by now.
    fn no_star(&mut self) -> Parsed<()> {
        let Some(at) = self.star.take() else {
            return Ok(());
        };
        self.at = at;
        let text = "MicroPython unpacks with `*` in calls and left of `=` only".to_owned();
        Err(self.finding(Rule::Syntax, text))
    }

    /// The likeliest thing to say when a line goes on where it should end.
    fn surprise(&self) -> &'static str {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        match before.map_or("", |token| token.of(self.text)) {
            "print" => "`print` is a function: its arguments stand in brackets",
            "match" | "case" => "MicroPython has no `match` statement",
            "type" => "MicroPython has no `type` statement",
            _ => "the line should end here, or an operator is missing",
        }
    }

    fn small(&mut self) -> Parsed<()> {
        match self.word() {
            "pass" => self.next(),
            "break" | "continue" => {
                if !self.is_loop {
                    return Err(self.mistake(&format!("`{}` outside of a loop", self.word())));
                }
                self.next();
            }
            "return" => {
                if !self.is_function {
                    return Err(self.mistake("`return` outside of a function"));
                }
                self.next();
                if !self.is_line_end() {
                    self.test_list()?;
                }
            }
            "raise" => {
                self.next();
                if !self.is_line_end() {
                    self.test()?;
                    if self.take("from") {
                        self.test()?;
                    }
                }
            }
            "del" => {
                self.next();
                let at = self.at;
                if self.target_list()? == Shape::Value {
                    self.at = at;
                    return Err(self.mistake("this cannot be deleted"));
                }
            }
            "global" | "nonlocal" => {
                self.next();
                self.name()?;
                while self.take(",") {
                    self.name()?;
                }
            }
            "assert" => {
                self.next();
                self.test()?;
                if self.take(",") {
                    self.test()?;
                }
            }
            "import" => {
                self.next();
                loop {
                    self.dotted_name()?;
                    self.as_name()?;
                    if !self.take(",") {
                        break;
                    }
                }
            }
            "from" => self.import_names()?,
            _ => self.expression_statement()?,
        }
        Ok(())
    }

    fn is_line_end(&self) -> bool {
        self.kind() == Kind::Newline || self.word() == ";"
    }

    fn dotted_name(&mut self) -> Parsed<()> {
        self.name()?;
        while self.take(".") {
            self.name()?;
        }
        Ok(())
    }

    fn as_name(&mut self) -> Parsed<()> {
        if self.take("as") {
            self.name()?;
        }
        Ok(())
    }

    fn import_names(&mut self) -> Parsed<()> {
        self.next();
        let mut dots = false;
        while self.take(".") || self.take("...") {
            dots = true;
        }
        if !dots || self.word() != "import" {
            self.dotted_name()?;
        }
        self.want("import")?;
        if self.take("*") {
            return Ok(());
        }
        let in_brackets = self.take("(");
        loop {
            self.name()?;
            self.as_name()?;
            if !self.take(",") || (in_brackets && self.word() == ")") {
                break;
            }
            // MicroPython's lists may end with a comma, also without brackets.
            if self.is_line_end() {
                break;
            }
        }
        match in_brackets {
            true => self.want(")"),
            false => Ok(()),
        }
    }

    fn expression_statement(&mut self) -> Parsed<()> {
        const CHANGES: [&str; 13] = [
            "+=", "-=", "*=", "@=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**=", "//=",
        ];
        if self.word() == "yield" {
            return self.yield_expression();
        }
        let begin = self.at;
        let mut shape = self.star_list()?;
        if self.take(":") {
            self.assignable(shape, begin)?;
            self.test()?;
            return match self.take("=") {
                true => self.right_side().map(drop),
                false => Ok(()),
            };
        }
        if CHANGES.contains(&self.word()) {
            if shape != Shape::Place {
                self.assignable(Shape::Value, begin)?;
            }
            self.next();
            return self.right_side().map(drop);
        }
        let mut begin = begin;
        while self.word() == "=" {
            self.assignable(shape, begin)?;
            self.star = None;
            self.next();
            begin = self.at;
            shape = self.right_side()?;
        }
        Ok(())
    }

    fn assignable(&mut self, shape: Shape, begin: usize) -> Parsed<()> {
        if shape == Shape::Value {
            self.at = begin;
            return Err(self.finding(
                Rule::Syntax,
                "nothing can be assigned to this; `==` compares".to_owned(),
            ));
        }
        Ok(())
    }

    fn right_side(&mut self) -> Parsed<Shape> {
        match self.word() {
            "yield" => self.yield_expression().map(|()| Shape::Value),
            _ => self.star_list(),
        }
    }
}
