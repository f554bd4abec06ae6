"""What the judges share: a claim is told in one line, `ok NAME: what was seen` or `FAILED NAME: why`, and counted."""

import traceback

failed = []


def claim(name, check, *args):
    """Tells whether `check` holds; it gives a text, or raises."""
    try:
        print(f"ok {name}: {check(*args)}")
    except Exception as why:
        failed.append(name)
        where = traceback.extract_tb(why.__traceback__)[-1]
        print(f"FAILED {name}: {type(why).__name__}: {why} (line {where.lineno})")


def must(condition, why):
    if not condition:
        raise AssertionError(why)
