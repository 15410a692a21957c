# The other side of the tests: CPython's own `tokenize` and `ast`. Works on sources that lie in the
# standard library of the Python that runs it, so that none have to be kept here.
#
#   cpython.py list                   paths of the sources, one a line
#   cpython.py judge FOLDER           FOLDER/NUMBER.tokens, .short and .lines for the source of that number
#
# Prints what differs, and at the end how many sources it has compared.
import ast, io, multiprocessing, os, sys, sysconfig, token, tokenize

MOST = int(os.environ.get("OMV_SOURCES", "100"))


def sources():
    """Every source of the standard library that is UTF-8 and without errors, thinned out evenly."""
    root = sysconfig.get_path("stdlib")
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in ("site-packages", "dist-packages", "__pycache__", "tests"))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.getsize(path) < 100_000:
                found.append(path)
    step = max(1, len(found) // MOST)
    return [path for path in found[::step] if readable(path)]


def readable(path):
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
        if data.startswith(b"\xef\xbb\xbf") or "\0" in text:
            return False
        compile(text, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        return True
    except (UnicodeDecodeError, SyntaxError, ValueError, RecursionError):
        return False


def read(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8")


KINDS = {
    token.NAME: "Name", token.NUMBER: "Number", token.STRING: "String", token.OP: "Op",
    token.COMMENT: "Comment", token.NEWLINE: "Newline", token.NL: "Nl", token.INDENT: "Indent",
    token.DEDENT: "Dedent", token.ENDMARKER: "End",
}


def tokens(text):
    """Kind, line and column as CPython has them. A formatted string is one token, as before 3.12."""
    begin = getattr(token, "FSTRING_START", None)
    end = getattr(token, "FSTRING_END", None)
    depth, rows = 0, []
    for one in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if begin is not None and one.type == begin:
            if depth == 0:
                rows.append(("String", *one.start))
            depth += 1
        elif end is not None and one.type == end:
            depth -= 1
        elif depth == 0:
            rows.append((KINDS[one.type], *one.start))
    # Where the file ends is told in several ways.
    return [row for row in rows if row[0] not in ("Newline", "Dedent", "End")] + [
        (kind, line) for kind, line, _ in rows if kind in ("Newline", "Dedent")
    ][:-1]


class Said(ast.NodeTransformer):
    """Takes out strings that are only said, and lets a body that is empty then pass."""

    def visit(self, node):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list) and body:
                kept = [one for one in body if not self.is_said(one)]
                if not kept and not isinstance(node, ast.Module):
                    kept = [ast.Pass(lineno=body[0].lineno)]
                setattr(node, field, kept)
        return self.generic_visit(node)

    @staticmethod
    def is_said(node):
        value = getattr(node, "value", None)
        return isinstance(node, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str)


def tree(text, lines):
    done = Said().visit(ast.parse(text))
    if not lines:
        return ast.dump(done)
    # Every statement that is kept, with its line.
    return [
        (type(node).__name__, node.lineno)
        for node in ast.walk(done)
        if isinstance(node, ast.stmt) and hasattr(node, "lineno")
    ]


def compare(folder, number, path):
    """What differs in the source of that number; how much shorter its copy is, and how long it is itself."""
    wrong = []
    base = os.path.join(folder, str(number))
    text = read(path)
    ours = [tuple(int(w) if w.isdigit() else w for w in row.split()) for row in read(base + ".tokens").splitlines()]
    theirs = tokens(text)
    if ours != theirs:
        first = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), (len(ours), len(theirs)))
        wrong.append(f"token {first[0]}, CPython's {first[1]}")
    short, lines = read(base + ".short"), read(base + ".lines")
    try:
        meant = tree(text, False)
        if tree(short, False) != meant:
            wrong.append("the short copy means something else")
        if tree(lines, False) != meant or tree(lines, True) != tree(text, True):
            wrong.append("the copy with the same lines means something else, or moves a line")
        left = [row for row in tokenize.generate_tokens(io.StringIO(short, newline="").readline) if row.type == token.COMMENT]
        if left:
            wrong.append(f"a comment is left in line {left[0].start[0]}")
    except SyntaxError as error:
        wrong.append(f"a copy is no Python any more: {error}")
    return [f"{path}: {what}" for what in wrong], len(text) - len(short), len(text)


def judge(folder):
    work = [(folder, number, path) for number, path in enumerate(sources())]
    with multiprocessing.Pool() as pool:
        done = pool.starmap(compare, work, 1)
    wrong = [what for differences, _, _ in done for what in differences]
    saved, whole = sum(one[1] for one in done), sum(one[2] for one in done)
    print("\n".join(wrong + [f"{len(done)} sources, {len(wrong)} differences, {100 * saved // max(1, whole)} % smaller"]))
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "list":
        print("\n".join(sources()))
    else:
        sys.exit(1 if judge(sys.argv[2]) else 0)
