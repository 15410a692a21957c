//! The statements that hold others.

use super::{Kind, Parsed, Parser, Rule};

impl Parser<'_> {
    pub(super) fn block(&mut self) -> Parsed<()> {
        self.no_star()?;
        self.want(":")?;
        if !self.take_kind(Kind::Newline) {
            return self.simple();
        }
        if !self.take_kind(Kind::Indent) {
            return Err(self.finding(
                Rule::Syntax,
                "the line above ends with a colon: this one should be indented".to_owned(),
            ));
        }
        loop {
            self.statement()?;
            if self.take_kind(Kind::Dedent) {
                return Ok(());
            }
            if self.kind() == Kind::End {
                return Ok(());
            }
        }
    }

    /// A block that `break` may leave.
    pub(super) fn loop_block(&mut self) -> Parsed<()> {
        let was = std::mem::replace(&mut self.is_loop, true);
        let done = self.block();
        self.is_loop = was;
        done
    }

    pub(super) fn else_block(&mut self) -> Parsed<()> {
        match self.take("else") {
            true => self.block(),
            false => Ok(()),
        }
    }

    pub(super) fn conditional(&mut self) -> Parsed<()> {
        let repeats = self.word() == "while";
        self.next();
        self.named_test()?;
        if repeats {
            self.loop_block()?;
        } else {
            self.block()?;
            while self.take("elif") {
                self.named_test()?;
                self.block()?;
            }
        }
        self.else_block()
    }

    pub(super) fn for_loop(&mut self) -> Parsed<()> {
        self.next();
        let begin = self.at;
        let shape = self.target_list()?;
        self.assignable(shape, begin)?;
        self.star = None;
        self.want("in")?;
        self.test_list()?;
        self.loop_block()?;
        self.else_block()
    }

    pub(super) fn try_block(&mut self) -> Parsed<()> {
        self.next();
        self.block()?;
        let mut caught = false;
        while self.take("except") {
            caught = true;
            if self.word() != ":" {
                self.test()?;
                self.as_name()?;
            }
            self.block()?;
        }
        if caught {
            self.else_block()?;
        }
        if self.take("finally") {
            return self.block();
        }
        match caught {
            true => Ok(()),
            false => Err(self.mistake("`except` or `finally` should follow a `try`")),
        }
    }

    pub(super) fn with_block(&mut self) -> Parsed<()> {
        self.next();
        loop {
            self.test()?;
            if self.take("as") {
                self.operation(0)?;
            }
            if !self.take(",") {
                break;
            }
        }
        self.block()
    }

    pub(super) fn decorated(&mut self) -> Parsed<()> {
        while self.take("@") {
            self.dotted_name()?;
            if self.take("(") {
                self.arguments()?;
            }
            if !self.take_kind(Kind::Newline) {
                return Err(self.mistake("the line should end behind a decorator"));
            }
        }
        if self.word() == "async" && self.word_at(1) == "def" {
            self.next();
        }
        match self.word() {
            "def" => self.function(),
            "class" => self.class(),
            _ => Err(self.mistake("`def` or `class` should follow a decorator")),
        }
    }

    pub(super) fn function(&mut self) -> Parsed<()> {
        self.next();
        self.name()?;
        self.want("(")?;
        self.parameters(")", true)?;
        self.want(")")?;
        if self.take("->") {
            self.test()?;
        }
        let was = (self.is_function, self.is_loop);
        (self.is_function, self.is_loop) = (true, false);
        let done = self.block();
        (self.is_function, self.is_loop) = was;
        done
    }

    pub(super) fn class(&mut self) -> Parsed<()> {
        self.next();
        self.name()?;
        if self.take("(") {
            self.arguments()?;
        }
        let was = (self.is_function, self.is_loop);
        (self.is_function, self.is_loop) = (false, false);
        let done = self.block();
        (self.is_function, self.is_loop) = was;
        done
    }

    /// What stands between the brackets of `def`, or before the colon of `lambda`.
    pub(super) fn parameters(&mut self, end: &str, annotated: bool) -> Parsed<()> {
        let mut defaults = false;
        let mut starred = false;
        while self.word() != end {
            if self.take("**") {
                self.name()?;
                self.annotation(annotated)?;
            } else if self.take("*") {
                starred = true;
                if self.is_name() {
                    self.name()?;
                    self.annotation(annotated)?;
                }
            } else if self.word() == "/" {
                return Err(self.mistake("MicroPython has no positional-only parameters"));
            } else {
                self.name()?;
                self.annotation(annotated)?;
                if self.take("=") {
                    self.test()?;
                    defaults = true;
                } else if defaults && !starred {
                    let text = "a parameter without a default follows one with a default";
                    return Err(self.mistake(text));
                }
            }
            if !self.take(",") {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn annotation(&mut self, annotated: bool) -> Parsed<()> {
        if annotated && self.take(":") {
            self.test()?;
        }
        Ok(())
    }
}
