"""Prints the syntax tree of a locustfile as JSON. The file comes on standard input; it is parsed and never run."""
import ast
import json
import sys

UNUSED = ("ctx", "kind", "type_comment", "type_ignores", "type_params", "returns", "annotation")


def tree(node):
    if isinstance(node, ast.AST):
        fields = {"_": type(node).__name__, "line": getattr(node, "lineno", 0)}
        for name, value in ast.iter_fields(node):
            if name not in UNUSED:
                fields[name] = tree(value)
        return fields
    if isinstance(node, list):
        return [tree(item) for item in node]
    if node is None or isinstance(node, (str, bool)):
        return node
    if isinstance(node, int) and abs(node) < 2**63 or isinstance(node, float) and abs(node) < 1e300:
        return node
    return repr(node)


sys.setrecursionlimit(20000)
try:
    parsed = ast.parse(sys.stdin.buffer.read())
except SyntaxError as error:
    sys.exit("line %s: %s" % (error.lineno, error.msg))
except ValueError as error:
    sys.exit(str(error))
json.dump(tree(parsed), sys.stdout)
