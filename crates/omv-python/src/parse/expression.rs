//! The expressions of the grammar, from lists down to atoms.

use super::{Kind, Parsed, Parser, Shape};

/// Operators between two operands, from the loosest to the tightest.
const OPERATORS: [&[&str]; 6] = [
    &["|"],
    &["^"],
    &["&"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "@", "/", "%", "//"],
];

impl Parser<'_> {
    /// `a, *b, c`: what stands on a line by itself, or right of `=`.
    pub(super) fn star_list(&mut self) -> Parsed<Shape> {
        self.list(|this| this.star_or(Self::test))
    }

    /// `a, *b`: what `for` and `del` take. No comparisons: `in` ends it.
    pub(super) fn target_list(&mut self) -> Parsed<Shape> {
        self.list(|this| this.star_or(|this| this.operation(0)))
    }

    pub(super) fn test_list(&mut self) -> Parsed<Shape> {
        self.list(Self::test)
    }

    /// Items with commas between, and perhaps one behind.
    fn list(&mut self, item: impl Fn(&mut Self) -> Parsed<Shape>) -> Parsed<Shape> {
        let mut all = item(self)?;
        while self.take(",") {
            if all == Shape::Place {
                all = Shape::Places;
            }
            if !self.begins_expression() {
                break;
            }
            if item(self)? == Shape::Value {
                all = Shape::Value;
            }
        }
        Ok(all)
    }

    fn star_or(&mut self, other: impl Fn(&mut Self) -> Parsed<Shape>) -> Parsed<Shape> {
        let at = self.at;
        if !self.take("*") {
            return other(self);
        }
        self.star = self.star.or(Some(at));
        self.operation(0)
    }

    fn begins_expression(&self) -> bool {
        const WORDS: [&str; 15] = [
            "(",
            "[",
            "{",
            "...",
            "-",
            "+",
            "~",
            "*",
            "not",
            "lambda",
            "await",
            "None",
            "True",
            "False",
            "__debug__",
        ];
        matches!(self.kind(), Kind::Number | Kind::String)
            || self.is_name()
            || WORDS.contains(&self.word())
    }

    /// A value, which may be kept under a name: `x := y`.
    pub(super) fn named_test(&mut self) -> Parsed<Shape> {
        let shape = self.test()?;
        if self.take(":=") {
            self.test()?;
            return Ok(Shape::Value);
        }
        Ok(shape)
    }

    pub(super) fn test(&mut self) -> Parsed<Shape> {
        self.deeper(|this| {
            if this.word() == "lambda" {
                return this.lambda(Self::test);
            }
            let shape = this.or_test()?;
            if this.take("if") {
                this.or_test()?;
                this.want("else")?;
                this.test()?;
                return Ok(Shape::Value);
            }
            Ok(shape)
        })
    }

    fn lambda(&mut self, body: impl Fn(&mut Self) -> Parsed<Shape>) -> Parsed<Shape> {
        self.next();
        self.parameters(":", false)?;
        self.want(":")?;
        // A lambda is a function: `yield` may stand in it.
        let was = std::mem::replace(&mut self.is_function, true);
        let done = body(self);
        self.is_function = was;
        done.map(|_| Shape::Value)
    }

    fn or_test(&mut self) -> Parsed<Shape> {
        let mut shape = self.not_test()?;
        while matches!(self.word(), "or" | "and") {
            self.next();
            self.not_test()?;
            shape = Shape::Value;
        }
        Ok(shape)
    }

    fn not_test(&mut self) -> Parsed<Shape> {
        if self.take("not") {
            return self.deeper(Self::not_test).map(|_| Shape::Value);
        }
        let mut shape = self.operation(0)?;
        loop {
            match (self.word(), self.word_at(1)) {
                ("<" | ">" | "==" | "<=" | ">=" | "!=" | "in", _) => self.next(),
                ("not", "in") => self.at += 2,
                ("is", next) => self.at += 1 + usize::from(next == "not"),
                _ => return Ok(shape),
            }
            self.operation(0)?;
            shape = Shape::Value;
        }
    }

    /// Operands with the operators of `level` and tighter ones between them.
    pub(super) fn operation(&mut self, level: usize) -> Parsed<Shape> {
        let Some(operators) = OPERATORS.get(level) else {
            return self.factor();
        };
        let mut shape = self.operation(level + 1)?;
        while operators.contains(&self.word()) {
            self.next();
            self.operation(level + 1)?;
            shape = Shape::Value;
        }
        Ok(shape)
    }

    fn factor(&mut self) -> Parsed<Shape> {
        if matches!(self.word(), "+" | "-" | "~") {
            self.next();
            return self.deeper(Self::factor).map(|_| Shape::Value);
        }
        let awaited = self.take("await");
        let mut shape = self.atom()?;
        loop {
            if self.take("(") {
                self.arguments()?;
                shape = Shape::Value;
            } else if self.take("[") {
                self.subscripts()?;
                shape = Shape::Place;
            } else if self.take(".") {
                self.name()?;
                shape = Shape::Place;
            } else {
                break;
            }
        }
        if self.take("**") {
            self.deeper(Self::factor)?;
            return Ok(Shape::Value);
        }
        Ok(if awaited { Shape::Value } else { shape })
    }

    fn atom(&mut self) -> Parsed<Shape> {
        match self.kind() {
            Kind::Number => self.next(),
            Kind::String => {
                while self.kind() == Kind::String {
                    self.next();
                }
            }
            _ if self.is_name() => {
                self.next();
                return Ok(Shape::Place);
            }
            _ => match self.word() {
                "None" | "True" | "False" | "__debug__" | "..." => self.next(),
                "(" => return self.deeper(Self::round),
                "[" => {
                    self.next();
                    return self.deeper(|this| this.items("]"));
                }
                "{" => self.deeper(Self::curly)?,
                _ => return Err(self.mistake("a value should stand here")),
            },
        }
        Ok(Shape::Value)
    }

    /// A tuple, a generator, or a value in brackets.
    fn round(&mut self) -> Parsed<Shape> {
        self.next();
        if self.word() == "yield" {
            self.yield_expression()?;
            self.want(")")?;
            return Ok(Shape::Value);
        }
        self.items(")")
    }

    /// The inside of a list or tuple, or of a comprehension, and the bracket behind.
    fn items(&mut self, end: &str) -> Parsed<Shape> {
        if self.take(end) {
            return Ok(Shape::Places);
        }
        let mut all = self.star_or(Self::named_test)?;
        if self.is_comprehension() {
            self.comprehension()?;
            self.want(end)?;
            return Ok(Shape::Value);
        }
        if end == "]" && all == Shape::Place {
            all = Shape::Places;
        }
        while self.take(",") {
            if all == Shape::Place {
                all = Shape::Places;
            }
            if self.word() == end {
                break;
            }
            if self.star_or(Self::named_test)? == Shape::Value {
                all = Shape::Value;
            }
        }
        self.want(end)?;
        Ok(all)
    }

    /// A dictionary or a set.
    fn curly(&mut self) -> Parsed<()> {
        self.next();
        let mut is_first = true;
        while self.word() != "}" {
            if self.word() == "**" {
                return Err(self.mistake("MicroPython cannot unpack a dictionary here"));
            }
            self.test()?;
            if self.take(":") {
                self.test()?;
            }
            if is_first && self.is_comprehension() {
                self.comprehension()?;
                break;
            }
            is_first = false;
            if !self.take(",") {
                break;
            }
        }
        self.want("}")
    }

    fn is_comprehension(&self) -> bool {
        self.word() == "for"
    }

    /// `for a in b if c for d in e`.
    fn comprehension(&mut self) -> Parsed<()> {
        loop {
            if self.take("for") {
                let (begin, star) = (self.at, self.star);
                let shape = self.target_list()?;
                self.assignable(shape, begin)?;
                self.star = star;
                self.want("in")?;
                self.or_test()?;
            } else if self.take("if") {
                self.test_without_condition()?;
            } else {
                return Ok(());
            }
        }
    }

    fn test_without_condition(&mut self) -> Parsed<Shape> {
        self.deeper(|this| match this.word() {
            "lambda" => this.lambda(Self::test_without_condition),
            _ => this.or_test(),
        })
    }

    /// Behind the opening bracket of a call, up to and with the closing one.
    pub(super) fn arguments(&mut self) -> Parsed<()> {
        while self.word() != ")" {
            if self.take("*") || self.take("**") {
                self.test()?;
            } else {
                self.test()?;
                if self.take("=") || self.take(":=") {
                    self.test()?;
                } else if self.is_comprehension() {
                    self.comprehension()?;
                }
            }
            if !self.take(",") {
                break;
            }
        }
        self.want(")")
    }

    fn subscripts(&mut self) -> Parsed<()> {
        loop {
            for part in 0..3 {
                if !matches!(self.word(), ":" | "," | "]") {
                    self.test()?;
                } else if part == 0 && self.word() != ":" {
                    return Err(self.mistake("an index should stand here"));
                }
                if part == 2 || !self.take(":") {
                    break;
                }
            }
            if !self.take(",") || self.word() == "]" {
                break;
            }
        }
        self.want("]")
    }

    pub(super) fn yield_expression(&mut self) -> Parsed<()> {
        if !self.is_function {
            return Err(self.mistake("`yield` outside of a function"));
        }
        self.next();
        if self.take("from") {
            self.test()?;
        } else if self.begins_expression() {
            self.test_list()?;
        }
        Ok(())
    }
}
