//! What tokens are, by example.

use super::*;

fn kinds(text: &str) -> Vec<Kind> {
    tokenize(text).0.iter().map(|token| token.kind).collect()
}

fn words(text: &str) -> Vec<&str> {
    let (tokens, findings) = tokenize(text);
    assert_eq!(findings, []);
    let tokens = tokens.iter().map(|token| token.of(text));
    tokens.filter(|word| !word.trim().is_empty()).collect()
}

fn rules(text: &str) -> Vec<Rule> {
    tokenize(text)
        .1
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn a_block_is_indented_and_dedented_once() {
    use Kind::*;
    assert_eq!(
        kinds("if x:\n    y\nz\n"),
        [
            Name, Name, Op, Newline, Indent, Name, Newline, Dedent, Name, Newline, End
        ]
    );
    assert_eq!(
        kinds("if x:\n  if y:\n    z"),
        [
            Name, Name, Op, Newline, Indent, Name, Name, Op, Newline, Indent, Name, Newline,
            Dedent, Dedent, End
        ]
    );
}

#[test]
fn line_breaks_in_brackets_and_of_empty_lines_end_nothing() {
    use Kind::*;
    assert_eq!(
        kinds("f(\n  1)\n\n# c\n"),
        [Name, Op, Nl, Number, Op, Newline, Nl, Comment, Nl, End]
    );
    assert_eq!(kinds("# c"), [Comment, Nl, End]);
    assert_eq!(kinds("x # c"), [Name, Comment, Newline, End]);
}

#[test]
fn strings_keep_their_prefix_their_escapes_and_their_lines() {
    assert_eq!(words(r#"rb'a\'b' + "c""#), [r"rb'a\'b'", "+", "\"c\""]);
    assert_eq!(words("'''a\n'b''c'''"), ["'''a\n'b''c'''"]);
    assert_eq!(words("'a\\\nb'"), ["'a\\\nb'"]);
    assert_eq!(words("f'{x!r:>{w}}'"), ["f'{x!r:>{w}}'"]);
}

#[test]
fn numbers_end_where_python_ends_them() {
    assert_eq!(
        words("0x_FF 1_000 1.5e-3j .5 1..real"),
        ["0x_FF", "1_000", "1.5e-3j", ".5", "1.", ".", "real"]
    );
    assert_eq!(words("1if x else 2"), ["1", "if", "x", "else", "2"]);
}

#[test]
fn columns_count_characters_and_lines_every_kind_of_break() {
    let text = "ä = 'ö' + b\r\nc\rd\n";
    let (tokens, _) = tokenize(text);
    let place = |word: &str| {
        let token = tokens.iter().find(|token| token.of(text) == word);
        let Place { line, column } = token.unwrap().place(text);
        (line, column)
    };
    assert_eq!(place("b"), (1, 10));
    assert_eq!(place("c"), (2, 0));
    assert_eq!(place("d"), (3, 0));
}

#[test]
fn every_lexical_mistake_is_found_and_the_rest_still_read() {
    assert_eq!(rules("x = 'abc\ny = 1\n"), [Rule::UnterminatedString]);
    assert_eq!(rules("x = '''abc\ny = 1\n"), [Rule::UnterminatedString]);
    assert_eq!(rules("f(1\n"), [Rule::UnclosedBracket]);
    assert_eq!(rules("f(1]\n"), [Rule::WrongBracket]);
    assert_eq!(rules("1)\n"), [Rule::WrongBracket]);
    assert_eq!(rules("x = \\ 1\n"), [Rule::Backslash]);
    assert_eq!(rules("x = 1 + \\\n"), [Rule::Backslash]);
    assert_eq!(rules("x = “a”\n"), [Rule::StrangeCharacter; 2]);
    assert_eq!(rules("x\u{A0}= 1 ? 2\n"), [Rule::StrangeCharacter; 2]);
    assert_eq!(rules("if x:\n        y\n    z\n"), [Rule::Dedent]);
}

#[test]
fn indentation_that_hangs_on_the_width_of_a_tab_is_an_error() {
    assert_eq!(
        rules("if x:\n\ty\n        z\n"),
        [Rule::TabsAndSpaces, Rule::TwoIndentations]
    );
    assert_eq!(rules("if x:\n\ty\nif z:\n    a\n"), [Rule::TwoIndentations]);
    assert_eq!(rules("if x:\n\ty\n\tz\n"), []);
}

#[test]
fn a_flood_of_mistakes_does_not_flood_the_memory() {
    assert_eq!(rules(&"?".repeat(10_000)).len(), MOST_FINDINGS);
}
